"""Strokes: what each step of a vehicle did to a stretch of its road - covered it, or passed it without, and why.

A step is the way between two consecutive fixes without a gap. It belongs to the road when both ends lie within the
buffer, it runs the road's way, and it is not longer along the road than it could have been driven.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from citywarden.columns import Bools, Floats, Ints
from rules.geometry import DX, DY, LENGTH, MEASURE
from rules.motion import STANDING_M
from rules.raster import Branch, Located, Roads
from rules.worksettings import WorkSettings

_NEAR_CORNER_M = 20.0
_BACKWARD_M = 2.0


class Deed(IntEnum):
    """What a stroke is; of several on one cell the lowest number explains it."""

    COVERED = 0
    TOO_FAST = 1
    NOT_WORKING = 2
    WRONG_WAY = 3
    NO_DATA = 4
    NOT_DRIVEN = 5


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Fixes of tasks, sorted by (task, time); row i's step leads from row i - 1 to it.

    `task`: place of the row's task in this judgement. `road`, `buffer_m`, `both_ways`: its task's. x, y, `step_m` in
    metres; `heading_x`, `heading_y`: unit vector or NaN. `joined`: the step is no gap. `working`: WORKING but for the
    route; `slow`: equipment on below the band; `fast`: above it.
    """

    task: Ints
    road: Ints
    ts_ms: Ints
    pause_ms: Ints
    first: Bools
    joined: Bools
    x: Floats
    y: Floats
    step_m: Floats
    speed_kmh: Floats
    heading_x: Floats
    heading_y: Floats
    buffer_m: Floats
    both_ways: Bools
    working: Bools
    slow: Bools
    fast: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Strokes:
    """k stretches [low_m, high_m] along the road of row `row`'s task, made by the step that ends at `row`."""

    row: Ints
    low_m: Floats
    high_m: Floats
    deed: NDArray[np.int8]


def strokes(steps: Steps, located: Located, roads: Roads, settings: WorkSettings) -> Strokes:
    """Every stretch of road that a step covered or passed, and the gaps that span one."""
    found: list[Strokes] = [_gaps(steps, located)]
    spread = [_spread(branch, len(steps.task)) for branch in located.branches]
    within = [(place >= 0) & (_of(b.off_m, place, np.inf) <= steps.buffer_m) for b, place in zip(
        located.branches, spread, strict=True)]  # fmt: skip
    for a, at_a, in_a in zip(located.branches, spread, within, strict=True):
        for b, at_b, in_b in zip(located.branches, spread, within, strict=True):
            row = np.flatnonzero(steps.joined & in_b & np.append(False, in_a[:-1]))
            if len(row):
                found.append(_between(steps, row, (a, at_a[row - 1]), (b, at_b[row]), roads, settings))
    return Strokes(*(np.concatenate([getattr(part, name) for part in found]) for name in Strokes.__slots__))


def _between(
    steps: Steps, row: Ints, start: tuple[Branch, Ints], end: tuple[Branch, Ints], roads: Roads, settings: WorkSettings
) -> Strokes:
    before = row - 1
    m_a, m_b = start[0].measure_m[start[1]], end[0].measure_m[end[1]]
    along = m_b - m_a
    speed = np.fmax(steps.speed_kmh[before], steps.speed_kmh[row])
    drivable = np.fmax(speed / 3.6 * (steps.pause_ms[row] / 1000.0), steps.step_m[row])
    likely = np.abs(along) <= settings.interval_factor * drivable + settings.interval_slack_m
    both = steps.both_ways[row]
    turn = np.cos(np.radians(settings.heading_tolerance_deg)) - 1e-9
    facing = _facing(steps, before, row, start, roads, turn), _facing(steps, row, row, end, roads, turn)
    ahead = (facing[0] > 0) & (facing[1] > 0)
    reverse = (facing[0] < 0) & (facing[1] < 0)
    right = likely & np.where(both, (facing[0] != 0) & (facing[1] != 0), ahead & (along >= 0))
    wrong = likely & ~right & ~both & (reverse | (along < -_BACKWARD_M)) & (facing[0] <= 0) & (facing[1] <= 0)
    doing = steps.working | steps.slow
    full = right & doing[before] & doing[row] & (steps.working[before] | steps.working[row])
    head = right & ~full & steps.working[before] & ~doing[row]
    tail = right & ~full & steps.working[row] & ~doing[before]
    idle = right & ~full & ~head & ~tail & ~(doing[before] & doing[row])
    middle = (m_a + m_b) / 2
    fast = steps.fast[before] | steps.fast[row]
    excuse = np.where(fast, Deed.TOO_FAST, Deed.NOT_WORKING)
    covered = np.full(len(row), Deed.COVERED)
    made = [
        (full, m_a, m_b, covered),
        (head, m_a, middle, covered),
        (tail, middle, m_b, covered),
        (head, middle, m_b, excuse),
        (tail, m_a, middle, excuse),
        (idle, m_a, m_b, excuse),
        (wrong, m_a, m_b, np.full(len(row), Deed.WRONG_WAY)),
    ]
    some = [(row[w], np.minimum(lo, hi)[w], np.maximum(lo, hi)[w], deed[w]) for w, lo, hi, deed in made if w.any()]
    if not some:
        return _NOTHING
    rows, lows, highs, deeds = (np.concatenate(column) for column in zip(*some, strict=True))
    return Strokes(rows, lows, highs, deeds.astype(np.int8))


def _facing(steps: Steps, at: Ints, row: Ints, place: tuple[Branch, Ints], roads: Roads, turn: float) -> Ints:
    """1 where the vehicle heads the road's way within the tolerance, -1 the opposite way, 0 across it.

    A fix near a corner of the road may head as either leg. Without a heading the step itself is taken; a step too
    short to tell counts as heading the right way.
    """
    branch, where = place
    piece = branch.piece[where]
    hx, hy = steps.heading_x[at], steps.heading_y[at]
    if (unknown := np.isnan(hx)).any():
        length = np.maximum(steps.step_m[row], 1e-9)
        dx, dy = steps.x[row] - steps.x[row - 1], steps.y[row] - steps.y[row - 1]
        hx, hy = np.where(unknown, dx / length, hx), np.where(unknown, dy / length, hy)
    rows = roads.segments.rows[piece]
    dot = hx * rows[:, DX] + hy * rows[:, DY]
    across = np.flatnonzero(np.abs(dot) < turn)
    if len(across):
        along = branch.measure_m[where][across] - rows[across, MEASURE]
        for step, distance in ((-1, along), (1, rows[across, LENGTH] - along)):
            number = steps.road[at[across]]
            other = piece[across] + step
            inside = (other >= roads.segments.first[number]) & (other < roads.segments.first[number + 1])
            near = np.flatnonzero((distance <= _NEAR_CORNER_M) & inside)
            leg = roads.segments.rows[other[near]]
            beside = hx[across[near]] * leg[:, DX] + hy[across[near]] * leg[:, DY]
            dot[across[near]] = np.where(np.abs(beside) >= turn, beside, dot[across[near]])
    facing = np.where(dot >= turn, 1, np.where(dot <= -turn, -1, 0))
    if unknown.any():
        facing = np.where(unknown & (steps.step_m[row] < STANDING_M), 1, facing)
    return facing


def _gaps(steps: Steps, located: Located) -> Strokes:
    row = np.flatnonzero(~steps.joined & ~steps.first)
    if not len(row) or not located.branches:
        return _NOTHING
    measure = np.full(len(steps.task), np.nan)
    nearest = np.full(len(steps.task), np.inf)
    for branch in located.branches:
        closer = branch.off_m < nearest[branch.index]
        measure[branch.index[closer]] = branch.measure_m[closer]
        nearest[branch.index[closer]] = branch.off_m[closer]
    a, b = measure[row - 1], measure[row]
    known = ~np.isnan(a) & ~np.isnan(b)
    row, a, b = row[known], a[known], b[known]
    return Strokes(row, np.minimum(a, b), np.maximum(a, b), np.full(len(row), Deed.NO_DATA, np.int8))


def _spread(branch: Branch, count: int) -> Ints:
    """Place of each row in the branch's arrays, -1 where it has none."""
    place = np.full(count, -1)
    place[branch.index] = np.arange(len(branch.index))
    return place


def _of(values: Floats, place: Ints, missing: float) -> Floats:
    return np.where(place >= 0, values[place], missing)


_NOTHING = Strokes(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0, np.int8))
