"""How the types that travel are written for other programs: the contract's JSON, one function a shape."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from citywarden.model.alert import Alert

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp(ms: int) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-11-22T06:00:00.000Z`. `ms` since 1970 UTC, years 1 to 9999."""
    moment = _EPOCH + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def phrase(texts: Mapping[str, str], language: str) -> str:
    """The text in `language`, else English, else whichever there is, else an empty one."""
    return texts.get(language) or texts.get("en") or next(filter(None, texts.values()), "")


def alert_body(alert: Alert, language: str) -> dict[str, object]:
    """The contract's alert, as webhooks and the API send it. NaN and infinity, which JSON lacks, become null."""
    located = alert.lat is not None and alert.lon is not None
    return {
        "version": "1",
        "id": alert.id,
        "tenant": alert.tenant,
        "rule": alert.rule,
        "kind": alert.kind,
        "subject": alert.subject,
        "severity": alert.severity.word,
        "status": alert.status.value,
        "reason": str(alert.reason),
        "value": _finite(alert.value),
        "unit": alert.unit,
        "threshold": _finite(alert.threshold),
        "location": {"lat": alert.lat, "lon": alert.lon} if located else None,
        "raised_at": timestamp(alert.raised_ms),
        "updated_at": timestamp(alert.updated_ms),
        "resolved_at": None if alert.resolved_ms is None else timestamp(alert.resolved_ms),
        "summary": phrase(alert.summary, language),
        "runbook": alert.runbook,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
