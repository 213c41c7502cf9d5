"""Coverage of planned roads by linear referencing: cells of about 10 m, their visits, and the runs missed."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from citywarden.columns import Bools, Floats, Ints
from citywarden.model.work import MissedReason, MissedRun
from rules.points import spans
from rules.strokes import Deed, Steps, Strokes
from rules.worksettings import WorkSettings

REASONS = {
    Deed.TOO_FAST: MissedReason.TOO_FAST,
    Deed.NOT_WORKING: MissedReason.NOT_WORKING,
    Deed.WRONG_WAY: MissedReason.WRONG_WAY,
    Deed.NO_DATA: MissedReason.NO_DATA,
}
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The cells of t roads, one road after the other: `first` (t + 1,), `size_m` (t,), each road cut evenly."""

    first: Ints
    size_m: Floats

    @property
    def count(self) -> Ints:
        return np.diff(self.first)


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """`visits`: per cell. Per task: `covered_m`, `passes` and `last_ms`, the time of its last covering step (0: none).

    `missed[k]`: runs of task k.
    """

    cells: Cells
    visits: Ints
    covered_m: Floats
    passes: Ints
    last_ms: Ints
    missed: tuple[tuple[MissedRun, ...], ...]


def cut(length_m: Floats, cell_m: float) -> Cells:
    """Cells of roads of the given lengths, none longer than `cell_m`."""
    count = np.maximum(np.ceil(length_m / cell_m - _EPSILON), 1).astype(np.int64)
    return Cells(np.concatenate([[0], np.cumsum(count)]), length_m / count)


def cover(
    steps: Steps, strokes: Strokes, distance_m: Floats, length_m: Floats, settings: WorkSettings, silent: Bools
) -> Coverage:
    """Coverage of t roads of `length_m`. `silent[k]`: nothing at all is known of task k's window."""
    cells = cut(length_m, settings.cell_m)
    left = distance_m > steps.buffer_m + settings.pass_leave_m
    excursion = np.cumsum(left | steps.first)
    done = strokes.deed == Deed.COVERED
    row, low, high = strokes.row[done], strokes.low_m[done], strokes.high_m[done]
    order = np.argsort(row, kind="stable")
    row, low, high = row[order], low[order], high[order]
    start, stop = _cell_range(cells, steps.task[row], low, high)
    cell, owner = spans(start, stop)
    visits = _visits(cell, steps.ts_ms[row][owner], excursion[row][owner], int(cells.first[-1]), settings)
    covered = np.add.reduceat(visits > 0, cells.first[:-1]) if len(length_m) else np.zeros(0, np.int64)
    last = np.zeros(len(length_m), np.int64)
    np.maximum.at(last, steps.task[row], steps.ts_ms[row])
    return Coverage(
        cells,
        visits,
        covered * cells.size_m,
        _percentile(visits, cells, settings.pass_percentile),
        last,
        _missed(cells, visits, steps, strokes, settings, silent),
    )


def _cell_range(cells: Cells, task: Ints, low: Floats, high: Floats) -> tuple[Ints, Ints]:
    """Global numbers [start, stop) of the cells whose middle lies in [low, high]."""
    size, count = cells.size_m[task], cells.count[task]
    start = np.clip(np.ceil(low / size - 0.5 - _EPSILON), 0, count).astype(np.int64)
    stop = np.clip(np.floor(high / size - 0.5 + _EPSILON) + 1, 0, count).astype(np.int64)
    base = cells.first[task]
    return base + start, base + np.maximum(stop, start)


def _visits(cell: Ints, ts_ms: Ints, excursion: Ints, count: int, settings: WorkSettings) -> Ints:
    """Visits of each cell from its covering steps in order of time: a pause or leaving the road makes a new one."""
    order = np.argsort(cell, kind="stable")
    cell, ts_ms, excursion = cell[order], ts_ms[order], excursion[order]
    again = (cell[1:] == cell[:-1]) & (excursion[1:] == excursion[:-1])
    again &= ts_ms[1:] - ts_ms[:-1] < settings.pass_gap_s * 1000
    return np.bincount(cell[np.append(True, ~again)] if len(cell) else cell, minlength=count)


def _percentile(visits: Ints, cells: Cells, percent: float) -> Ints:
    """Per task the visits of the cell at that percentile (the lower one) of its cells."""
    rank = np.floor((cells.count - 1) * percent / 100.0).astype(np.int64)
    passes = np.zeros(len(rank), np.int64)
    for least in range(int(visits.max(initial=0))):
        fewer = np.add.reduceat(visits <= least, cells.first[:-1])
        passes[fewer <= rank] = least + 1
    return passes


def _missed(
    cells: Cells, visits: Ints, steps: Steps, strokes: Strokes, settings: WorkSettings, silent: Bools
) -> tuple[tuple[MissedRun, ...], ...]:
    count = len(cells.size_m)
    if (visits > 0).all():
        return ((),) * count
    why = np.full(len(visits), Deed.NOT_DRIVEN, np.int8)
    for deed in sorted(REASONS, reverse=True):
        mine = strokes.deed == deed
        start, stop = _cell_range(cells, steps.task[strokes.row[mine]], strokes.low_m[mine], strokes.high_m[mine])
        depth = np.bincount(start, minlength=len(why) + 1) - np.bincount(stop, minlength=len(why) + 1)
        why[np.cumsum(depth)[:-1] > 0] = deed
    owner = np.repeat(np.arange(count), cells.count)
    why[silent[owner]] = Deed.NO_DATA
    open_ = visits == 0
    edge = np.append(True, owner[1:] != owner[:-1])
    begins = np.flatnonzero(open_ & (edge | ~np.append(False, open_[:-1])))
    ends = np.flatnonzero(open_ & (np.append(edge[1:], True) | ~np.append(open_[1:], False))) + 1
    missed: list[list[MissedRun]] = [[] for _ in range(count)]
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        task = int(owner[begin])
        size = float(cells.size_m[task])
        if (end - begin) * size >= settings.missed_run_m - _EPSILON:
            base = int(cells.first[task])
            for low, high, code in _pieces(why[begin:end], settings.missed_run_m / size):
                reason = REASONS.get(Deed(code), MissedReason.NOT_DRIVEN)
                start_m, end_m = ((begin - base + low) * size, (begin - base + high) * size)
                missed[task].append(MissedRun(round(start_m, 3), round(end_m, 3), reason))
    return tuple(map(tuple, missed))


def _pieces(why: NDArray[np.int8], least: float) -> list[tuple[int, int, int]]:
    """A missed run by reason; a piece shorter than `least` cells goes to its longer neighbour."""
    bounds = [0, *(np.flatnonzero(np.diff(why)) + 1).tolist(), len(why)]
    pieces = [(a, b, int(why[a])) for a, b in pairwise(bounds)]
    while len(pieces) > 1:
        short = min(range(len(pieces)), key=lambda i: pieces[i][1] - pieces[i][0])
        if pieces[short][1] - pieces[short][0] >= least - _EPSILON:
            break
        beside = [i for i in (short - 1, short + 1) if 0 <= i < len(pieces)]
        into = max(beside, key=lambda i: pieces[i][1] - pieces[i][0])
        low, high = min(short, into), max(short, into)
        pieces[low : high + 1] = [(pieces[low][0], pieces[high][1], pieces[into][2])]
    joined = pieces[:1]
    for a, b, code in pieces[1:]:
        if code == joined[-1][2]:
            joined[-1] = (joined[-1][0], b, code)
        else:
            joined.append((a, b, code))
    return joined
