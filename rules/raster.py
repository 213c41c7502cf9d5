"""A raster index over planned roads: where a point lies along its road, for millions of points.

Space is cut into cells about each road; a cell remembers the piece at each local minimum of the distance from its
centre, so the branches of a loop or a crossing are all found. The projection on the piece (and its neighbours, where
the foot falls off its end) is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from citywarden.columns import Bools, Floats, Ints
from citywarden.model.work import Coordinates
from rules.footprint import READINGS, footprints
from rules.geometry import DX, DY, LENGTH, MEASURE, NO_SEGMENTS, Segments, X, Y, descend, segments
from rules.points import spans

CELL_M = 10.0
REACH_M = 50.0
"""Points farther than this from their road are reported as far, without a distance."""
MAX_BRANCHES = 8
_PIECE_M = 40.0
_HALF_DIAGONAL = CELL_M * 0.7072
_CELL_BITS = 16
_ROAD_BITS = 2 * _CELL_BITS
MAX_ROADS = 1 << (63 - _ROAD_BITS)


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
class _Leaf:
    """Cells of roads [first, last): sorted `key` = road | cell x | cell y, and a piece (row) for each."""

    first: int
    last: int
    key: Ints
    piece: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Roads:
    """An index of roads 0..n-1. Adding makes a new index that shares what it can with the old one."""

    segments: Segments = NO_SEGMENTS
    origin: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    footprint: Floats = field(default_factory=lambda: np.zeros((0, READINGS, 4)))
    leaves: tuple[_Leaf, ...] = ()

    def __len__(self) -> int:
        return len(self.segments)

    @property
    def nbytes(self) -> int:
        """Memory held by the index."""
        cells = sum(leaf.key.nbytes + leaf.piece.nbytes for leaf in self.leaves)
        return cells + self.segments.rows.nbytes + self.origin.nbytes + self.footprint.nbytes

    def add(self, roads: Sequence[Sequence[Coordinates]]) -> "Roads":
        """With more roads, numbered on from the last."""
        if not roads:
            return self
        number, base = len(self), len(self.segments.rows)
        made = [segments(lines) for lines in roads]
        origins = np.array([_origin(one.rows) for one in made])
        keys, pieces = [], []
        for i, one in enumerate(made):
            key, piece = _rasterise(one.rows, origins[i])
            keys.append(key | (number + i) << _ROAD_BITS)
            pieces.append(piece + np.int32(base))
            base += len(one.rows)
        leaves = [*self.leaves, _Leaf(number, number + len(made), np.concatenate(keys), np.concatenate(pieces))]
        while len(leaves) > 1 and len(leaves[-2].key) < 2 * len(leaves[-1].key):
            last, before = leaves.pop(), leaves.pop()
            merged = (np.concatenate([before.key, last.key]), np.concatenate([before.piece, last.piece]))
            leaves.append(_Leaf(before.first, last.last, *merged))
        footprint = np.concatenate([self.footprint, footprints(roads)])
        return Roads(_joined([self.segments, *made]), np.vstack([self.origin, origins]), footprint, tuple(leaves))

    def locate(self, road: Ints, x: Floats, y: Floats) -> Located:
        """Each point on its own road; x, y in metres about that road's central meridian."""
        distance = np.full(len(road), np.inf)
        origin = self.origin[road]
        cx, cy = (x - origin[:, 0]) * (1 / CELL_M), (y - origin[:, 1]) * (1 / CELL_M)
        limit = (1 << _CELL_BITS) - 1
        inside = (cx >= 0) & (cy >= 0) & (cx < limit) & (cy < limit)
        cx, cy = np.where(inside, cx, limit), np.where(inside, cy, limit)
        key = road << _ROAD_BITS | cx.astype(np.int64) << _CELL_BITS | cy.astype(np.int64)
        branches: list[Branch] = []
        for leaf in self.leaves:
            mine = np.flatnonzero((road >= leaf.first) & (road < leaf.last)) if len(self.leaves) > 1 else None
            wanted = key if mine is None else key[mine]
            at = np.searchsorted(leaf.key, wanted)
            todo = np.flatnonzero(at < len(leaf.key))
            for _ in range(MAX_BRANCHES):
                todo = todo[leaf.key[at[todo]] == wanted[todo]]
                if not len(todo):
                    break
                index = todo if mine is None else mine[todo]
                branches.append(self._branch(index, road[index], leaf.piece[at[todo]], x[index], y[index], distance))
                at = at + 1
                todo = todo[at[todo] < len(leaf.key)]
        return Located(distance, tuple(branches))

    def _branch(
        self, index: Ints, road: Ints, start: NDArray[np.int32], x: Floats, y: Floats, distance: Floats
    ) -> Branch:
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


def _origin(rows: Floats) -> Floats:
    """South-west of everything that is near a road, which ends where its last piece ends."""
    ends = rows[:, :2] + rows[:, DX:LENGTH] * rows[:, LENGTH : LENGTH + 1]
    lowest: Floats = np.floor(np.minimum(rows[:, :2].min(axis=0), ends.min(axis=0))) - 2 * REACH_M
    return lowest


def _joined(parts: Sequence[Segments]) -> Segments:
    count = np.cumsum([0, *(len(p.rows) for p in parts)])
    first = np.concatenate([[0], *(p.first[1:] + base for p, base in zip(parts, count[:-1], strict=True))])
    return Segments(
        np.vstack([p.rows for p in parts]),
        first.astype(np.int64),
        np.concatenate([p.length_m for p in parts]),
        np.concatenate([p.meridian for p in parts]),
    )


def _rasterise(rows: Floats, origin: Floats) -> tuple[Ints, NDArray[np.int32]]:
    """Cells (key without road, ascending) of one road and the piece of each local minimum of the distance there."""
    count = np.maximum(np.ceil(rows[:, LENGTH] / _PIECE_M).astype(np.int64), 1)
    part, piece = spans(np.zeros(len(rows), np.int64), count)
    length = rows[piece, LENGTH] / count[piece]
    x = rows[piece, X] + rows[piece, DX] * length * part - origin[0]
    y = rows[piece, Y] + rows[piece, DY] * length * part - origin[1]
    dx, dy = rows[piece, DX], rows[piece, DY]
    reach = REACH_M + _HALF_DIAGONAL
    x_end, y_end = x + dx * length, y + dy * length
    left = np.floor((np.minimum(x, x_end) - reach) / CELL_M).astype(np.int64)
    low = np.floor((np.minimum(y, y_end) - reach) / CELL_M).astype(np.int64)
    wide = np.floor((np.maximum(x, x_end) + reach) / CELL_M).astype(np.int64) - left + 1
    high = np.floor((np.maximum(y, y_end) + reach) / CELL_M).astype(np.int64) - low + 1
    cell, owner = spans(np.zeros(len(x), np.int64), wide * high)
    across = cell // high[owner]
    cx, cy = left[owner] + across, low[owner] + cell - across * high[owner]
    px, py = (cx + 0.5) * CELL_M - x[owner], (cy + 0.5) * CELL_M - y[owner]
    along = np.minimum(np.maximum(px * dx[owner] + py * dy[owner], 0), length[owner])
    px -= along * dx[owner]
    py -= along * dy[owner]
    square = px * px + py * py
    near = square <= reach * reach
    key, owner, square = (cx << _CELL_BITS | cy)[near], owner[near], square[near]
    order = np.argsort(key, kind="stable")
    key, owner, square = key[order], owner[order], square[order]
    lowest = _local_minima(key, owner, square)
    return key[lowest], piece[owner[lowest]].astype(np.int32)


def _local_minima(key: Ints, owner: Ints, square: Floats) -> Bools:
    beside = (key[1:] == key[:-1]) & (owner[1:] == owner[:-1] + 1)
    lower_than_before = np.append(True, ~beside | (square[1:] < square[:-1]))
    not_above_next = np.append(~beside | (square[:-1] <= square[1:]), True)
    minima: Bools = lower_than_before & not_above_next
    return minima
