"""How far a track strayed at most: exact, without measuring every far fix against every piece of its road."""

from typing import Protocol

import numpy as np

from citywarden.columns import Floats, Ints
from rules.areas import OFF_ROUTE_ALLOWED, Areas
from rules.datum import Ground
from rules.geometry import LENGTH, X, Y, nearest_on
from rules.points import Points, spans
from rules.strokes import Steps

_SAMPLES = 16
_CHUNK = 200_000


class Field(Ground, Protocol):
    """Where roads and zones are."""

    @property
    def areas(self) -> Areas: ...


def farthest(field: Field, which: Ints, points: Points, steps: Steps, distance_m: Floats) -> Floats:
    """Per task the largest distance (m) of a fix from the road, inside the window and outside depot, water and
    disposal zones; NaN where there is no such fix.
    """
    start, end = field.table.start_ms[which][steps.task], field.table.end_ms[which][steps.task]
    row = np.flatnonzero((steps.ts_ms >= start) & (steps.ts_ms <= end))
    if field.areas.kinds & OFF_ROUTE_ALLOWED:
        zones = field.areas.masks(points.lat[row], points.lon[row])
        row = row[zones & OFF_ROUTE_ALLOWED == 0]
    most = np.full(len(which), -np.inf)
    far = np.isinf(distance_m[row])
    np.maximum.at(most, steps.task[row[~far]], distance_m[row[~far]])
    row = row[far]
    bounds = np.flatnonzero(np.append(True, np.diff(steps.task[row]) != 0)) if len(row) else row
    for mine in np.split(row, bounds[1:]) if len(row) else ():
        task = int(steps.task[mine[0]])
        most[task] = max(most[task], _farthest_of(field, int(steps.road[mine[0]]), steps.x[mine], steps.y[mine]))
    return np.where(np.isinf(most), np.nan, most)


def distance_to(field: Ground, road: int, x: Floats, y: Floats) -> float:
    """Metres from one point to a road, however far."""
    roads = field.roads.segments
    rows = roads.rows[roads.first[road] : roads.first[road + 1]]
    return float(np.sqrt(nearest_on(rows, x, y)[2].min()))


def _farthest_of(field: Field, road: int, x: Floats, y: Floats) -> float:
    """Bounds first: a fix is at most as far as from a sample of the road, at least that less half the sampling."""
    roads = field.roads.segments
    rows = roads.rows[roads.first[road] : roads.first[road + 1]]
    pick = np.unique(np.linspace(0, len(rows) - 1, _SAMPLES).astype(np.int64))
    upper = np.hypot(x[:, None] - rows[pick, X], y[:, None] - rows[pick, Y]).min(axis=1)
    between = np.diff(np.append(np.append(0.0, np.cumsum(rows[:, LENGTH]))[pick], rows[:, LENGTH].sum()))
    keep = np.flatnonzero(upper >= upper.max() - between.max())
    most = 0.0
    for part in np.split(keep, range(max(_CHUNK // len(rows), 1), len(keep), max(_CHUNK // len(rows), 1))):
        piece, at = spans(np.zeros(len(part), np.int64), np.full(len(part), len(rows)))
        _, _, square = nearest_on(rows[piece], x[part][at], y[part][at])
        most = max(most, float(np.sqrt(np.minimum.reduceat(square, np.arange(0, len(square), len(rows))).max())))
    return most
