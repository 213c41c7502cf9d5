"""Planned work of the fleet, and what was judged of it."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

Coordinates = tuple[tuple[float, float], ...]
"""(lon, lat) pairs in degrees, WGS-84: GeoJSON's order."""


class Operation(StrEnum):
    SWEEP = "sweep"
    WASH = "wash"
    SPRINKLE = "sprinkle"
    COLLECT = "collect"


class ZoneKind(StrEnum):
    DEPOT = "depot"
    WATER = "water"
    DISPOSAL = "disposal"
    ALLOWED_STOP = "allowed_stop"
    FORBIDDEN = "forbidden"


class Verdict(StrEnum):
    """`open`: its window has not ended yet."""

    OPEN = "open"
    MET = "met"
    NOT_MET = "not_met"
    NOT_JUDGED = "not_judged"


class Evidence(StrEnum):
    EQUIPMENT = "equipment"
    GPS_ONLY = "gps_only"


class MissedReason(StrEnum):
    NOT_DRIVEN = "not_driven"
    NOT_WORKING = "not_working"
    TOO_FAST = "too_fast"
    WRONG_WAY = "wrong_way"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True)
class Zone:
    """An area of the plan; `rings` as in a GeoJSON Polygon, outer ring first."""

    kind: ZoneKind
    rings: tuple[Coordinates, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """One planned road on one day. `id` is unique for the day: a daily task `T1` becomes `T1@2026-11-22`.

    `lines`: the road's parts in driving order. Window in ms since 1970 UTC. `speed_band_kmh` None: the default of the
    operation.
    `min_duration_s` None: the plan demands none.
    """

    id: str
    name: str
    vehicle: str
    operation: Operation
    lines: tuple[Coordinates, ...]
    start_ms: int
    end_ms: int
    day: date
    tenant: str = ""
    passes: int = 1
    min_duration_s: float | None = None
    min_coverage_pct: float = 95.0
    buffer_m: float = 15.0
    speed_band_kmh: tuple[float, float] | None = None
    bidirectional: bool = False
    crs: str = "wgs84"


@dataclass(frozen=True, slots=True)
class MissedRun:
    """A run of the planned line that was not covered, in metres along it."""

    from_m: float
    to_m: float
    reason: MissedReason

    @property
    def length_m(self) -> float:
        return self.to_m - self.from_m


@dataclass(frozen=True, slots=True)
class TaskReport:
    """What is known of one task. `reasons`: every demand that does not hold (or why it is not judged).

    Durations in s, lengths in m, shares in %. `max_deviation_m`: largest distance of a fix from the line inside the
    window and outside zones, None without a fix. `notes`: how far the data carries, such as `speed_derived`.
    """

    task: str
    vehicle: str
    operation: Operation
    start_ms: int
    end_ms: int
    status: Verdict
    reasons: tuple[str, ...]
    evidence: Evidence
    work_duration_s: float
    idle_in_work_s: float
    unknown_s: float
    planned_m: float
    covered_m: float
    coverage_pct: float
    passes: int
    driven_m: float
    effective_m: float
    empty_running_pct: float
    overspeed_s: float
    max_deviation_m: float | None
    missed: tuple[MissedRun, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """A vehicle's fix as judged. `state`: working, idle, driving, unknown; `covered`: it counted for a planned road."""

    ts_ms: int
    lat: float
    lon: float
    speed_kmh: float
    state: str
    covered: bool
