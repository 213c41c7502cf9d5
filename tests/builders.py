"""Small builders shared by the tests: a device, a reading, columns, in one line each."""

from collections.abc import Mapping, Sequence

from citywarden.columns import Columns, Reading, from_readings
from citywarden.model.device import Device
from citywarden.model.kind import JsonScalar
from ingest.kinds import all_kinds

KINDS = all_kinds()
NOON_MS = 1_795_406_400_000
"""2026-11-23 04:00 UTC: noon in Shenzhen."""


def device(kind: str, name: str = "d1", **known: object) -> Device:
    """A device of tenant `t`, district Futian, in the middle of it, unless `known` says otherwise."""
    facts: dict[str, object] = {"tenant": "t", "district": "Futian", "lat": 22.5431, "lon": 114.0579} | known
    return Device(kind=kind, id=name, **facts)  # type: ignore[arg-type]


def columns(
    kind: str, rows: Sequence[tuple[int, Mapping[str, JsonScalar]]], who: Device | None = None, start: int = NOON_MS
) -> Columns:
    """Columns of one device from (seconds after `start`, values) rows."""
    who = who or device(kind)
    readings = [Reading(who, start + s * 1000, start + s * 1000, values) for s, values in rows]
    return from_readings(KINDS[kind], readings)
