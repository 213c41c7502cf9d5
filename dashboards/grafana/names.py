"""Names the boards share with Grafana and with the store: uids, folders, measurements that are no device kind."""

from collections.abc import Mapping
from typing import Literal

Language = Literal["zh-CN", "en"]
LANGUAGES: tuple[Language, ...] = ("zh-CN", "en")

DATASOURCE = "citywarden-influxdb"
"""Uid of the InfluxDB (Flux) data source that the provisioning file makes."""

TAG = "citywarden"
"""Every board of ours has it."""

SCHEMA_VERSION = 42
"""Of Grafana's classic dashboard JSON."""

CITY_MAP = "public/citywarden/city.geojson"
"""Where Grafana serves the city's outline, relative to its root; the deployment mounts the file there."""

FOLDERS: Mapping[Language, tuple[str, str]] = {
    "zh-CN": ("citywarden-zh", "城市指挥中心"),
    "en": ("citywarden-en", "City Command"),
}
"""Uid and title of the folder of each language."""

SHORT: Mapping[Language, str] = {"zh-CN": "zh", "en": "en"}

ALERT, WORK, INGEST, DEVICE, CASE = "alert", "work", "ingest", "device", "case"

FIELDS: Mapping[str, tuple[str, ...]] = {
    ALERT: (
        "id", "severity", "level", "status", "open", "reason", "value", "updated_ms", "resolved_ms", "duration_s",
        "summary", "summary_en", "acknowledged_by", "stale", "lat", "lon",
    ),
    WORK: (
        "status", "met", "evidence", "reasons", "work_duration_s", "idle_in_work_s", "unknown_s", "planned_m",
        "covered_m", "coverage_pct", "passes", "driven_m", "effective_m", "empty_running_pct", "overspeed_s",
        "missed_m",
    ),
    INGEST: (
        "messages_per_s", "messages", "stored", "dead_letters", "ingest_lag_ms", "open_alerts", "devices",
        "backlog_store", "backlog_rules", "ok",
    ),
    CASE: (
        "number", "title", "stage", "open", "unit", "near", "overdue", "in_time", "running_due_ms", "duration_s",
    ),
    DEVICE: ("name", "lat", "lon", "owner", "enabled"),
}  # fmt: skip
"""Fields of the measurements that are no device kind; the tests compare them with what the server writes."""


def board_uid(name: str, language: Language) -> str:
    """The uid of a board, the same for ever: links, playlists and bookmarks use it."""
    return f"cw-{name}-{SHORT[language]}"
