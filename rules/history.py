"""What the window functions remember: per device a bounded list of readings, read and written a batch at a time.

A window of length `span` is cut into slots of `span / SLOTS`, aligned to the epoch; readings of one device in one slot
share an entry, which carries the time of the first. So at most SLOTS + 1 entries a device matter, however fast it
sends, and a device that sends no faster than once a slot is judged exactly. A window is closed: a reading exactly
`span` old is in it.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from citywarden.columns import Bools, Floats, Ints

T = TypeVar("T", bound=np.generic)
SLOTS = 120
_NARROW = {"changes": 8}
_USUAL = 16
_WIDE = SLOTS + 2
_RANK_SHIFT = 42

Key = tuple[str, str, int]
"""Function, field and span in ms: what one History is for."""


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """n moments of devices, sorted by (device, time).

    `slots`: (m,) the devices; `rank`: (n,) index into `slots`; `first`: (n,) position of the device's first moment.
    """

    slots: Ints
    rank: Ints
    first: Ints
    at_ms: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """What the moments bring: where there is an event (n,), its value (n,)."""

    present: Bools
    value: Floats


class _Shelf:
    """Left-aligned lists of entries, one row each; `count` says how many are there. Unweighted: every weight is 1."""

    def __init__(self, width: int, rows: int, weighted: bool) -> None:
        self.width = width
        self.weighted = weighted
        self.count = np.zeros(rows, np.int64)
        self.at_ms = np.zeros((rows, width), np.int64)
        self.value = np.zeros((rows, width))
        self.weight = np.zeros((rows if weighted else 0, width))

    def grow(self, rows: int) -> None:
        more = rows - len(self.count)
        if more > 0:
            self.count = np.append(self.count, np.zeros(more, np.int64))
            self.at_ms, self.value = _taller(self.at_ms, rows), _taller(self.value, rows)
            if self.weighted:
                self.weight = _taller(self.weight, rows)


@dataclass(slots=True, eq=False)
class Entries:
    """Remembered entries and the batch's events of some devices in one list, sorted by (rank, time).

    `begin_ms`: time of the first entry in the same slot. `last`: per query the position of its newest entry, which is
    before the device's first where there is none.
    """

    rank: Ints
    at_ms: Ints
    begin_ms: Ints
    value: Floats
    weight: Floats
    last: Ints


class History:
    """Entries of one window function over one field, for every device of a kind."""

    def __init__(self, key: Key, rows: int) -> None:
        self.function, self.field, self.span_ms = key
        self.slot_ms = max(1, self.span_ms // SLOTS)
        weighted = self.function == "mean"
        self._narrow = _Shelf(_NARROW.get(self.function, _USUAL), rows, weighted)
        self._wide = _Shelf(_WIDE, 0, weighted)
        self._place = np.full(rows, -1, np.int64)
        self._used = 0

    def grow(self, rows: int) -> None:
        """Make room for `rows` devices."""
        more = rows - len(self._place)
        if more > 0:
            self._narrow.grow(rows)
            self._place = np.append(self._place, np.full(more, -1, np.int64))

    def clear(self, slots: Ints) -> None:
        """Forget the readings of some devices."""
        wide = self._place[slots]
        self._wide.count[wide[wide >= 0]] = 0
        self._narrow.count[slots] = 0

    def entries(self, queries: Queries, readings: Readings) -> Entries:
        """Everything the queries may look at: what is remembered, and the events they bring themselves."""
        old_rank, old_ms, old_value, old_weight = self._gather(queries.slots)
        old = np.bincount(old_rank, minlength=len(queries.slots))
        new_rank = queries.rank[readings.present]
        new = np.bincount(new_rank, minlength=len(queries.slots))
        base = np.concatenate(([0], np.cumsum(old + new)))
        old_at = np.arange(len(old_rank)) + (base[:-1] - np.concatenate(([0], np.cumsum(old)))[:-1])[old_rank]
        new_at = np.arange(len(new_rank)) + (base[:-1] + old - np.concatenate(([0], np.cumsum(new)))[:-1])[new_rank]
        total = int(base[-1])
        rank, at_ms = np.empty(total, np.int64), np.empty(total, np.int64)
        value, weight = np.empty(total), np.ones(total)
        rank[old_at], at_ms[old_at], value[old_at], weight[old_at] = old_rank, old_ms, old_value, old_weight
        rank[new_at], at_ms[new_at] = new_rank, queries.at_ms[readings.present]
        value[new_at] = readings.value[readings.present]
        last = (base[:-1] + old - 1)[queries.rank]
        seen = np.cumsum(readings.present)
        before: Ints = seen[queries.first] - readings.present[queries.first]
        last = last + (seen - before)
        starts = _starts(rank, at_ms // self.slot_ms)
        begin = np.maximum.accumulate(np.where(starts, np.arange(total), 0)) if total else np.zeros(0, np.int64)
        return Entries(rank, at_ms, at_ms[begin], value, weight, last)

    def read(self, queries: Queries, entries: Entries, newest: Floats, newest_ms: Ints) -> Floats:
        """The function's value at every query, NaN where its window says nothing.

        `newest`, `newest_ms`: the field's newest reading at each query.
        """
        n = len(queries.at_ms)
        if not len(entries.at_ms):
            return np.zeros(n) if self.function == "changes" else np.full(n, np.nan)
        left, inside = self._left(queries, entries)
        if self.function == "rate":
            known = inside & (entries.at_ms[left] < newest_ms)
            return np.where(known, newest - entries.value[left], np.nan)
        bounds = np.empty(2 * n, np.int64)
        bounds[::2] = left
        bounds[1::2] = np.where(inside, entries.last, left) + 1
        if self.function == "minimum":
            return np.where(inside, _reduce(np.minimum, entries.value, bounds), np.nan)
        if self.function == "maximum":
            return np.where(inside, _reduce(np.maximum, entries.value, bounds), np.nan)
        total = _reduce(np.add, entries.value, bounds)
        if self.function == "changes":
            return np.where(inside, total, 0.0)
        return np.where(inside, total / _reduce(np.add, entries.weight, bounds), np.nan)

    def _left(self, queries: Queries, entries: Entries) -> tuple[Ints, Bools]:
        """Position of the oldest entry in each query's window, and whether there is one."""
        low = min(int(entries.begin_ms.min()), int(queries.at_ms.min()))
        keys = (entries.rank << _RANK_SHIFT) + (entries.begin_ms - low)
        oldest = np.maximum(queries.at_ms - self.span_ms - low, 0)
        left = np.searchsorted(keys, (queries.rank << _RANK_SHIFT) + oldest, "left")
        inside = left <= entries.last
        return np.where(inside, left, 0), inside

    def keep(self, queries: Queries, entries: Entries) -> None:
        """Remember the entries, merged by slot, as far as the newest query's window reaches."""
        if not len(entries.at_ms):
            return
        newest_ms = np.zeros(len(queries.slots), np.int64)
        newest_ms[queries.rank] = queries.at_ms
        starts = np.flatnonzero(_starts(entries.rank, entries.at_ms // self.slot_ms))
        rank, at_ms = entries.rank[starts], entries.at_ms[starts]
        value = self._merge(entries.value, starts)
        weight = np.add.reduceat(entries.weight, starts)
        fresh = at_ms >= newest_ms[rank] - self.span_ms
        self._store(queries.slots, rank[fresh], at_ms[fresh], value[fresh], weight[fresh])

    def _merge(self, value: Floats, starts: Ints) -> Floats:
        if self.function == "rate":
            return value[starts]
        merge = {"minimum": np.minimum, "maximum": np.maximum}.get(self.function, np.add)
        merged: Floats = merge.reduceat(value, starts)
        return merged

    def _gather(self, slots: Ints) -> tuple[Ints, Ints, Floats, Floats]:
        place = self._place[slots]
        wide = place >= 0
        if not wide.any():
            return _read_shelf(self._narrow, slots, np.arange(len(slots)))
        ranks = np.arange(len(slots))
        few = _read_shelf(self._narrow, slots[~wide], ranks[~wide])
        many = _read_shelf(self._wide, place[wide], ranks[wide])
        rank = np.concatenate((few[0], many[0]))
        order = np.argsort(rank, kind="stable")
        return (
            rank[order],
            np.concatenate((few[1], many[1]))[order],
            np.concatenate((few[2], many[2]))[order],
            np.concatenate((few[3], many[3]))[order],
        )

    def _store(self, slots: Ints, rank: Ints, at_ms: Ints, value: Floats, weight: Floats) -> None:
        count = np.bincount(rank, minlength=len(slots))
        offset = np.arange(len(rank)) - np.concatenate(([0], np.cumsum(count)))[:-1][rank]
        self._widen(slots[(count > self._narrow.width) & (self._place[slots] < 0)])
        wide = self._place[slots] >= 0
        for shelf, rows, mine in ((self._narrow, slots, ~wide), (self._wide, self._place[slots], wide)):
            shelf.count[rows[mine]] = count[mine]
            these = mine[rank]
            row, column = rows[rank[these]], offset[these]
            shelf.at_ms[row, column] = at_ms[these]
            shelf.value[row, column] = value[these]
            if shelf.weighted:
                shelf.weight[row, column] = weight[these]

    def _widen(self, slots: Ints) -> None:
        if not len(slots):
            return
        needed = self._used + len(slots)
        if needed > len(self._wide.count):
            self._wide.grow(max(16, 2 * self._used, needed))
        self._place[slots] = np.arange(self._used, needed)
        self._used = needed

    def dump(self, slots: Ints) -> tuple[Ints, Ints, Floats, Floats]:
        """(index into `slots`, time, value, weight) of every entry of the devices, in order."""
        return self._gather(slots)

    def load(self, slots: Ints, rank: Ints, at_ms: Ints, value: Floats, weight: Floats) -> None:
        """Take over what `dump` gave; `rank` indexes `slots`."""
        self._store(slots, rank, at_ms, value, weight)


def _taller(shelf: NDArray[T], rows: int) -> NDArray[T]:
    """The shelf with empty rows below. What nobody writes to takes no memory."""
    grown = np.zeros((rows, shelf.shape[1]), shelf.dtype)
    grown[: len(shelf)] = shelf
    return grown


def _read_shelf(shelf: _Shelf, rows: Ints, ranks: Ints) -> tuple[Ints, Ints, Floats, Floats]:
    count = shelf.count[rows]
    width = int(count.max(initial=0))
    there: NDArray[np.bool_] = np.arange(width) < count[:, None]
    return (
        np.repeat(ranks, count),
        shelf.at_ms[rows, :width][there],
        shelf.value[rows, :width][there],
        shelf.weight[rows, :width][there] if shelf.weighted else np.ones(int(count.sum())),
    )


def _starts(rank: Ints, slot: Ints) -> Bools:
    """Where a new (rank, slot) begins."""
    starts = np.ones(len(rank), np.bool_)
    starts[1:] = (rank[1:] != rank[:-1]) | (slot[1:] != slot[:-1])
    return starts


def _reduce(operation: np.ufunc, values: Floats, bounds: Ints) -> Floats:
    """The operation over values[bounds[2i] : bounds[2i + 1]] for every i; no range is empty."""
    padded = np.append(values, 0.0)
    reduced: Floats = operation.reduceat(padded, bounds)[::2]
    return reduced
