"""Whether late fixes can change what was judged of a task; most cannot: the vehicle is at its next road by then.

A task takes in fixes until its grace has ended. One made after the window and out of reach of the road adds no work, no
way and no coverage, so a task that gets only such ones need not be judged again. What is not plain is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from citywarden.columns import Bools, Ints
from citywarden.coordinates import project
from rules.points import ACCURATE, VALID, Points
from rules.raster import Roads
from rules.strokes import Steps
from rules.tasktable import TaskTable


@dataclass(frozen=True, slots=True)
class Tail:
    """How the fixes ended of which a task was judged. `at_ms`: time of the last one, -1: there was none.

    `slow`: it stood or crept at work. `covered`: some of the road was. `equipped`: judged by the equipment. `derived`:
    a speed was worked out. `unsure`: no fix told how accurate it is.
    """

    at_ms: int
    slow: bool
    covered: bool
    equipped: bool
    derived: bool
    unsure: bool


class Ground(Protocol):
    """The planned tasks and where their roads are."""

    @property
    def table(self) -> TaskTable: ...
    @property
    def roads(self) -> Roads: ...


def tails(steps: Steps, points: Points, covered: Bools, equipped: Bools) -> list[Tail]:
    """The tail of each task of a judgement; `covered`, `equipped`: by task."""
    count = np.bincount(steps.task, minlength=len(covered))
    last = np.cumsum(count) - 1
    derived = np.bincount(steps.task, np.isnan(points.speed_kmh), len(covered)) > 0
    unsure = np.bincount(steps.task, points.flags & ACCURATE != 0, len(covered)) == 0
    at_ms, slow = steps.ts_ms[last] if len(steps.task) else last, steps.slow[last] if len(steps.task) else covered
    at_ms, slow = np.where(count > 0, at_ms, -1), slow & (count > 0)
    columns = (at_ms, slow, covered, equipped, derived, unsure)
    return [Tail(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def reopened(ground: Ground, which: Ints, known: Sequence[Tail | None], points: Points, row: Ints, at: Ints) -> Bools:
    """(m,): must task `which[k]` be judged again, of which `known[k]` was judged (None: nothing that still counts)?

    `row[i]` of `points` is new to task `which[at[i]]` and within the time that counts for it. False is certain: the
    report would be the same.
    """
    table, count = ground.table, len(which)
    again = np.array([tail is None or tail.at_ms < 0 for tail in known], np.bool_)
    valid = points.flags[row] & VALID != 0
    row, at = row[valid], at[valid]
    tail = [one or _NOTHING for one in known]
    again |= np.array([one.derived for one in tail], np.bool_)
    again |= np.array([one.at_ms for one in tail], np.int64) < table.end_ms[which]
    again |= _any(at, _plainly_counts(table, which, tail, points.take(row), at), count)
    asked = np.flatnonzero(~again[at])
    if len(asked):
        road = table.road[which[at[asked]]]
        lat, lon = points.lat[row[asked]], points.lon[row[asked]]
        located = ground.roads.locate(road, *project(lat, lon, ground.roads.segments.meridian[road]))
        near = np.isfinite(located.distance_m)
        for branch in located.branches:
            near[branch.index] = True
        again |= _any(at[asked], near, count)
    return again


def _plainly_counts(table: TaskTable, which: Ints, tail: Sequence[Tail], fixes: Points, at: Ints) -> Bools:
    """Fixes that may count wherever they were made: out of order, without speed or heading, the first to tell
    something, or standing at work.
    """

    def of(name: str) -> Bools:
        return np.array([getattr(one, name) for one in tail], np.bool_)[at]

    task = which[at]
    end = np.array([one.at_ms for one in tail], np.int64)[at]
    signal = table.signal[task]
    told = fixes.flags & (signal >> 1).astype(np.uint16) != 0
    off = told & (fixes.flags & signal.astype(np.uint16) == 0) & ~table.collects[task] & of("equipped")
    counts = (fixes.ts_ms <= end) | np.isnan(fixes.speed_kmh) | np.isnan(fixes.heading_deg)
    counts |= of("unsure") & (fixes.flags & ACCURATE != 0)
    counts |= (~of("equipped") & told) | (~of("covered") & ~off)
    return np.asarray(counts | (of("slow") & ~off & (fixes.speed_kmh < table.v_low[task])))


_NOTHING = Tail(-1, False, False, False, False, False)


def _any(of: Ints, holds: Bools, count: int) -> Bools:
    return np.asarray(np.bincount(of, holds, count) > 0)
