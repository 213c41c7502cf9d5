"""An index over planned roads: where a point lies along its road, for millions of points.

Every part of a road that is a local minimum of the distance from the point's cell is looked at, so the branches of a
loop or a crossing are all found. The projection on the piece (and its neighbours, where the foot falls off its end) is
exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from citywarden.columns import Floats, Ints
from citywarden.model.work import Coordinates
from rules.cells import REACH_M, Cells
from rules.footprint import READINGS, footprints
from rules.geometry import DX, DY, LENGTH, MEASURE, NO_SEGMENTS, Segments, X, Y, descend, survey

__all__ = ["MAX_BRANCHES", "MAX_ROADS", "REACH_M", "Branch", "Located", "Roads"]

MAX_BRANCHES = 8
MAX_ROADS = 1 << 31


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """One place where a road passes near the points `index`.

    `piece`: row in `Segments.rows`. `measure_m`: metres along the road; below 0 or above its length where the point
    lies before its start or after its end. `off_m`: sideways distance (there: from the road's straight extension),
    inf where the branch is farther than REACH_M.
    """

    index: Ints
    piece: Ints
    measure_m: Floats
    off_m: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """`distance_m`: (n,) to the nearest branch, inf when farther than REACH_M. Branches in no special order."""

    distance_m: Floats
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Roads:
    """An index of roads 0..n-1. Adding makes a new index."""

    segments: Segments = NO_SEGMENTS
    origin: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    footprint: Floats = field(default_factory=lambda: np.zeros((0, READINGS, 4)))
    cells: Cells = field(default_factory=Cells)

    def __len__(self) -> int:
        return len(self.segments)

    @property
    def nbytes(self) -> int:
        """Memory held by the index."""
        return self.cells.nbytes + self.segments.rows.nbytes + self.origin.nbytes + self.footprint.nbytes

    def add(self, roads: Sequence[Sequence[Coordinates]]) -> "Roads":
        """With more roads, numbered on from the last."""
        if not roads:
            return self
        made = survey(roads)
        segments = self.segments.extend(made)
        origin = np.vstack([self.origin, _origins(made)])
        footprint = np.concatenate([self.footprint, footprints(roads)])
        return Roads(segments, origin, footprint, self.cells.add(segments, origin, len(self)))

    def locate(self, road: Ints, x: Floats, y: Floats) -> Located:
        """Each point on its own road; x, y in metres about that road's central meridian."""
        distance = np.full(len(road), np.inf)
        point, piece = self.cells.near(self.segments, self.origin, road, x, y)
        if not len(point):
            return Located(distance, ())
        again = np.append(point[1:] == point[:-1], False)
        mine = np.flatnonzero(np.append(True, ~again[:-1]))
        branches: list[Branch] = []
        while len(mine) and len(branches) < MAX_BRANCHES:
            index = point[mine]
            branches.append(self._branch(index, road[index], piece[mine], x[index], y[index], distance))
            mine = mine[again[mine]] + 1
        return Located(distance, tuple(branches))

    def _branch(self, index: Ints, road: Ints, start: Ints, x: Floats, y: Floats, distance: Floats) -> Branch:
        piece, free, square = descend(self.segments, road, start, x, y)
        off = np.sqrt(square)
        off[off > REACH_M] = np.inf
        distance[index] = np.minimum(distance[index], off)
        rows = self.segments.rows[piece]
        before = (free < 0) & (piece == self.segments.first[road])
        after = (free > rows[:, LENGTH]) & (piece == self.segments.first[road + 1] - 1)
        along = np.where(before | after, free, np.minimum(np.maximum(free, 0), rows[:, LENGTH]))
        ends = np.flatnonzero((before | after) & np.isfinite(off))
        if len(ends):
            end = rows[ends]
            off[ends] = np.abs((x[ends] - end[:, X]) * end[:, DY] - (y[ends] - end[:, Y]) * end[:, DX])
        return Branch(index, piece, rows[:, MEASURE] + along, off)


def _origins(made: Segments) -> Floats:
    """South-west of everything that is near each road, which ends where its last piece ends."""
    rows, first = made.rows, made.first[:-1]
    ends = rows[:, :2] + rows[:, DX:LENGTH] * rows[:, LENGTH : LENGTH + 1]
    lowest = np.minimum(np.minimum.reduceat(rows[:, :2], first), np.minimum.reduceat(ends, first))
    return np.asarray(np.floor(lowest) - 2 * REACH_M, np.float64)
