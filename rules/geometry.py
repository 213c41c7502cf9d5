"""Planned roads as straight pieces on a plane, and the exact projection of points on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from citywarden.columns import Floats, Ints
from citywarden.coordinates import meridian, project
from citywarden.model.work import Coordinates

X, Y, DX, DY, LENGTH, MEASURE = range(6)
"""Columns of `Segments.rows`: start point, unit direction, length, measure of the start along its road (m)."""


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """The straight pieces of many roads, one road after the other.

    `rows`: (s, 6) float64, see `X`..`MEASURE`. `first`: (r + 1,) row of each road's first piece.
    `length_m`, `meridian`: (r,) total length (parts added up, gaps not) and the central meridian it is projected about.
    """

    rows: Floats
    first: Ints
    length_m: Floats
    meridian: Floats

    def __len__(self) -> int:
        return len(self.length_m)

    def extend(self, other: "Segments") -> "Segments":
        """These roads and then the others."""
        return Segments(
            np.vstack([self.rows, other.rows]),
            np.concatenate([self.first, other.first[1:] + self.first[-1]]),
            np.concatenate([self.length_m, other.length_m]),
            np.concatenate([self.meridian, other.meridian]),
        )


NO_SEGMENTS = Segments(np.zeros((0, 6)), np.zeros(1, np.int64), np.zeros(0), np.zeros(0))


def survey(roads: Sequence[Sequence[Coordinates]]) -> Segments:
    """Many roads, each from its parts in driving order, (lon, lat) in WGS-84 degrees."""
    lines = [line for road in roads for line in road]
    at = np.array([corner for line in lines for corner in line], np.float64)
    size = np.array([len(line) for line in lines])
    road = np.repeat(np.repeat(np.arange(len(roads)), [len(parts) for parts in roads]), size)
    central = np.array([meridian(mean) for mean in (np.bincount(road, at[:, 0]) / np.bincount(road)).tolist()])
    x, y = project(at[:, 1], at[:, 0], central[road])
    dx, dy = np.diff(x), np.diff(y)
    length = np.hypot(dx, dy)
    real = length > 0
    real[np.cumsum(size)[:-1] - 1] = False
    rows = np.column_stack([x[:-1], y[:-1], dx, dy, length, length])[real]
    rows[:, DX:LENGTH] /= rows[:, LENGTH : LENGTH + 1]
    first = np.searchsorted(road[:-1][real], np.arange(len(roads) + 1))
    length_m = np.zeros(len(roads))
    for number, (low, high) in enumerate(pairwise(first.tolist())):
        ends = np.cumsum(rows[low:high, LENGTH])
        rows[low:high, MEASURE] = ends - rows[low:high, LENGTH]
        length_m[number] = ends[-1]
    return Segments(rows, first, length_m, central)


_BEND = 9.0
"""Inside a bend of angle a the next piece can be nearer where the foot is within distance x tan(a) of the corner;
the square of the largest tangent looked at (72 degrees)."""


def nearest_on(rows: Floats, x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Each point on its own piece (rows (n, 6)): metres along it clamped to the piece, the same unclamped, squared
    distance.
    """
    px, py = x - rows[:, X], y - rows[:, Y]
    free = px * rows[:, DX] + py * rows[:, DY]
    along = np.minimum(np.maximum(free, 0.0), rows[:, LENGTH])
    ex, ey = px - along * rows[:, DX], py - along * rows[:, DY]
    return along, free, ex * ex + ey * ey


def descend(roads: Segments, road: Ints, start: Ints, x: Floats, y: Floats) -> tuple[Ints, Floats, Floats]:
    """Walk from piece `start` along the road to where the distance has its nearest local minimum.

    Returns piece, metres along it unclamped, and squared distance, each (n,).
    """
    piece = start.copy()
    rows = roads.rows[piece]
    along, free, square = nearest_on(rows, x, y)
    for step in (-1, 1):
        end = along if step < 0 else rows[:, LENGTH] - along
        todo = np.flatnonzero(end * end < _BEND * square)
        while len(todo):
            other = piece[todo] + step
            inside = (other >= roads.first[road[todo]]) & (other < roads.first[road[todo] + 1])
            todo, other = todo[inside], other[inside]
            beside = roads.rows[other]
            near, beyond, there = nearest_on(beside, x[todo], y[todo])
            better = there < square[todo]
            todo, there = todo[better], there[better]
            piece[todo], free[todo], square[todo] = other[better], beyond[better], there
            end = near[better] if step < 0 else beside[better, LENGTH] - near[better]
            todo = todo[end * end < _BEND * there]
    return piece, free, square
