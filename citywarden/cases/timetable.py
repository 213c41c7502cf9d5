"""How long each phase of each kind of case may take, and when a deadline falls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from citywarden.cases.calendar import UnknownYear, WorkCalendar
from citywarden.model.case import Case, Category, Stage
from citywarden.model.casetime import Clock, Deadline, Limit, Phase

PHASES: Mapping[Stage, Phase] = {
    Stage.REPORTED: Phase.INTAKE,
    Stage.VERIFIED: Phase.INTAKE,
    Stage.ACCEPTED: Phase.INTAKE,
    Stage.FILED: Phase.DISPATCH,
    Stage.DISPATCHED: Phase.HANDLE,
    Stage.HANDLING: Phase.HANDLE,
    Stage.HANDLED: Phase.CHECK,
    Stage.CHECKED: Phase.CHECK,
}
"""The phase that runs at a stage; an end has none."""

UNKNOWN = Category(
    "other", "其他", "Other", dict.fromkeys(Phase, Limit(3, Clock.BUSINESS_DAYS)), Limit(1, Clock.BUSINESS_DAYS)
)
"""Stands in for a category that has been taken out of the table."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """The categories by id, and the calendar their deadlines are counted by."""

    categories: Mapping[str, Category] = field(default_factory=dict)
    calendar: WorkCalendar = field(default_factory=lambda: WorkCalendar(ZoneInfo("Asia/Shanghai")))
    warn_share: float = 0.8

    def category(self, name: str) -> Category:
        """The category called so; one that the table does not have any more gets plain limits."""
        return self.categories.get(name) or replace(UNKNOWN, id=name, zh=name, en=name)

    def category_of(self, rule: str) -> Category:
        """The first category whose patterns fit an alert's rule; the last of the table where none does."""
        found = (c for c in self.categories.values() if any(fnmatchcase(rule, pattern) for pattern in c.rules))
        return next(found, [UNKNOWN, *self.categories.values()][-1])

    def deadline(self, phase: Phase, limit: Limit, since_ms: int) -> Deadline:
        """A deadline that begins at a time; without a due time where the calendar does not know the year."""
        try:
            due_ms = self.calendar.due(since_ms, limit)
            warn_ms = self.calendar.warn(since_ms, due_ms, limit, self.warn_share)
        except UnknownYear as error:
            return Deadline(phase, limit, since_ms, None, None, error.year)
        return Deadline(phase, limit, since_ms, due_ms, warn_ms)

    def of(self, category: str, phase: Phase, since_ms: int) -> Deadline:
        """The deadline that a category's table sets for a phase."""
        return self.deadline(phase, self.category(category).limits[phase], since_ms)

    def longer(self, deadline: Deadline, more: Limit) -> Deadline:
        """The deadline put off by `more`, counted from when it was due."""
        if deadline.due_ms is None:
            return deadline
        try:
            due_ms = self.calendar.due(deadline.due_ms, more)
            warn_ms = self.calendar.warn(deadline.since_ms, due_ms, more, self.warn_share)
        except UnknownYear as error:
            return replace(deadline, due_ms=None, warn_ms=None, unknown_year=error.year)
        return replace(deadline, due_ms=due_ms, warn_ms=warn_ms)

    def known_again(self, case: Case) -> Case:
        """The case with the deadlines counted that could not be counted before and now can."""

        def again(deadline: Deadline | None) -> Deadline | None:
            if deadline is None or deadline.unknown_year is None:
                return deadline
            return self.deadline(deadline.phase, deadline.limit, deadline.since_ms)

        return replace(case, deadline=again(case.deadline), handle=again(case.handle), whole=again(case.whole))

    def left_ms(self, deadline: Deadline, now_ms: int) -> int | None:
        """Time that is left by the deadline's own clock, below zero when it has passed; None where it is not known."""
        if deadline.due_ms is None:
            return None
        if deadline.limit.clock is Clock.NATURAL:
            return deadline.due_ms - now_ms
        try:
            if now_ms <= deadline.due_ms:
                return self.calendar.business_ms(now_ms, deadline.due_ms)
            return -self.calendar.business_ms(deadline.due_ms, now_ms)
        except UnknownYear:
            return None


def named(categories: Sequence[Category]) -> dict[str, Category]:
    """The categories by id, in order."""
    return {category.id: category for category in categories}
