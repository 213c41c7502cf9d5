"""Where a road would be seen by fixes that are read in the wrong datum: a box for each way to read them."""

from collections.abc import Sequence

import numpy as np

from citywarden.columns import Bools, Floats, Ints
from citywarden.coordinates import LatLon, from_wgs84, to_wgs84
from citywarden.model.work import Coordinates

READINGS = 3
"""The track is GCJ-02; the plan is; the track is BD-09."""

_LAT_DEG, _LON_DEG = 0.002, 0.004
"""Added to a box on each side, over 220 m: the reach of a road's index (50 m), how far a straight piece bends when it
is shifted (a few metres for each kilometre) and the last millimetres of the inverse; the rest is to be safe.
"""


def read_as(lat: Floats, lon: Floats, reading: int) -> LatLon:
    """WGS-84 positions in the datum of the plan, were the fixes (or the plan) in another one."""
    if reading == 1:
        return from_wgs84(lat, lon, "gcj02")
    return to_wgs84(lat, lon, "gcj02" if reading == 0 else "bd09")


def footprints(roads: Sequence[Sequence[Coordinates]]) -> Floats:
    """(n, READINGS, 4): west, south, east, north in degrees of what lies near road n when `read_as` that reading."""
    corners = np.array([corner for lines in roads for line in lines for corner in line], np.float64)
    count = [sum(map(len, lines)) for lines in roads]
    starts = np.concatenate([[0], np.cumsum(count)[:-1]]).astype(np.int64)
    lat, lon = corners[:, 1], corners[:, 0]
    back = (from_wgs84(lat, lon, "gcj02"), to_wgs84(lat, lon, "gcj02"), from_wgs84(lat, lon, "bd09"))
    return np.stack([_boxes(*there, starts) for there in back], axis=1)


def _boxes(lat: Floats, lon: Floats, starts: Ints) -> Floats:
    low_lat, low_lon = np.minimum.reduceat(lat, starts), np.minimum.reduceat(lon, starts)
    high_lat, high_lon = np.maximum.reduceat(lat, starts), np.maximum.reduceat(lon, starts)
    return np.stack([low_lon - _LON_DEG, low_lat - _LAT_DEG, high_lon + _LON_DEG, high_lat + _LAT_DEG], axis=1)


def possible(boxes: Floats, group: Ints, lat: Floats, lon: Floats) -> Bools:
    """(m, READINGS): whether most fixes lie in the box, without which their median cannot lie on the road.

    `boxes`: (m, READINGS, 4), of m tasks; `group[i]`: the task that fix i is held against.
    """
    count = np.bincount(group, minlength=len(boxes))
    most = np.zeros((len(boxes), READINGS), np.bool_)
    for reading in range(READINGS):
        west, south, east, north = boxes[group, reading].T
        within = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
        most[:, reading] = 2 * np.bincount(group, within, len(boxes)) > count
    return most
