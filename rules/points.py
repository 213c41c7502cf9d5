"""Fixes of a fleet as columns, and the history of them: any order of arrival, one order inside."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from citywarden.columns import Bools, Columns, Floats, Ints

Flags = NDArray[np.uint16]
TS_BITS = 42
TS_MASK = (1 << TS_BITS) - 1
MAX_VEHICLES = 1 << 20
SIGNALS = ("ignition", "brush", "pump", "lift")
VALID = 1 << 8
ACCURATE = 1 << 9
"""The fix came with an hdop."""


def known_bit(signal: str) -> int:
    """Flag bit: the vehicle told the state of the signal."""
    return 1 << (2 * SIGNALS.index(signal))


def on_bit(signal: str) -> int:
    """Flag bit: the signal is on."""
    return 2 << (2 * SIGNALS.index(signal))


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """n fixes sorted by `key` = group << 42 | ts_ms (group: a vehicle's slot, or a task's place in a judgement).

    Positions in WGS-84 degrees; NaN for what the message lacked; `flags`: `known_bit`, `on_bit`, VALID, ACCURATE.
    """

    key: Ints
    lat: Floats
    lon: Floats
    speed_kmh: Floats
    heading_deg: Floats
    load_kg: Floats
    flags: Flags

    def __len__(self) -> int:
        return len(self.key)

    @property
    def group(self) -> Ints:
        return self.key >> TS_BITS

    @property
    def ts_ms(self) -> Ints:
        return self.key & TS_MASK

    def take(self, index: Ints | Bools | slice) -> "Points":
        """The fixes at `index`."""
        return Points(*(getattr(self, name)[index] for name in NAMES))

    def regroup(self, group: Ints) -> "Points":
        """The same fixes under other groups."""
        return Points(group << TS_BITS | self.ts_ms, *(getattr(self, name) for name in NAMES[1:]))

    def ordered(self) -> "Points":
        """Sorted by key, one fix a key. Of different fixes with one key the smallest stays: no order of arrival."""
        step = np.diff(self.key)
        if (step > 0).all():
            return self
        points = self
        if (step < 0).any():
            points = self.take(np.argsort(self.key, kind="stable"))
        same = points.key[1:] == points.key[:-1]
        if not same.any():
            return points
        double = np.zeros(len(points), np.bool_)
        double[1:] |= same
        double[:-1] |= same
        where = np.flatnonzero(double)
        twins = points.take(where)
        order = np.lexsort([getattr(twins, name) for name in reversed(NAMES)])
        index = np.arange(len(points))
        index[where] = where[order]
        first = np.append(True, ~same)
        return points.take(index[first])


NAMES = tuple(f.name for f in fields(Points))
_EMPTY = np.zeros(0)
NONE = Points(np.zeros(0, np.int64), _EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY, np.zeros(0, np.uint16))


def concatenate(parts: Sequence[Points]) -> Points:
    """All fixes of the parts, one part after the other."""
    if len(parts) == 1:
        return parts[0]
    return Points(*(np.concatenate([getattr(p, name) for p in parts]) for name in NAMES)) if parts else NONE


def from_columns(columns: Columns, slots: Ints, max_hdop: float) -> Points:
    """Fixes of a batch of kind `vehicle`, ordered; `slots[i]` is the slot of `columns.devices[i]`.

    `lat`, `lon` are WGS-84 already. A fix without position, at 0/0 or of poor `hdop` keeps its place in time but is
    not VALID.
    """
    lat, lon = columns.fields["lat"], columns.fields["lon"]
    flags = np.zeros(len(columns), np.uint16)
    for signal in SIGNALS:
        value = columns.fields[signal]
        flags |= np.where(np.isnan(value), 0, known_bit(signal)).astype(np.uint16)
        flags |= np.where(value > 0, on_bit(signal), 0).astype(np.uint16)
    hdop = columns.fields["hdop"]
    valid = ~np.isnan(lat) & ~np.isnan(lon) & ~(hdop > max_hdop) & ((np.abs(lat) > 1e-6) | (np.abs(lon) > 1e-6))
    flags |= np.where(valid, VALID, 0).astype(np.uint16) | np.where(np.isnan(hdop), 0, ACCURATE).astype(np.uint16)
    key = slots[columns.device] << TS_BITS | np.clip(columns.ts_ms, 0, TS_MASK)
    fields = columns.fields
    return Points(key, lat, lon, fields["speed_kmh"], fields["heading_deg"], fields["load_kg"], flags).ordered()


def spans(starts: Ints, stops: Ints) -> tuple[Ints, Ints]:
    """All indices of the ranges [starts[k], stops[k]), one range after the other, and the range each is of."""
    count = np.maximum(stops - starts, 0)
    ends = np.cumsum(count)
    shift = np.repeat(starts - ends + count, count)
    shift += np.arange(len(shift))
    return shift, np.repeat(np.arange(len(starts)), count)


def _merged(one: Points, two: Points) -> Points:
    """Two ordered lots as one; column by column, so that little memory is needed beside the result."""
    key = np.concatenate([one.key, two.key])
    order = np.argsort(key, kind="stable")
    key = key[order]
    columns = (np.concatenate([getattr(one, name), getattr(two, name)])[order] for name in NAMES[1:])
    return Points(key, *columns).ordered()  # type: ignore[arg-type, call-arg, unused-ignore]


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """All fixes kept, as chunks that are each ordered; adding never changes what is there.

    A new chunk is merged with the ones before it while those are not twice as long, so a fix is copied
    O(log n) times.
    """

    chunks: tuple[Points, ...] = ()

    def __len__(self) -> int:
        return sum(len(chunk) for chunk in self.chunks)

    def add(self, points: Points) -> "History":
        """With `points` (ordered) in it."""
        if not len(points):
            return self
        chunks = [*self.chunks, points]
        while len(chunks) > 1 and len(chunks[-2]) < 2 * len(chunks[-1]):
            last = chunks.pop()
            chunks[-1] = _merged(chunks[-1], last)
        return History(tuple(chunks))

    def news(self, points: Points) -> Bools:
        """Which of `points` are not in the history already, value for value."""
        new = np.ones(len(points), np.bool_)
        for chunk in self.chunks:
            at = np.minimum(np.searchsorted(chunk.key, points.key), len(chunk) - 1)
            same = chunk.key[at] == points.key
            for name in NAMES[1:]:
                if not same.any():
                    break
                ours, theirs = getattr(chunk, name)[at], getattr(points, name)
                same &= (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
            new &= ~same
        return new

    def gather(self, slots: Ints, start_ms: Ints, stop_ms: Ints) -> Points:
        """Fixes of vehicle `slots[k]` in [start_ms[k], stop_ms[k]) as group k, for every k; ordered."""
        parts = []
        low = slots << TS_BITS | np.clip(start_ms, 0, TS_MASK)
        high = slots << TS_BITS | np.clip(stop_ms, 0, TS_MASK)
        for chunk in self.chunks:
            index, owner = spans(np.searchsorted(chunk.key, low), np.searchsorted(chunk.key, high))
            if len(index):
                parts.append(chunk.take(index).regroup(owner))
        return concatenate(parts).ordered()

    def since(self, before_ms: int) -> "History":
        """Without what is older than `before_ms`, in one chunk."""
        everything = concatenate(self.chunks).ordered()
        kept = everything.take(everything.ts_ms >= before_ms)
        return History((kept,) if len(kept) else ())
