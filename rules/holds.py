"""Conditions that must hold for a time: raised after it, cleared by another condition that must hold for its time.

Columnar: rows of many vehicles in one call, and a carry per vehicle between calls, so that a stream cut anywhere
gives what the whole gives.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from citywarden.columns import Bools, Ints

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Hold:
    """How long a condition must hold to raise, over at least how many rows, and how long the other one to clear.

    A pause between two rows longer than `gap_ms` breaks either run.
    """

    raise_ms: int
    points: int
    clear_ms: int
    gap_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Carry:
    """Where each vehicle (by slot) stands. Run starts are ms, -1 where no run is going on."""

    raise_start: Ints
    raise_count: Ints
    clear_start: Ints
    raised: Bools


def fresh(count: int) -> Carry:
    """Nothing has happened yet."""
    nothing = np.full(count, -1)
    return Carry(nothing, np.zeros(count, np.int64), nothing.copy(), np.zeros(count, np.bool_))


def grown(carry: Carry, count: int) -> Carry:
    """With fresh slots up to `count`."""
    more = fresh(count - len(carry.raised))
    return Carry(*(np.concatenate([getattr(carry, n), getattr(more, n)]) for n in Carry.__slots__))


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Which rows a call is about: sorted by (slot, ts_ms). `pause_ms`: time since the vehicle's row before.

    `first`: the row is its vehicle's first of this call.
    """

    slot: Ints
    ts_ms: Ints
    pause_ms: Ints
    first: Bools

    @property
    def last(self) -> Bools:
        """The row is its vehicle's last of this call."""
        return np.append(self.first[1:], True) if len(self.first) else self.first


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """Rows at which a vehicle's state changes: `raised` and `cleared`; `start_ms`: where the raising run began."""

    raised: Ints
    start_ms: Ints
    cleared: Ints


NO_CHANGES = Changes(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))


def advance(hold: Hold, rows: Rows, rising: Bools, falling: Bools, carry: Carry) -> tuple[Changes, Carry]:
    """Take in rows on which the raising and the clearing condition hold (`rising` wins where both do)."""
    ends = np.flatnonzero(rows.last)
    if not len(ends) or not (rising.any() or (carry.raised | (carry.raise_start >= 0))[rows.slot[ends]].any()):
        return NO_CHANGES, _idle(carry, rows, ends)
    falling = falling & ~rising
    up_start, up_count = _runs(hold, rows, rising, carry.raise_start, carry.raise_count)
    down_start, _ = _runs(hold, rows, falling, carry.clear_start, np.zeros_like(carry.raise_count))
    ready = rising & (rows.ts_ms - up_start >= hold.raise_ms) & (up_count >= hold.points)
    done = falling & (rows.ts_ms - down_start >= hold.clear_ms)
    place = np.arange(len(rising))
    mark = np.maximum.accumulate(np.where(ready | done | rows.first, place, 0))
    before = carry.raised[rows.slot]
    state = np.where(ready | done, ready, before)[mark]
    state = np.where((ready | done)[mark], state, before)
    previous = np.where(rows.first, before, np.append(False, state[:-1]))
    slot = rows.slot[ends]
    after = replace(
        carry,
        raise_start=_put(carry.raise_start, slot, np.where(rising, up_start, -1)[ends]),
        raise_count=_put(carry.raise_count, slot, np.where(rising, up_count, 0)[ends]),
        clear_start=_put(carry.clear_start, slot, np.where(falling, down_start, -1)[ends]),
        raised=_put(carry.raised, slot, state[ends]),
    )
    raised = np.flatnonzero(ready & ~previous)
    return Changes(raised, up_start[raised], np.flatnonzero(done & previous)), after


def _idle(carry: Carry, rows: Rows, ends: Ints) -> Carry:
    if not len(ends) or not (carry.clear_start[rows.slot[ends]] >= 0).any():
        return carry
    return replace(carry, clear_start=_put(carry.clear_start, rows.slot[ends], np.int64(-1)))


def _runs(hold: Hold, rows: Rows, on: Bools, start: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Per row: start (ms) of the unbroken run of `on` it is in, and how many rows of it there are so far."""
    place = np.arange(len(on))
    broken = rows.pause_ms > hold.gap_ms
    carried = rows.first & on & ~broken & (start[rows.slot] >= 0)
    begins = on & ~carried & (rows.first | broken | ~np.append(False, on[:-1]))
    mark = np.maximum.accumulate(np.where(begins | carried, place, 0))
    run_start = np.where(carried, start[rows.slot], rows.ts_ms)[mark]
    return run_start, place - mark + 1 + np.where(carried, count[rows.slot], 0)[mark]


def _put(values: NDArray[T], slot: Ints, new: NDArray[T] | np.int64) -> NDArray[T]:
    changed = values.copy()
    changed[slot] = new
    return changed
