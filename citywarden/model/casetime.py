"""How long the phases of a case may take, and when each is due."""

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """What a deadline is set for. INTAKE ends with 立案, DISPATCH with 派遣, HANDLE with the work done, CHECK with
    结案; WHOLE runs from 立案 to 结案.
    """

    INTAKE = "intake"
    DISPATCH = "dispatch"
    HANDLE = "handle"
    CHECK = "check"
    WHOLE = "whole"


class Clock(StrEnum):
    """How a deadline's time is counted: 自然时, 工作时, 工作日."""

    NATURAL = "natural"
    BUSINESS_HOURS = "business_hours"
    BUSINESS_DAYS = "business_days"


@dataclass(frozen=True, slots=True)
class Limit:
    """A length of time: `amount` in minutes, or in days where the clock counts business days."""

    amount: int
    clock: Clock

    def __str__(self) -> str:
        if self.clock is Clock.BUSINESS_DAYS:
            return f"{self.amount} business {'day' if self.amount == 1 else 'days'}"
        kind = "business " if self.clock is Clock.BUSINESS_HOURS else ""
        if self.amount % 60:
            return f"{self.amount} {kind}min"
        return f"{self.amount // 60} {kind}h"


@dataclass(frozen=True, slots=True)
class Deadline:
    """When something is due. Times ms since 1970 UTC; `due_ms` None: the calendar does not know `unknown_year`, and
    nobody guesses. `warn_ms`: from when on it is near.
    """

    phase: Phase
    limit: Limit
    since_ms: int
    due_ms: int | None
    warn_ms: int | None
    unknown_year: int | None = None

    def overdue(self, now_ms: int) -> bool:
        return self.due_ms is not None and now_ms > self.due_ms

    def near(self, now_ms: int) -> bool:
        return self.warn_ms is not None and now_ms >= self.warn_ms and not self.overdue(now_ms)
