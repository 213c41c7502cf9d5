"""Is a track far from its road only because one of them is read in the wrong datum?"""

from typing import Protocol

import numpy as np

from citywarden.coordinates import in_china, project
from rules.footprint import possible, read_as
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


def misread(ground: Ground, number: int, points: Points) -> bool:
    """Would the fixes lie on the road of task `number` (median inside the buffer) were the track, or the plan, GCJ-02
    or BD-09? Outside China nothing is misread.

    A road that most fixes are too far from for any shift is ruled out by a box: it saves nearly all of the work.
    """
    road = int(ground.table.road[number])
    if not len(points):
        return False
    readings = np.flatnonzero(possible(ground.roads.footprint[road], points.lat, points.lon)).tolist()
    if not readings or not in_china(points.lat, points.lon).all():
        return False
    central = float(ground.roads.segments.meridian[road])
    buffer_m = max(float(ground.table.buffer_m[number]), ground.settings.unknown_accuracy_buffer_m)
    here = np.full(len(points), road)
    for reading in readings:
        located = ground.roads.locate(here, *project(*read_as(points.lat, points.lon, reading), central))
        if np.median(located.distance_m) <= buffer_m:
            return True
    return False
