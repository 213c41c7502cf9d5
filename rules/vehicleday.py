"""A vehicle's day as it is judged: every fix with what the vehicle was doing, for the map and the timeline."""

import numpy as np

from citywarden.columns import Bools, Ints
from citywarden.coordinates import distance_m
from citywarden.model.work import TrackPoint
from rules.examination import Case, examine
from rules.motion import breaks, derive_speed, look_ahead, pauses_ms
from rules.points import VALID, Points, on_bit
from rules.strokes import Deed
from rules.workstate import State

_EQUIPMENT = on_bit("brush") | on_bit("pump") | on_bit("lift")


def track(state: State, vehicle: str, start_ms: int, stop_ms: int, tenant: str | None = None) -> list[TrackPoint]:
    """Fixes of a vehicle in [start_ms, stop_ms), oldest first; empty when it is not known.

    `working`: WORKING for one of its tasks (or, outside any, moving with equipment on). `idle`: standing.
    `unknown`: the fix ends a gap. `covered`: a step at the fix covered part of a planned road.
    """
    slots = [slot for (owner, name), slot in state.slots.items() if name == vehicle and tenant in (None, owner)]
    if not slots:
        return []
    slot = slots[0]
    points = state.history.gather(_one(slot), _one(start_ms), _one(stop_ms))
    points = points.take(points.flags & VALID != 0)
    if not len(points):
        return []
    table = state.table
    which = np.flatnonzero((table.slot == slot) & (table.low_ms < stop_ms) & (table.high_ms >= start_ms))
    speed, gap = _speed(state, points)
    working, covered = _by_tasks(examine(state.court, which, state.history), points) if len(which) else _none(points)
    in_task = np.zeros(len(points), np.bool_)
    for number in which:
        in_task |= (points.ts_ms >= table.low_ms[number]) & (points.ts_ms <= table.high_ms[number])
    working |= ~in_task & (points.flags & _EQUIPMENT != 0) & (speed >= state.settings.standing_kmh)
    standing = speed < state.settings.standing_kmh
    state_of = np.where(working, "working", np.where(gap, "unknown", np.where(standing, "idle", "driving")))
    shown = np.nan_to_num(speed)
    return [
        TrackPoint(ts, lat, lon, round(kmh, 2), str(word), bool(hit))
        for ts, lat, lon, kmh, word, hit in zip(
            points.ts_ms.tolist(),
            points.lat.tolist(),
            points.lon.tolist(),
            shown.tolist(),
            state_of,
            covered,
            strict=True,
        )
    ]


def _speed(state: State, points: Points) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], Bools]:
    first, limit = breaks(points), round(state.settings.max_gap_s * 1000)
    pause = pauses_ms(points, first)
    lat, lon = points.lat, points.lon
    step = np.append(0.0, distance_m(lat[:-1], lon[:-1], lat[1:], lon[1:]))
    speed = derive_speed(points.speed_kmh, step, pause, first, limit)
    return look_ahead(speed, points.speed_kmh, pause, first, limit), pause > limit


def _by_tasks(case: Case, points: Points) -> tuple[Bools, Bools]:
    """Which of the vehicle's fixes are WORKING for a task, and which lie at a step that covered a road."""
    working, covered = _none(points)
    at = np.searchsorted(points.ts_ms, case.steps.ts_ms)
    known = (at < len(points)) & (points.ts_ms[np.minimum(at, len(points) - 1)] == case.steps.ts_ms)
    did = case.steps.working & (case.inside | case.equipped[case.steps.task])
    working[at[known & did]] = True
    ends = case.strokes.row[case.strokes.deed == Deed.COVERED]
    hit = np.zeros(len(at), np.bool_)
    hit[ends] = True
    hit[ends - 1] = True
    covered[at[known & hit]] = True
    return working, covered


def _none(points: Points) -> tuple[Bools, Bools]:
    nothing = np.zeros(len(points), np.bool_)
    return nothing, nothing.copy()


def _one(value: int) -> Ints:
    return np.array([value], np.int64)
