"""The levels of one rule over all devices of its kind.

Most rows change nothing, and that is found out for a whole batch with numpy; only the devices of which some row
changes something are stepped through one by one, on a `Ladder`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from citywarden.columns import Bools, Ints
from rules.evaluation import Truth
from rules.frame import Frame, view
from rules.ladder import NOT_SINCE, Change, Ladder, Row
from rules.roster import NEVER_MS, Roster
from rules.rulebook import Rule

FAR_MS = -NEVER_MS


@dataclass(frozen=True, slots=True)
class Moved:
    """A change of one device's level. `row`: the frame's row that shows its values, -1 for none."""

    slot: int
    row: int
    change: Change


class Levels:
    """Columns over slots: `level` (0 ok, else 1 + index of the rule's level), `pending` likewise, time of the last
    change, and for levels with a `for` what the Ladder keeps.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.timed = [i for i, level in enumerate(rule.levels) if level.for_ms > 0]
        self.level = np.zeros(0, np.int8)
        self.pending = np.zeros(0, np.int8)
        self.changed_ms: Ints = np.zeros(0, np.int64)
        self.since_ms: dict[int, Ints] = {i: np.zeros(0, np.int64) for i in self.timed}
        self.until_ms: dict[int, Ints] = {i: np.zeros(0, np.int64) for i in self.timed}
        self.due_ms = NEVER_MS
        """No `for` runs out before."""
        self.swept_ms = NEVER_MS
        """The end of the rule's hours up to which everything has been cleared."""

    def grow(self, room: int) -> None:
        """Make room for `room` devices."""
        more = room - len(self.level)
        if more > 0:
            self.level = np.append(self.level, np.zeros(more, np.int8))
            self.pending = np.append(self.pending, np.zeros(more, np.int8))
            self.changed_ms = np.append(self.changed_ms, np.full(more, NEVER_MS))
            for i in self.timed:
                self.since_ms[i] = np.append(self.since_ms[i], np.full(more, NOT_SINCE))
                self.until_ms[i] = np.append(self.until_ms[i], np.full(more, NEVER_MS))

    def clear(self, slots: Ints) -> None:
        """Back to ok without a word."""
        self.level[slots] = self.pending[slots] = 0
        self.changed_ms[slots] = NEVER_MS
        for i in self.timed:
            self.since_ms[i][slots] = NOT_SINCE

    def stir(self) -> None:
        """The columns were written from outside: look at all of them the next time the timers run."""
        self.due_ms = self.swept_ms = NEVER_MS

    def _ladder(self, slot: int) -> Ladder:
        since_ms = {i: int(self.since_ms[i][slot]) for i in self.timed}
        until_ms = {i: int(self.until_ms[i][slot]) for i in self.timed}
        level, pending = int(self.level[slot]), int(self.pending[slot])
        return Ladder(self.rule, level, pending, int(self.changed_ms[slot]), since_ms, until_ms)

    def _put(self, slot: int, ladder: Ladder) -> None:
        self.level[slot], self.pending[slot] = ladder.level, ladder.pending
        self.changed_ms[slot] = ladder.changed_ms
        for i in self.timed:
            self.since_ms[i][slot] = ladder.since_ms[i]
            self.until_ms[i][slot] = ladder.until_ms[i]
            if ladder.since_ms[i] >= 0 and ladder.level <= i:
                self.due_ms = min(self.due_ms, ladder.since_ms[i] + self.rule.levels[i].for_ms)

    def judge(self, frame: Frame, timezone: ZoneInfo) -> list[Moved]:
        """Judge the rows of a frame in the order of event time."""
        queries = frame.queries
        facts = _facts(self.rule, self.timed, frame, timezone)
        last = np.append(queries.rank[1:] != queries.rank[:-1], True)
        restless = np.zeros(len(queries.slots), np.bool_)
        restless[queries.rank[self._restless(frame, facts)]] = True
        for i in self.timed:
            self.until_ms[i][queries.slots[~restless]] = facts.until_ms[i][last][~restless]
        if not restless.any():
            return []
        ends = np.flatnonzero(last) + 1
        starts = np.append(0, ends[:-1])
        moved: list[Moved] = []
        for rank in np.flatnonzero(restless).tolist():
            slot, start = int(queries.slots[rank]), int(starts[rank])
            ladder = self._ladder(slot)
            for index, row in enumerate(facts.rows(start, int(ends[rank])), start):
                before = index - 1 if index > start else -1
                moved += (Moved(slot, index if c.with_row else before, c) for c in ladder.judge(row))
            self._put(slot, ladder)
        if moved:
            self.swept_ms = min(self.swept_ms, int(queries.at_ms.min()))
        return moved

    def _restless(self, frame: Frame, facts: "_Facts") -> Bools:
        """Rows that change something, if all rows of the device before them change nothing."""
        slot, at_ms = frame.slot, frame.queries.at_ms
        level = self.level[slot]
        some = level > 0
        restless = np.zeros(len(frame), np.bool_)
        for i, rung in enumerate(self.rule.levels):
            yes = facts.when[i].yes
            raises = yes & (level <= i)
            if rung.for_ms > 0:
                since_ms = self.since_ms[i][slot]
                running = since_ms >= 0
                some |= running
                until_ms = np.roll(facts.until_ms[i], 1)
                opens = frame.queries.first == np.arange(len(frame))
                until_ms[opens] = self.until_ms[i][slot[opens]]
                restless |= (running != yes) | (running & (at_ms > until_ms))
                raises &= at_ms - since_ms >= rung.for_ms
            restless |= raises | ((level == i + 1) & facts.reset[i])
        if facts.end_ms is not None:
            restless |= some & (facts.end_ms > NEVER_MS)
        return restless

    def pass_time(self, roster: Roster, now_ms: int, timezone: ZoneInfo) -> list[Moved]:
        """What time alone brings up to and at `now_ms`: a `for` that runs out, the end of the rule's hours."""
        moved: list[Moved] = []
        if self.rule.schedule is not None:
            now = np.array([now_ms])
            end_ms = int(self.rule.schedule.last_end_ms(now, timezone)[0])
            if end_ms > self.swept_ms:
                self.swept_ms = end_ms
                some = (self.level > 0) | (self.pending > 0)
                for i in self.timed:
                    some |= self.since_ms[i] >= 0
                heard = roster.newest_ms > NEVER_MS
                over = heard | ~self.rule.schedule.active(now, timezone)
                moved += self._advance(np.flatnonzero(some & over & (roster.newest_ms < end_ms)), end_ms, end_ms)
        if now_ms >= self.due_ms and self.timed:
            due = np.zeros(len(self.level), np.bool_)
            self.due_ms = FAR_MS
            for i in self.timed:
                at_ms = self.since_ms[i] + self.rule.levels[i].for_ms
                waits = (self.since_ms[i] >= 0) & (self.level <= i)
                due |= waits & (at_ms <= now_ms) & (at_ms <= self.until_ms[i])
                later = at_ms[waits & (at_ms > now_ms)]
                self.due_ms = min(self.due_ms, int(later.min(initial=FAR_MS)))
            moved += self._advance(np.flatnonzero(due), now_ms, None)
        return moved

    def _advance(self, slots: Ints, to_ms: int, end_ms: int | None) -> Iterator[Moved]:
        for slot in slots.tolist():
            ladder = self._ladder(slot)
            changes = ladder.pass_time(to_ms, end_ms, inclusive=True)
            self._put(slot, ladder)
            yield from (Moved(slot, -1, change) for change in changes)


@dataclass(frozen=True, slots=True, eq=False)
class _Facts:
    """What the rows of a frame say of a rule, each (n,). `end_ms`: see Row, NEVER_MS where none; None: no hours."""

    at_ms: Ints
    when: list[Truth]
    reset: list[Bools]
    until_ms: dict[int, Ints]
    end_ms: Ints | None

    def rows(self, start: int, end: int) -> Iterator[Row]:
        """The rows from `start` to before `end`, one by one."""
        yes = [truth.yes[start:end].tolist() for truth in self.when]
        no = [truth.no[start:end].tolist() for truth in self.when]
        reset = [column[start:end].tolist() for column in self.reset]
        until = {i: column[start:end].tolist() for i, column in self.until_ms.items()}
        ends = None if self.end_ms is None else self.end_ms[start:end].tolist()
        for k, at_ms in enumerate(self.at_ms[start:end].tolist()):
            end_ms = ends[k] if ends is not None and ends[k] > NEVER_MS else None
            yield Row(
                at_ms,
                [column[k] for column in yes],
                [column[k] for column in no],
                [column[k] for column in reset],
                {i: column[k] for i, column in until.items()},
                end_ms,
            )


def _facts(rule: Rule, timed: list[int], frame: Frame, timezone: ZoneInfo) -> _Facts:
    seen = view(frame, rule)
    when = [level.when(seen) for level in rule.levels]
    end_ms = None
    if rule.schedule is not None:
        active = rule.schedule.active(frame.queries.at_ms, timezone)
        when = [Truth(truth.yes & active, truth.no | ~active) for truth in when]
        end_ms = rule.schedule.last_end_ms(frame.queries.at_ms, timezone)
        before_ms = frame.before_ms
        ended = (end_ms > before_ms) & (~active | (before_ms > NEVER_MS))
        end_ms = np.where(ended, end_ms, NEVER_MS)
    reset = [
        level.reset(seen).yes if level.reset is not None else truth.no
        for level, truth in zip(rule.levels, when, strict=True)
    ]
    until_ms = {i: seen.known_until_ms(rule.levels[i].fields) for i in timed}
    return _Facts(frame.queries.at_ms, when, reset, until_ms, end_ms)
