"""One device on the levels of one rule, stepped through moment by moment.

A level without `for` is entered when its condition holds; one with `for` when it has been known to hold that long:
time counts while the newest message said so and its values are held, and stands still while the condition is unknown.
The entered level stays until its reset holds (without reset: until its condition is known not to hold); then the
highest lower level whose condition holds at that moment counts, without waiting for its `for` again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from citywarden.model.alert import Reason
from rules.rulebook import Rule

NOT_SINCE = -1
"""In `since_ms`: the condition does not hold."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a message says of each level: known to hold, known not to hold, reset known to hold.

    `until_ms`: per level with `for`, until when the values read are held. `end_ms`: the rule's hours ended then, after
    the message before this one; None when they did not.
    """

    at_ms: int
    yes: Sequence[bool]
    no: Sequence[bool]
    reset: Sequence[bool]
    until_ms: Mapping[int, int]
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """`level`: the level now, 0 ok, else 1 + its index; of a pending one the level to come. `about`: whose numbers to
    tell. `with_row`: it came with a message, not between two.
    """

    at_ms: int
    level: int
    about: int
    reason: Reason
    pending: bool
    with_row: bool


@dataclass(slots=True)
class Ladder:
    """State of one device.

    `since_ms`, `until_ms` have the rule's levels with a `for` as keys: since when the condition has been known to hold,
    less the times it was unknown, and until when that is so; negative: it has been unknown since then.
    """

    rule: Rule
    level: int
    pending: int
    changed_ms: int
    since_ms: dict[int, int]
    until_ms: dict[int, int]

    def judge(self, row: Row) -> list[Change]:
        """What happens up to and with a message."""
        changes = self.pass_time(row.at_ms, row.end_ms, inclusive=False)
        for i in self.since_ms:
            self._count(i, row)
        levels = self.rule.levels
        top = 0
        for i, level in enumerate(levels):
            if row.yes[i] and (i not in self.since_ms or row.at_ms - self.since_ms[i] >= level.for_ms):
                top = i + 1
        entered = self.level
        if top > entered:
            entered = top
        elif entered > top and row.reset[entered - 1]:
            entered = max((i + 1 for i in range(entered - 1) if row.yes[i]), default=0)
        return changes + self._become(entered, row.at_ms, Reason.CLEARED, with_row=True)

    def _count(self, i: int, row: Row) -> None:
        """Bring the clock of a level with `for` to a message."""
        if row.no[i]:
            self.since_ms[i] = NOT_SINCE
            return
        running = self.since_ms[i] >= 0
        if running and abs(self.until_ms[i]) < row.at_ms:
            self.since_ms[i] += row.at_ms - abs(self.until_ms[i])
        if row.yes[i]:
            self.since_ms[i] = self.since_ms[i] if running else row.at_ms
            self.until_ms[i] = row.until_ms[i]
        elif running:
            self.until_ms[i] = -row.at_ms

    def pass_time(self, to_ms: int, end_ms: int | None, inclusive: bool) -> list[Change]:
        """What time alone brings before `to_ms` (or at it): a `for` that runs out, the end of the rule's hours."""
        stop_ms = to_ms if end_ms is None else end_ms
        changes: list[Change] = []
        while (due := self._next_due()) is not None:
            at_ms, i = due
            if at_ms > stop_ms or (at_ms == stop_ms and not (inclusive and end_ms is None)):
                break
            changes += self._become(i + 1, at_ms, Reason.CLEARED, with_row=False)
        if end_ms is not None:
            for i in self.since_ms:
                self.since_ms[i] = NOT_SINCE
            changes += self._become(0, end_ms, Reason.CLEARED, with_row=False)
        return changes

    def _next_due(self) -> tuple[int, int] | None:
        """The first `for` above the level that runs out while its values are held; the highest of several."""
        due = None
        for i, since_ms in self.since_ms.items():
            at_ms = since_ms + self.rule.levels[i].for_ms
            if since_ms >= 0 and i + 1 > self.level and at_ms <= self.until_ms[i] and (due is None or at_ms <= due[0]):
                due = (at_ms, i)
        return due

    def _become(self, level: int, at_ms: int, cleared: Reason, with_row: bool) -> list[Change]:
        waiting = max((i + 1 for i, since_ms in self.since_ms.items() if since_ms >= 0), default=0) if not level else 0
        before, waited = self.level, self.pending
        self.level, self.pending = level, waiting
        at_ms = max(at_ms, self.changed_ms)
        changes = []
        if level and level != before:
            changes.append(Change(at_ms, level, level, Reason.THRESHOLD, pending=False, with_row=with_row))
        elif before and not level:
            changes.append(Change(at_ms, 0, before, cleared, pending=False, with_row=with_row))
        elif waited and not waiting and not level:
            changes.append(Change(at_ms, 0, waited, Reason.CANCELLED, pending=False, with_row=with_row))
        if waiting and not waited:
            changes.append(Change(at_ms, waiting, waiting, Reason.THRESHOLD, pending=True, with_row=with_row))
        if changes:
            self.changed_ms = at_ms
        return changes
