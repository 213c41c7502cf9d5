"""Durations and lengths of tasks, added up from what was seen of them."""

from dataclasses import dataclass

import numpy as np

from citywarden.columns import Bools, Floats, Ints
from rules.examination import Case, Court
from rules.motion import PLAUSIBLE_KMH, STANDING_M
from rules.strokes import Deed, Steps
from rules.worksettings import WorkSettings


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Per task: durations in s, lengths in m."""

    work_s: Floats
    idle_s: Floats
    unknown_s: Floats
    overspeed_s: Floats
    driven_m: Floats
    effective_m: Floats
    rows: Ints
    inside: Ints


def _total(of: Ints, values: Floats | Bools, count: int) -> Floats:
    return np.bincount(of, values, count).astype(np.float64)


def add_up(court: Court, case: Case) -> Sums:
    """Sums of every task of the case."""
    settings, steps, count = court.settings, case.steps, len(case.which)
    of, seconds = steps.task, steps.pause_ms / 1000.0
    start, end = court.table.start_ms[case.which][of], court.table.end_ms[case.which][of]
    # Around the window only what happens on the task's own road is its own: next door another task may be at work.
    on_road = case.inside & np.append(False, case.inside[:-1])
    own = ((steps.ts_ms > start) & (steps.ts_ms <= end)) | on_road
    joined = steps.joined & own
    working = steps.working & (case.inside | case.equipped[of])
    work = _total(of, seconds * (joined & working & np.append(False, working[:-1])), count)
    limit = court.table.v_high[case.which][of] * settings.overspeed_factor
    over = case.on & case.equipped[of] & (steps.speed_kmh > limit)
    overspeed = _total(of, seconds * (joined & over & np.append(False, over[:-1])), count)
    idle = _total(of, np.where(own, _idle(steps, case, settings), 0.0), count)
    gap = np.minimum(steps.ts_ms, end) - np.maximum(steps.ts_ms - steps.pause_ms, start)
    unknown = _total(of, np.where(~steps.joined & ~steps.first, np.maximum(gap, 0) / 1000.0, 0.0), count)
    standing = (steps.speed_kmh < 1.0) & (steps.step_m < 10 * STANDING_M)
    plausible = steps.step_m / 1000.0 <= PLAUSIBLE_KMH * np.maximum(seconds, 1.0) / 3600.0
    driven = _total(of, np.where(standing | ~plausible | ~own, 0.0, steps.step_m), count)
    effective = np.zeros(len(of))
    done = case.strokes.deed == Deed.COVERED
    row = case.strokes.row[done]
    stroke = case.strokes.high_m[done] - case.strokes.low_m[done]
    np.maximum.at(effective, row, np.minimum(stroke, steps.step_m[row]))
    useful = np.minimum(_total(of, effective, count), driven)
    rows, inside = np.bincount(of, minlength=count), _total(of, case.inside, count).astype(np.int64)
    return Sums(work, idle, unknown, overspeed, driven, useful, rows, inside)


def _idle(steps: Steps, case: Case, settings: WorkSettings) -> Floats:
    """Seconds of each step that are idle in work: half a step into standing, all of it while standing, half out.

    A stand longer than allowed counts nothing.
    """
    slow = steps.slow & (case.equipped[steps.task])
    place = np.arange(len(slow))
    before = np.append(False, slow[:-1]) & steps.joined
    begins = slow & ~before
    if not begins.any():
        return np.zeros(len(slow))
    run = np.cumsum(begins) - 1
    start = np.flatnonzero(begins)
    last = np.maximum.reduceat(np.where(slow, place, -1), start)
    short = steps.ts_ms[last] - steps.ts_ms[start] <= settings.idle_in_work_s * 1000
    on_before = np.append(False, case.on[:-1])
    share = (slow.astype(float) + before) / 2 * (steps.joined & case.on & on_before)
    mine = np.where(slow, run, np.append(0, run[:-1]))
    return np.where(short[np.maximum(mine, 0)], share, 0.0) * steps.pause_ms / 1000.0
