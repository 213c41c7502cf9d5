"""Is a track far from its road only because one of them is read in the wrong datum?"""

from typing import Protocol

import numpy as np

from citywarden.columns import Bools, Floats, Ints
from citywarden.coordinates import in_china, project
from rules.footprint import READINGS, possible, read_as
from rules.points import Points
from rules.raster import Roads
from rules.tasktable import TaskTable
from rules.worksettings import WorkSettings


class Ground(Protocol):
    """The planned tasks and where their roads are."""

    @property
    def table(self) -> TaskTable: ...
    @property
    def roads(self) -> Roads: ...
    @property
    def settings(self) -> WorkSettings: ...


def misread(ground: Ground, which: Ints, group: Ints, points: Points) -> Bools:
    """(m,): would a task's fixes lie on its road (median inside the buffer) were the track, or the plan, GCJ-02 or
    BD-09? Outside China nothing is misread, nor is a task without fixes.

    `which`: numbers of m tasks; `group[i]`: which of them fix i is held against, ascending. A road that most fixes are
    too far from for any shift is ruled out by a box: that saves nearly all of the work.
    """
    table, roads, lat, lon = ground.table, ground.roads, points.lat, points.lon
    count, road = np.bincount(group, minlength=len(which)), table.road[which]
    found = np.zeros(len(which), np.bool_)
    abroad = np.bincount(group, ~in_china(lat, lon), len(which)) > 0
    worth = possible(roads.footprint[road], group, lat, lon) & ~abroad[:, None]
    buffer_m = np.maximum(table.buffer_m[which], ground.settings.unknown_accuracy_buffer_m)
    for reading in range(READINGS):
        todo = worth[:, reading] & ~found
        if not todo.any():
            continue
        rows = np.flatnonzero(todo[group])
        there = road[group[rows]]
        central = roads.segments.meridian[there]
        located = roads.locate(there, *project(*read_as(lat[rows], lon[rows], reading), central))
        found[todo] = _medians(located.distance_m, group[rows], count[todo]) <= buffer_m[todo]
    return found


def _medians(values: Floats, group: Ints, count: Ints) -> Floats:
    """Median of each group; `count`: how many values each has, at least one."""
    ordered = values[np.lexsort((values, group))]
    start = np.cumsum(count) - count
    return np.asarray((ordered[start + (count - 1) // 2] + ordered[start + count // 2]) / 2)
