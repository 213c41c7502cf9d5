"""What is asked of cases: which ones, how many stand where, and how well they are worked off."""

from dataclasses import dataclass, field

from citywarden.model.case import Case, Source, Stage


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody of a unit sees: the cases that are with the unit, and what that somebody reported."""

    unit: str
    name: str

    def covers(self, case: Case) -> bool:
        return case.unit == self.unit or case.reporter == self.name


@dataclass(frozen=True, slots=True)
class CaseQuery:
    """Which cases: None or empty means any. `open`: only those that have not ended, or only those that have.

    `overdue`: only those whose running deadline has passed; `since_ms`: changed at or after; `text`: in number, title,
    place or text; `sight`: only those that somebody of a unit sees.
    """

    tenant: str | None = None
    stages: tuple[Stage, ...] = ()
    open: bool | None = None
    category: str | None = None
    unit: str | None = None
    district: str | None = None
    source: Source | None = None
    alert: str | None = None
    overdue: bool = False
    since_ms: int | None = None
    text: str | None = None
    limit: int = 100
    cursor: str | None = None
    sight: Sight | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What is counted for the rates. `due_*`: of the cases whose closing, or handling, was due in the time."""

    accepted: int = 0
    filed: int = 0
    dispatched: int = 0
    due: int = 0
    closed: int = 0
    closed_in_time: int = 0
    handle_due: int = 0
    handled_in_time: int = 0
    reworked: int = 0
    extended: int = 0


@dataclass(frozen=True, slots=True)
class Rates:
    """立案率, 派遣率, 结案率, 按期结案率, 按期处置率, 返工率, 延期率 in percent with two decimals; None where there
    is nothing to divide by.
    """

    filing_pct: float | None
    dispatch_pct: float | None
    closing_pct: float | None
    closing_in_time_pct: float | None
    handling_in_time_pct: float | None
    rework_pct: float | None
    extension_pct: float | None


@dataclass(frozen=True, slots=True)
class RateRow:
    """The rates of one group (a unit, district, category or day; "" is all of them) with what was counted."""

    group: str
    tally: Tally
    rates: Rates


@dataclass(frozen=True, slots=True)
class Board:
    """How many open cases stand where. `stages`: stage -> (open, overdue, near)."""

    stages: dict[Stage, tuple[int, int, int]] = field(default_factory=dict)
    closed_today: int = 0
