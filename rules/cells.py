"""Which stretches of a road are near a place: a coarse grid about every road, small enough for a whole province.

Roads are cut into parts of at most PART_M. Space about each road is cut into squares of SQUARE_M; a square remembers
the parts that may be within REACH_M of it, as runs of consecutive ones: about a kilobyte for a kilometre of road.
What is near a place exactly is worked out when it is asked for.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from citywarden.columns import Bools, Floats, Ints
from rules.geometry import DX, DY, LENGTH, Segments, X, Y
from rules.points import spans

CELL_M = 10.0
"""Places closer together than this are not told apart when the near parts are looked for."""

REACH_M = 50.0
"""Points farther than this from their road are reported as far, without a distance."""

PART_M = 40.0
_CELLS = 6
SQUARE_M = CELL_M * _CELLS
_CELL_REACH_M = REACH_M + CELL_M * 0.7072
_SQUARE_REACH_M = _CELL_REACH_M + (SQUARE_M - CELL_M) * 0.7072
_BITS = 16
_ROAD_BITS = 2 * _BITS
_LIMIT = _CELLS * ((1 << _BITS) - 1)
_CHUNK = 20_000
"""Parts that are laid into squares at a time: bounds the memory that takes."""

_LOT = 8000
"""Points that are looked for at a time: what is worked out on the way stays in a processor's cache."""

Numbers = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """`piece`: (p,) row in `Segments.rows` of each part. `x`, `y`: where it begins, m from its road's origin; `dx`,
    `dy`: its unit direction; `length_m`.
    """

    piece: Numbers
    x: Floats
    y: Floats
    dx: Floats
    dy: Floats
    length_m: Floats

    def extend(self, other: "Parts") -> "Parts":
        """These and then the others."""
        return Parts(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in Parts.__slots__))

    def square(self, part: Ints, x: Floats, y: Floats) -> Floats:
        """Squared distance of each place to its own part; `x` and `y` are worked in."""
        dx, dy = self.dx[part], self.dy[part]
        x -= self.x[part]
        y -= self.y[part]
        along = x * dx
        along += y * dy
        np.maximum(along, 0, out=along)
        np.minimum(along, self.length_m[part], out=along)
        dx *= along
        dy *= along
        x -= dx
        y -= dy
        x *= x
        y *= y
        x += y
        return x


_NONE = np.zeros(0)
NO_PARTS = Parts(np.zeros(0, np.int32), _NONE, _NONE, _NONE, _NONE, _NONE)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Runs of parts by square: sorted `key` = road | square x | square y, `first` part and how many (`count`)."""

    parts: Parts = NO_PARTS
    key: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    first: Numbers = field(default_factory=lambda: np.zeros(0, np.int32))
    count: Numbers = field(default_factory=lambda: np.zeros(0, np.int32))

    @property
    def nbytes(self) -> int:
        """Memory held."""
        parts = sum(getattr(self.parts, name).nbytes for name in Parts.__slots__)
        return int(parts + self.key.nbytes + self.first.nbytes + self.count.nbytes)

    def add(self, segments: Segments, origin: Floats, road: int) -> "Cells":
        """With the roads from number `road` on, which `segments` and `origin` (south-west of each road) have."""
        base = int(segments.first[road])
        rows, number = segments.rows[base:], np.repeat(np.arange(road, len(segments)), np.diff(segments.first[road:]))
        made, piece = _parts(rows, origin[number], base)
        parts, start = self.parts.extend(made), len(self.parts.piece)
        runs = [(self.key, self.first, self.count)]
        owner = number[piece]
        begins = np.flatnonzero(np.append(True, np.diff(owner) != 0))
        lots = begins[np.flatnonzero(np.append(True, np.diff(begins // _CHUNK) != 0))]
        for low, high in pairwise([*lots.tolist(), len(owner)]):
            runs.append(_runs(parts, np.arange(start + low, start + high), owner[low:high]))
        return Cells(parts, *(np.concatenate(column) for column in zip(*runs, strict=True)))

    def near(self, road: Ints, origin: Floats, x: Floats, y: Floats) -> tuple[Ints, Ints]:
        """(point, piece) of each local minimum of the distance from the middle of the point's cell to its road, within
        reach of it; `origin`: (n, 2), of each point's road. Points ascending, along the road for each.
        """
        cx, cy = (x - origin[:, 0]) * (1 / CELL_M), (y - origin[:, 1]) * (1 / CELL_M)
        inside = np.flatnonzero((cx >= 0) & (cy >= 0) & (cx < _LIMIT) & (cy < _LIMIT))
        found = [
            self._minima(lot, road[lot], cx[lot].astype(np.int64), cy[lot].astype(np.int64))
            for lot in (inside[low : low + _LOT] for low in range(0, max(len(inside), 1), _LOT))
        ]
        point, piece = (np.concatenate(column) for column in zip(*found, strict=True))
        return point, piece

    def _minima(self, point: Ints, road: Ints, ix: Ints, iy: Ints) -> tuple[Ints, Ints]:
        at, part = self._candidates(road << _ROAD_BITS | ix // _CELLS << _BITS | iy // _CELLS)
        square = self.parts.square(part, _middle(ix, CELL_M)[at], _middle(iy, CELL_M)[at])
        lowest = np.flatnonzero(_local_minima(at, part, square) & (square <= _CELL_REACH_M * _CELL_REACH_M))
        return point[at[lowest]], self.parts.piece[part[lowest]].astype(np.int64)

    def _candidates(self, wanted: Ints) -> tuple[Ints, Ints]:
        """(index into `wanted`, part) of every part that may be near. Neighbours with one key are looked up once."""
        if not len(wanted):
            return wanted, wanted
        news = np.append(True, wanted[1:] != wanted[:-1])
        keys, of = wanted[news], np.cumsum(news) - 1
        low, high = np.searchsorted(self.key, keys), np.searchsorted(self.key, keys, "right")
        run, at = spans(low[of], high[of])
        first = self.first[run].astype(np.int64)
        part, which = spans(first, first + self.count[run])
        return at[which], part


def _parts(rows: Floats, origin: Floats, base: int) -> tuple[Parts, Ints]:
    """The parts of pieces that are numbered from `base` on, and the row of each; `origin`: (s, 2) of their roads."""
    count = np.maximum(np.ceil(rows[:, LENGTH] / PART_M).astype(np.int64), 1)
    nth, piece = spans(np.zeros(len(rows), np.int64), count)
    length = rows[:, LENGTH] / count
    row, step = rows[piece], length[piece]
    x = row[:, X] + row[:, DX] * step * nth - origin[piece, 0]
    y = row[:, Y] + row[:, DY] * step * nth - origin[piece, 1]
    columns = (x, y, row[:, DX].copy(), row[:, DY].copy(), step)
    return Parts((piece + base).astype(np.int32), *columns), piece


def _runs(parts: Parts, part: Ints, road: Ints) -> tuple[Ints, Numbers, Numbers]:
    """(key, first, count) of parts that are whole roads in order, by the squares that they may be near to."""
    x, y = parts.x[part], parts.y[part]
    x_end, y_end = x + parts.dx[part] * parts.length_m[part], y + parts.dy[part] * parts.length_m[part]
    left, low = _number(np.minimum(x, x_end) - _SQUARE_REACH_M), _number(np.minimum(y, y_end) - _SQUARE_REACH_M)
    wide = _number(np.maximum(x, x_end) + _SQUARE_REACH_M) - left + 1
    high = _number(np.maximum(y, y_end) + _SQUARE_REACH_M) - low + 1
    place, of = spans(np.zeros(len(x), np.int64), wide * high)
    across = place // high[of]
    cx, cy = left[of] + across, low[of] + place - across * high[of]
    square = parts.square(part[of], _middle(cx, SQUARE_M), _middle(cy, SQUARE_M))
    near = np.flatnonzero(square <= _SQUARE_REACH_M * _SQUARE_REACH_M)
    of = of[near]
    key = road[of] << _ROAD_BITS | cx[near] << _BITS | cy[near]
    order = np.argsort(key, kind="stable")
    key, number = key[order], part[of[order]]
    begins = np.flatnonzero(np.append(True, (key[1:] != key[:-1]) | (number[1:] != number[:-1] + 1)))
    count = np.diff(np.append(begins, len(key)))
    return key[begins], number[begins].astype(np.int32), count.astype(np.int32)


def _middle(number: Ints, size_m: float) -> Floats:
    return np.asarray((number + 0.5) * size_m, np.float64)


def _number(metres: Floats) -> Ints:
    return np.floor(metres / SQUARE_M).astype(np.int64)


def _local_minima(point: Ints, part: Ints, square: Floats) -> Bools:
    beside = (point[1:] == point[:-1]) & (part[1:] == part[:-1] + 1)
    lower_than_before = np.append(True, ~beside | (square[1:] < square[:-1]))
    not_above_next = np.append(~beside | (square[:-1] <= square[1:]), True)
    minima: Bools = lower_than_before & not_above_next
    return minima if len(point) else np.zeros(0, np.bool_)
