"""Rules about what a vehicle does on the way: conditions on its stream of fixes that must hold for a time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from citywarden.columns import Bools, Floats, Ints
from rules.areas import ALLOWED, DEPOT, DISPOSAL, FORBIDDEN, OFF_ROUTE_ALLOWED
from rules.examination import Court
from rules.holds import Carry, Changes, Hold, advance, fresh, grown
from rules.motion import is_off, is_on
from rules.observation import Observed, in_peak_ban
from rules.points import on_bit
from rules.tasktable import TaskTable
from rules.worksettings import WorkSettings

_PARKED_GAP_MS = 600_000
_EQUIPMENT_ON = on_bit("brush") | on_bit("pump") | on_bit("lift")
_MIN_DUMP_KG = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """Something changed for vehicle `slot` at event time `at_ms`. `task`: number in the table, -1: none.

    `raised` False: it is over. `run_ms`: since when the condition has held. `text`: the wording.
    """

    rule: str
    text: str
    slot: int
    at_ms: int
    raised: bool
    lat: float = float("nan")
    lon: float = float("nan")
    task: int = -1
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    run_ms: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Condition:
    """One row of the table: a rule's conditions on the rows of a call. `value` per row, for the words."""

    rule: str
    hold: Hold
    rising: Bools
    falling: Bools
    value: Floats | None
    threshold: Floats | float | None
    unit: str
    by_hand: bool = False


Carries = Mapping[str, Carry]
WATCHED = (
    "route.deviation",
    "work.overspeed",
    "work.idle",
    "vehicle.illegal_stop",
    "work.out_of_window",
    "work.out_of_window.ban",
    "vehicle.sensor_suspect.ignition",
    "vehicle.sensor_suspect.speed",
    "vehicle.sensor_suspect.depot",
)
"""Names of the conditions, which are also the wordings; the rule is the first two parts."""


def fresh_carries(count: int) -> Carries:
    """Nothing has happened to any vehicle."""
    return {name: fresh(count) for name in WATCHED}


def grown_carries(carries: Carries, count: int) -> Carries:
    """With fresh slots up to `count`."""
    return {name: grown(carry, count) for name, carry in carries.items()}


@dataclass(frozen=True, slots=True, eq=False)
class SlotBands:
    """What work is for a vehicle outside any window: equipment bits and speed band over all its tasks, by slot."""

    signals: Ints
    v_low: Floats
    v_high: Floats


def comply(court: Court, seen: Observed, carries: Carries, bands: SlotBands) -> tuple[list[Event], Carries]:
    """Events of the rows, and the carries after them."""
    events: list[Event] = []
    after = dict(carries)
    for name, condition in _conditions(court, seen, bands).items():
        changes, after[name] = advance(condition.hold, seen.rows, condition.rising, condition.falling, carries[name])
        events.extend(_events(name, condition, seen, changes))
    return events, after


def slot_bands(table: TaskTable, count: int) -> SlotBands:
    """Bands of `count` slots; a vehicle without a task has no signal and never works."""
    signals = np.zeros(count, np.int64)
    v_low, v_high = np.full(count, np.inf), np.full(count, -np.inf)
    working = ~table.collects
    slot = table.slot[working]
    np.bitwise_or.at(signals, slot, table.signal[working])
    np.minimum.at(v_low, slot, table.v_low[working])
    np.maximum.at(v_high, slot, table.v_high[working])
    return SlotBands(signals, v_low, v_high)


def _conditions(court: Court, seen: Observed, bands: SlotBands) -> dict[str, _Condition]:
    on_task = seen.active & (seen.flags & seen.signals != 0)
    return {
        **_on_the_way(court, seen, on_task),
        **_standing(court, seen, on_task),
        **_out_of_window(court, seen, on_task, bands),
        **_suspicions(court, seen),
    }


def _on_the_way(court: Court, seen: Observed, on_task: Bools) -> dict[str, _Condition]:
    settings, speed = court.settings, seen.speed_kmh
    gap = _ms(settings.max_gap_s)
    off_route = seen.zones & OFF_ROUTE_ALLOWED != 0
    deviating = seen.active & (seen.distance_m > settings.deviation_m) & ~off_route
    returned = (seen.distance_m < settings.deviation_clear_m) | ~seen.active | off_route
    too_fast = on_task & (speed > seen.v_high * settings.overspeed_factor)
    return {
        "route.deviation": _Condition(
            "route.deviation",
            Hold(_ms(settings.deviation_s), settings.deviation_points, _ms(settings.deviation_clear_s), gap),
            deviating, returned, seen.distance_m, settings.deviation_m, "m",
        ),
        "work.overspeed": _Condition(
            "work.overspeed", Hold(_ms(settings.overspeed_s), 2, _ms(settings.overspeed_s), gap),
            too_fast, (speed <= seen.v_high) | ~on_task, speed, seen.v_high, "km/h",
        ),
    }  # fmt: skip


def _standing(court: Court, seen: Observed, on_task: Bools) -> dict[str, _Condition]:
    settings, flags = court.settings, seen.flags
    moving, standing = seen.speed_kmh >= settings.standing_kmh, seen.speed_kmh < settings.standing_kmh
    told = flags & (seen.signals >> 1) != 0
    parked_well = (seen.zones & (ALLOWED | OFF_ROUTE_ALLOWED) != 0) & (seen.zones & FORBIDDEN == 0)
    idle = seen.active & standing & is_on(flags, "ignition") & told & ~on_task & ~(seen.zones & DEPOT != 0)
    stopped = standing & ~parked_well & ~on_task
    return {
        "work.idle": _Condition(
            "work.idle", Hold(_ms(settings.idle_s), 2, 0, _PARKED_GAP_MS),
            idle, moving | on_task | ~seen.active, None, settings.idle_s / 60, "min",
        ),
        "vehicle.illegal_stop": _Condition(
            "vehicle.illegal_stop", Hold(_ms(settings.illegal_stop_s), 2, 0, _PARKED_GAP_MS),
            stopped, moving | parked_well, None, settings.illegal_stop_s / 60, "min",
        ),
    }  # fmt: skip


def _out_of_window(court: Court, seen: Observed, on_task: Bools, bands: SlotBands) -> dict[str, _Condition]:
    settings, slot = court.settings, seen.rows.slot
    hold = Hold(_ms(settings.out_of_window_s), 3, 0, _ms(settings.max_gap_s))
    usual = seen.flags & bands.signals[slot].astype(np.uint16) != 0
    in_band = (seen.speed_kmh >= bands.v_low[slot]) & (seen.speed_kmh <= bands.v_high[slot])
    outside = usual & in_band & ~seen.in_tolerance & ~(seen.zones & OFF_ROUTE_ALLOWED != 0)
    banned = on_task & in_band & seen.banned
    if banned.any():
        banned = banned & in_peak_ban(court, seen.rows.ts_ms)
    return {
        "work.out_of_window": _Condition(
            "work.out_of_window", hold, outside, ~usual | seen.in_tolerance, None, None, ""
        ),
        "work.out_of_window.ban": _Condition(
            "work.out_of_window", hold, banned, ~on_task | ~banned, None, None, ""
        ),
    }  # fmt: skip


def _suspicions(court: Court, seen: Observed) -> dict[str, _Condition]:
    settings, speed = court.settings, seen.speed_kmh
    gap, again = _ms(settings.max_gap_s), _ms(settings.suspect_again_s)
    suspect = Hold(_ms(settings.suspect_hold_s), 2, again, gap)
    depot_hold = Hold(_ms(settings.suspect_depot_s), 2, again, gap)
    equipment = seen.flags & _EQUIPMENT_ON != 0
    odd_off = equipment & is_off(seen.flags, "ignition")
    odd_fast = equipment & (speed > settings.suspect_kmh)
    odd_depot = equipment & (seen.zones & DEPOT != 0)
    return {
        "vehicle.sensor_suspect.ignition": _Condition(
            "vehicle.sensor_suspect", suspect, odd_off, ~odd_off, None, None, "", by_hand=True
        ),
        "vehicle.sensor_suspect.speed": _Condition(
            "vehicle.sensor_suspect", suspect, odd_fast, ~odd_fast, speed, settings.suspect_kmh, "km/h", by_hand=True
        ),
        "vehicle.sensor_suspect.depot": _Condition(
            "vehicle.sensor_suspect", depot_hold, odd_depot, ~odd_depot, None, settings.suspect_depot_s / 60, "min",
            by_hand=True,
        ),
    }  # fmt: skip


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _events(name: str, condition: _Condition, seen: Observed, changes: Changes) -> list[Event]:
    events = []
    for row, start in zip(changes.raised.tolist(), changes.start_ms.tolist(), strict=True):
        at_ms = int(seen.rows.ts_ms[row])
        value = (at_ms - start) / 60_000 if condition.value is None else float(condition.value[row])
        limit = condition.threshold
        threshold = float(limit[row]) if isinstance(limit, np.ndarray) else limit
        events.append(
            Event(
                condition.rule, name, int(seen.rows.slot[row]), at_ms, True,
                lat=float(seen.points.lat[row]), lon=float(seen.points.lon[row]), task=int(seen.task[row]),
                value=value, threshold=threshold, unit=condition.unit, run_ms=start,
            )
        )  # fmt: skip
    if not condition.by_hand:
        for row in changes.cleared.tolist():
            events.append(Event(condition.rule, name, int(seen.rows.slot[row]), int(seen.rows.ts_ms[row]), False))
    return events


def dump_candidates(court: Court, seen: Observed) -> tuple[Ints, Ints]:
    """Rows where the load falls, and rows where the body rises, outside a disposal zone."""
    settings = court.settings
    elsewhere = seen.zones & DISPOSAL == 0
    load = seen.points.load_kg
    falling = (load < seen.load_before * 0.98) & (seen.load_before - load >= _MIN_DUMP_KG * 0.05)
    falling &= (seen.load_pause_ms <= _ms(settings.dump_within_s)) & elsewhere & ~is_on(seen.flags, "pump")
    rising = is_on(seen.flags, "lift") & ~seen.lift_before & elsewhere & (seen.zones & DEPOT == 0) & ~seen.collecting
    if not court.areas.kinds & DISPOSAL:
        rising = np.zeros_like(rising)
    return np.flatnonzero(falling), np.flatnonzero(rising)


def lost_share(loads: Floats, settings: WorkSettings) -> float:
    """Share of the load lost from the heaviest of `loads` (in order of time) to the last; 0 when too little to tell."""
    most, last = float(np.nanmax(loads)), float(loads[-1])
    share = (most - last) / most if most > 0 else 0.0
    return share if share >= settings.dump_drop_share and most - last >= _MIN_DUMP_KG else 0.0


def without(carries: Carries, slots: Ints) -> Carries:
    """Carries with `slots` as if nothing had happened to them."""
    after = {}
    for name, carry in carries.items():
        clean = replace(
            carry,
            raise_start=carry.raise_start.copy(), raise_count=carry.raise_count.copy(),
            clear_start=carry.clear_start.copy(), raised=carry.raised.copy(),
        )  # fmt: skip
        clean.raise_start[slots], clean.raise_count[slots] = -1, 0
        clean.clear_start[slots], clean.raised[slots] = -1, False
        after[name] = clean
    return after
