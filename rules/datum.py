"""Is a track far from its road only because one of them is read in the wrong datum?"""

from typing import Protocol

import numpy as np

from citywarden.columns import Ints
from citywarden.coordinates import from_wgs84, in_china, project, to_wgs84
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


def misread(ground: Ground, number: Ints, points: Points) -> bool:
    """Would the fixes lie on their roads (median inside the buffer) were the track, or the plan, GCJ-02 or BD-09?

    `number[i]`: the task (in the table) whose road fix i is held against. Outside China nothing is misread.
    """
    if not len(points) or not in_china(points.lat, points.lon).all():
        return False
    road = ground.table.road[number]
    central = ground.roads.segments.meridian[road]
    buffer_m = np.maximum(ground.table.buffer_m[number], ground.settings.unknown_accuracy_buffer_m)
    for read in (
        to_wgs84(points.lat, points.lon, "gcj02"),
        from_wgs84(points.lat, points.lon, "gcj02"),
        to_wgs84(points.lat, points.lon, "bd09"),
    ):
        distance = ground.roads.locate(road, *project(*read, central)).distance_m
        if np.median(distance) <= np.median(buffer_m):
            return True
    return False
