"""Builders for judging work: a plane in metres laid over Shenzhen, roads and drives on it in one line each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from citywarden.columns import Columns
from citywarden.coordinates import distance_m
from citywarden.model.device import Device
from citywarden.model.work import Coordinates, Operation, Task, TaskReport, Zone, ZoneKind
from rules import work
from rules.worksettings import WorkSettings
from tests.builders import KINDS

START_MS = 1_795_392_000_000
"""2026-11-23 08:00 in Shenzhen."""
HOUR_S = 3600
LAT, LON = 22.5431, 114.0579
PER_LON = float(distance_m(LAT, LON, LAT, LON + 0.01)) * 100
PER_LAT = float(distance_m(LAT, LON, LAT + 0.01, LON)) * 100
SETTINGS = WorkSettings(peak_bans_min=())


@dataclass(frozen=True, slots=True)
class Fix:
    """One fix of a vehicle: seconds after START_MS, metres east and north; None: the message lacks it."""

    s: float
    x: float
    y: float = 0.0
    speed: float | None = None
    heading: float | None = None
    ignition: bool | None = True
    brush: bool | None = True
    pump: bool | None = None
    lift: bool | None = None
    load: float | None = None
    hdop: float | None = 1.0

    @property
    def ts_ms(self) -> int:
        return START_MS + round(self.s * 1000)


def lonlat(x: float, y: float) -> tuple[float, float]:
    """Degrees of a place on the plane."""
    return LON + x / PER_LON, LAT + y / PER_LAT


def line(*places: tuple[float, float]) -> Coordinates:
    """A road through places on the plane."""
    return tuple(lonlat(x, y) for x, y in places)


KILOMETRE = line((0, 0), (1000, 0))


def task(road: Coordinates | Sequence[Coordinates] = KILOMETRE, **known: object) -> Task:
    """Vehicle v1 sweeps a road from 0 s to an hour later, unless `known` says otherwise."""
    lines = (road,) if isinstance(road[0][0], float) else tuple(road)
    facts: dict[str, object] = {
        "id": "T1", "name": "T1", "vehicle": "v1", "operation": Operation.SWEEP, "lines": lines, "start_ms": START_MS,
        "end_ms": START_MS + HOUR_S * 1000, "day": date(2026, 11, 23), "tenant": "t",
    }  # fmt: skip
    return Task(**(facts | known))  # type: ignore[arg-type]


def zone(kind: str, west: float, south: float, east: float, north: float) -> Zone:
    """A rectangle on the plane."""
    ring = line((west, south), (east, south), (east, north), (west, north), (west, south))
    return Zone(ZoneKind(kind), (ring,), kind)


def drive(
    start: float, end: float, kmh: float = 8.0, *, y: float = 0.0, at: float = 0.0, every: float = 10.0, **known: object
) -> list[Fix]:
    """Fixes from x = start to x = end at a speed, heading along; `at`: seconds of the first one."""
    seconds = abs(end - start) / (kmh / 3.6)
    heading = 90.0 if end > start else 270.0
    steps = round(seconds / every)
    toward = 1 if end > start else -1
    facts: dict[str, object] = {"speed": kmh, "heading": heading} | known
    return [
        Fix(at + i * every, start + toward * kmh / 3.6 * every * i, y, **facts)  # type: ignore[arg-type]
        for i in range(steps + 1)
    ]


def stand(x: float, seconds: float, *, at: float, y: float = 0.0, every: float = 10.0, **known: object) -> list[Fix]:
    """Fixes of a vehicle that does not move, from `at` for so long."""
    facts: dict[str, object] = {"speed": 0.0} | known
    return [Fix(at + i * every, x, y, **facts) for i in range(round(seconds / every) + 1)]  # type: ignore[arg-type]


def bare(fixes: Iterable[Fix]) -> list[Fix]:
    """As a tracker sends that knows positions only."""
    nothing = {"speed": None, "heading": None, "ignition": None, "brush": None, "hdop": None}
    return [replace(fix, **nothing) for fix in fixes]  # type: ignore[arg-type]


def batch(fixes: Sequence[Fix], vehicle: str = "v1", shift: tuple[float, float] = (0.0, 0.0)) -> Columns:
    """Fixes in any order as columns of one vehicle; `shift`: degrees (lat, lon) added."""
    fixes = sorted(fixes, key=lambda fix: fix.ts_ms)
    count = len(fixes)
    fields = {q.field: np.full(count, np.nan) for q in KINDS["vehicle"].numeric}
    names = {
        "speed_kmh": "speed", "heading_deg": "heading", "ignition": "ignition", "brush": "brush", "pump": "pump",
        "lift": "lift", "load_kg": "load", "hdop": "hdop",
    }  # fmt: skip
    for i, fix in enumerate(fixes):
        lon, lat = lonlat(fix.x, fix.y)
        fields["lat"][i], fields["lon"][i] = lat + shift[0], lon + shift[1]
        for field, name in names.items():
            value = getattr(fix, name)
            fields[field][i] = np.nan if value is None else float(value)
    ts_ms = np.array([fix.ts_ms for fix in fixes], np.int64)
    who = (Device("t", "vehicle", vehicle),)
    return Columns(KINDS["vehicle"], who, np.zeros(count, np.int32), ts_ms, ts_ms, fields, {})


def after(
    fixes: Sequence[Fix], *tasks: Task, zones: Sequence[Zone] = (), settings: WorkSettings = SETTINGS,
    end_s: float = 3 * HOUR_S,
) -> work.State:  # fmt: skip
    """The judge after a whole track and, then, time until `end_s`."""
    state = work.start(tasks or (task(),), zones, settings, 0)
    if fixes:
        state = work.step(state, batch(fixes), max(fix.ts_ms for fix in fixes)).state
    return work.step(state, None, START_MS + round(end_s * 1000)).state


def report(fixes: Sequence[Fix], *tasks: Task, **known: object) -> TaskReport:
    """The report of the first task after a whole track."""
    state = after(fixes, *tasks, **known)  # type: ignore[arg-type]
    return work.reports(state, state.now_ms)[0]


def told(state: work.State) -> list[tuple[str, str, float, float | None]]:
    """What the rules found: rule, subject, raised and cleared in seconds after START_MS."""

    def seconds(ms: int | None) -> float | None:
        return None if ms is None else (ms - START_MS) / 1000

    found = state.alerts
    return [(e.finding.rule, e.finding.subject, seconds(e.finding.at_ms) or 0.0, seconds(e.cleared_ms)) for e in found]


def rules_of(fixes: Sequence[Fix], *tasks: Task, **known: object) -> list[str]:
    """Names of the rules that found something in a whole track."""
    return [rule for rule, *_ in told(after(fixes, *tasks, **known))]  # type: ignore[arg-type]
