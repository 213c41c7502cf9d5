"""Which stretches of a road are near a place: a coarse grid about every road, small enough for a whole province.

Roads are cut into parts of at most PART_M. Space about each road is cut into squares of SQUARE_M; a square remembers
the parts that may be within REACH_M of it, as runs of consecutive ones: half a kilobyte for a kilometre of road.
What is near a place exactly is worked out when it is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

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
_CELLS = 9
SQUARE_M = CELL_M * _CELLS
_CELL_REACH_M = REACH_M + CELL_M * 0.7072
_SQUARE_REACH_M = _CELL_REACH_M + (SQUARE_M - CELL_M) * 0.7072
_NARROW = 1 << 32
"""So many squares are numbered in four bytes."""

_CHUNK = 2000
"""Parts that are laid into squares at a time: what is worked out on the way stays in a processor's cache."""

_LOT = 8000
"""Points that are looked for at a time: what is worked out on the way stays in a processor's cache."""

Numbers = NDArray[np.int32]
Keys = NDArray[np.uint32] | NDArray[np.int64]
_MOST_RUN = 255
"""Parts of one run at most, so that a byte says how many; more are several runs."""


class Begins(NamedTuple):
    """Of some parts: where each begins, m from its road's origin; its unit direction; its length."""

    x: Floats
    y: Floats
    dx: Floats
    dy: Floats
    length_m: Floats

    def take(self, index: Ints) -> "Begins":
        """Those at `index`."""
        return Begins(*(column.take(index) for column in self))


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """`piece`: (p,) row in `Segments.rows` of each part. By piece: `first`, (s + 1,), its first part, and `step_m`,
    (s,), how long its parts are. Where a part lies follows from these: that is worked out when it is asked for.
    """

    piece: Numbers
    first: Numbers
    step_m: Floats

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return int(self.piece.nbytes + self.first.nbytes + self.step_m.nbytes)

    def extend(self, length_m: Floats) -> "Parts":
        """These and then the parts of more pieces."""
        count = np.maximum(np.ceil(length_m / PART_M).astype(np.int64), 1)
        piece = np.repeat(np.arange(len(count), dtype=np.int32), count) + np.int32(len(self.step_m))
        first = np.concatenate([self.first[:-1], self.first[-1] + np.append(0, np.cumsum(count)).astype(np.int32)])
        return Parts(np.append(self.piece, piece), first, np.append(self.step_m, length_m / count))

    def begin(self, part: Ints, rows: Floats, origin: Floats) -> Begins:
        """Each part; `rows`: of the segments, `origin`: (n, 2), of its road."""
        piece = self.piece.take(part).astype(np.int64)
        step, nth = self.step_m.take(piece), np.subtract(part, self.first.take(piece), dtype=np.float64)
        dx, dy = rows[:, DX][piece], rows[:, DY][piece]
        x, y = dx * step, dy * step
        x *= nth
        y *= nth
        x += rows[:, X][piece]
        y += rows[:, Y][piece]
        x -= origin[:, 0]
        y -= origin[:, 1]
        return Begins(x, y, dx, dy, step)


def _square(begin: Begins, x: Floats, y: Floats) -> Floats:
    """Squared distance of each place to its own part; `x`, `y` and the directions are worked in."""
    x0, y0, dx, dy, length = begin
    x -= x0
    y -= y0
    along = x * dx
    along += y * dy
    np.maximum(along, 0, out=along)
    np.minimum(along, length, out=along)
    dx *= along
    dy *= along
    x -= dx
    y -= dy
    x *= x
    y *= y
    x += y
    return x


NO_PARTS = Parts(np.zeros(0, np.int32), np.zeros(1, np.int32), np.zeros(0))


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Runs of parts by square: sorted `key`, `first` part and how many (`count`).

    The squares of a road fill a box of `wide` by `high` squares north-east of its origin, which is farther from the
    road than anything is near it; they are numbered from `base` on, column by column,
    which is the key. `base`: (r + 1,); `wide`, `high`: (r,).
    """

    parts: Parts = NO_PARTS
    key: Keys = field(default_factory=lambda: np.zeros(0, np.uint32))
    first: Numbers = field(default_factory=lambda: np.zeros(0, np.int32))
    count: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    base: Ints = field(default_factory=lambda: np.zeros(1, np.int64))
    wide: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    high: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def nbytes(self) -> int:
        """Memory held."""
        columns = (self.key, self.first, self.count, self.base, self.wide, self.high)
        return self.parts.nbytes + sum(column.nbytes for column in columns)

    def add(self, segments: Segments, origin: Floats, road: int) -> "Cells":
        """With the roads from number `road` on, which `segments` and `origin` (south-west of each road) have."""
        rows, begins = segments.rows, segments.first[road:]
        parts = self.parts.extend(rows[begins[0] :, LENGTH])
        size = _box(segments, origin, road)
        base = np.append(self.base, self.base[-1] + np.cumsum(size[:, 0] * size[:, 1]))
        made = Cells(
            parts, self.key, self.first, self.count, base, np.append(self.wide, size[:, 0]),
            np.append(self.high, size[:, 1]),
        )  # fmt: skip
        keys, runs = [_narrowed(self.key, int(base[-1]))], [(self.first, self.count)]
        ends = parts.first[begins]
        lots = np.flatnonzero(np.append(True, np.diff((ends[:-1] - ends[0]) // _CHUNK) != 0))
        for low, high in pairwise([*lots.tolist(), len(ends) - 1]):
            part = np.arange(ends[low], ends[high])
            owner = np.repeat(np.arange(road + low, road + high), np.diff(ends[low : high + 1]))
            key, first, count = made._runs(part, owner, rows, origin)
            keys.append(_narrowed(key, int(base[-1])))
            runs.append((first, count))
        first, count = (np.concatenate(column) for column in zip(*runs, strict=True))
        return replace(made, key=_joined(keys, int(base[-1])), first=first, count=count)

    def near(self, segments: Segments, origin: Floats, road: Ints, x: Floats, y: Floats) -> tuple[Ints, Ints]:
        """(point, piece) of each local minimum of the distance from the middle of the point's cell to its road, within
        reach of it; `origin`: (r, 2), of each road. Points ascending, along the road for each.
        """
        mine = origin[road]
        cx, cy = (x - mine[:, 0]) * (1 / CELL_M), (y - mine[:, 1]) * (1 / CELL_M)
        inside = np.flatnonzero(
            (cx >= 0) & (cy >= 0) & (cx < self.wide[road] * _CELLS) & (cy < self.high[road] * _CELLS)
        )
        found = [
            self._minima(lot, road[lot], cx[lot].astype(np.int64), cy[lot].astype(np.int64), segments.rows, mine[lot])
            for lot in (inside[low : low + _LOT] for low in range(0, max(len(inside), 1), _LOT))
        ]
        point, piece = (np.concatenate(column) for column in zip(*found, strict=True))
        return point, piece

    def _minima(self, point: Ints, road: Ints, ix: Ints, iy: Ints, rows: Floats, origin: Floats) -> tuple[Ints, Ints]:
        if not len(point):
            return point, point
        key = self._key(road, ix // _CELLS, iy // _CELLS)
        news = np.append(True, key[1:] != key[:-1])
        part, ends = self._candidates(key[news])
        begin = self.parts.begin(part, rows, origin[np.repeat(np.flatnonzero(news), np.diff(ends))])
        of = np.cumsum(news) - 1
        index, at = spans(ends[of], ends[of + 1])
        square = _square(begin.take(index), _middle(ix, CELL_M)[at], _middle(iy, CELL_M)[at])
        part = part.take(index)
        lowest = np.flatnonzero(_local_minima(at, part, square) & (square <= _CELL_REACH_M * _CELL_REACH_M))
        return point[at[lowest]], self.parts.piece[part[lowest]].astype(np.int64)

    def _key(self, road: Ints, across: Ints, up: Ints) -> Ints:
        return self.base[road] + across * self.high[road] + up

    def _candidates(self, wanted: Ints) -> tuple[Ints, Ints]:
        """The parts that may be near to squares, one square after the other, and (n + 1,) where each one's begin."""
        keys = wanted.astype(self.key.dtype)
        low, high = np.searchsorted(self.key, keys), np.searchsorted(self.key, keys, "right")
        run, of = spans(low, high)
        first, count = self.first[run].astype(np.int64), self.count[run].astype(np.int64)
        part, _ = spans(first, first + count)
        held = np.bincount(of, count, len(keys)).astype(np.int64)
        return part, np.append(0, np.cumsum(held))

    def _runs(self, part: Ints, road: Ints, rows: Floats, origin: Floats) -> tuple[Ints, Numbers, NDArray[np.uint8]]:
        """(key, first, count) of parts that are whole roads in order, by the squares that they may be near to."""
        begin = x, y, dx, dy, length = self.parts.begin(part, rows, origin[road])
        x_end, y_end = x + dx * length, y + dy * length
        left = np.maximum(_number(np.minimum(x, x_end) - _SQUARE_REACH_M), 0)
        low = np.maximum(_number(np.minimum(y, y_end) - _SQUARE_REACH_M), 0)
        wide = _number(np.maximum(x, x_end) + _SQUARE_REACH_M) - left + 1
        high = _number(np.maximum(y, y_end) + _SQUARE_REACH_M) - low + 1
        place, of = spans(np.zeros(len(x), np.int64), wide * high)
        across = place // high[of]
        cx, cy = left[of] + across, low[of] + place - across * high[of]
        square = _square(begin.take(of), _middle(cx, SQUARE_M), _middle(cy, SQUARE_M))
        near = np.flatnonzero(square <= _SQUARE_REACH_M * _SQUARE_REACH_M)
        of = of[near]
        key = self._key(road[of], cx[near], cy[near])
        order = np.argsort(key, kind="stable")
        key, number = key[order], part[of[order]]
        begins = np.append(True, (key[1:] != key[:-1]) | (number[1:] != number[:-1] + 1))
        starts = np.flatnonzero(begins)
        nth = np.arange(len(key)) - starts[np.cumsum(begins) - 1]
        starts = np.flatnonzero(nth % _MOST_RUN == 0)
        count = np.diff(np.append(starts, len(key)))
        return key[starts], number[starts].astype(np.int32), count.astype(np.uint8)


def _narrowed(key: Keys, squares: int) -> Keys:
    return key.astype(np.uint32, copy=False) if squares <= _NARROW else key.astype(np.int64, copy=False)


def _joined(keys: Sequence[Keys], squares: int) -> Keys:
    if squares <= _NARROW:
        return np.concatenate([key.astype(np.uint32, copy=False) for key in keys])
    return np.concatenate([key.astype(np.int64, copy=False) for key in keys])


def _box(segments: Segments, origin: Floats, road: int) -> Ints:
    """(n, 2): how many squares across and up hold everything that may be near the roads from number `road` on."""
    begins = segments.first[road:]
    rows = segments.rows[begins[0] :]
    first = begins[:-1] - begins[0]
    ends = rows[:, :2] + rows[:, DX:LENGTH] * rows[:, LENGTH : LENGTH + 1]
    highest = np.maximum(np.maximum.reduceat(rows[:, :2], first), np.maximum.reduceat(ends, first))
    return _number(highest - origin[road:] + (_SQUARE_REACH_M + 1.0)) + 1


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
