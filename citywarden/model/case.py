"""Cases (数字城管案件): something in the city that people have to see to, from its report to its closing.

    上报 REPORTED -> 核实 VERIFIED (public reports) -> 受理 ACCEPTED -> 立案 FILED -> 派遣 DISPATCHED
      -> 处置 HANDLING -> HANDLED -> 核查 CHECKED -> 结案 CLOSED

The machine that moves them is citywarden.cases.machine.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Stage(StrEnum):
    """What has been reached. The last three are the ends of a case."""

    REPORTED = "reported"
    VERIFIED = "verified"
    ACCEPTED = "accepted"
    FILED = "filed"
    DISPATCHED = "dispatched"
    HANDLING = "handling"
    HANDLED = "handled"
    CHECKED = "checked"
    CLOSED = "closed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"

    @property
    def ended(self) -> bool:
        return self in (Stage.CLOSED, Stage.REJECTED, Stage.WITHDRAWN)


class Step(StrEnum):
    """What a person does to a case."""

    VERIFY = "verify"
    ACCEPT = "accept"
    FILE = "file"
    REJECT = "reject"
    DISPATCH = "dispatch"
    TRANSFER = "transfer"
    BEGIN = "begin"
    FINISH = "finish"
    ASK_EXTENSION = "ask_extension"
    GRANT_EXTENSION = "grant_extension"
    REFUSE_EXTENSION = "refuse_extension"
    PASS = "pass"  # noqa: S105 (the check is passed)
    REWORK = "rework"
    CLOSE = "close"
    WITHDRAW = "withdraw"
    NOTE = "note"


class Change(StrEnum):
    """What happens to a case beside the steps of people."""

    OPENED = "opened"
    NEAR_DUE = "near_due"
    OVERDUE = "overdue"
    EVIDENCE = "evidence"
    ALERT_RESOLVED = "alert_resolved"
    IMPORTED = "imported"


class Why(StrEnum):
    """The reason of a step. `other` wants a note."""

    NOT_FOUND = "not_found"
    DUPLICATE = "duplicate"
    NOT_OURS = "not_ours"
    NOT_A_PROBLEM = "not_a_problem"
    BY_MISTAKE = "by_mistake"
    WRONG_UNIT = "wrong_unit"
    OVERLOADED = "overloaded"
    NOT_DONE = "not_done"
    INCOMPLETE = "incomplete"
    POOR_EVIDENCE = "poor_evidence"
    CAME_BACK = "came_back"
    WEATHER = "weather"
    MATERIAL = "material"
    PERMIT = "permit"
    COMPLEX = "complex"
    NOT_NEEDED = "not_needed"
    OTHER = "other"


class Source(StrEnum):
    """Who noticed."""

    PUBLIC = "public"
    PATROL = "patrol"
    ALERT = "alert"
    LEADERS = "leaders"


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


class Place(StrEnum):
    """When evidence was taken."""

    BEFORE = "before"
    AFTER = "after"
    OTHER = "other"


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


@dataclass(frozen=True, slots=True)
class Asked:
    """An extension that waits for an answer: how much longer, and why."""

    limit: Limit
    why: Why
    by: str
    at_ms: int
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it is now. Times ms since 1970 UTC; positions WGS-84.

    `deadline`: of the running phase; `handle`: the last one set for the work, `whole`: for the closing (both once
    there is one). `told_near`, `told_overdue`: the running deadline has been told of. `alert`: id of the alert it was
    opened out of; `about`: (kind, subject) of that alert. Each `*_ms` says when that was reached last, the first
    dispatch excepted, which counts for the rates.
    """

    id: str
    tenant: str
    number: str
    category: str
    title: str
    source: Source
    stage: Stage
    reported_ms: int
    updated_ms: int
    reporter: str
    text: str = ""
    place: str = ""
    district: str = ""
    lat: float | None = None
    lon: float | None = None
    alert: str | None = None
    about: tuple[str, str] | None = None
    alert_resolved_ms: int | None = None
    unit: str = ""
    verified_ms: int | None = None
    accepted_ms: int | None = None
    filed_ms: int | None = None
    dispatched_ms: int | None = None
    begun_ms: int | None = None
    handled_ms: int | None = None
    checked_ms: int | None = None
    closed_ms: int | None = None
    ended_ms: int | None = None
    deadline: Deadline | None = None
    handle: Deadline | None = None
    whole: Deadline | None = None
    asked: Asked | None = None
    extensions: int = 0
    reworks: int = 0
    transfers: int = 0
    told_near: bool = False
    told_overdue: bool = False

    @property
    def open(self) -> bool:
        return not self.stage.ended


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One line of a case's history: what changed, and where the case stood after it. `by` None: the server.

    `unit`, `limit`, `due_ms`: whom it went to, how much longer, until when, where the change says so.
    """

    at_ms: int
    change: str
    stage: Stage
    by: str | None = None
    why: Why | None = None
    note: str | None = None
    unit: str = ""
    limit: Limit | None = None
    due_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A file kept with a case. `sha256` in hex names its content; `type` is what its first bytes say it is."""

    id: str
    case: str
    sha256: str
    name: str
    type: str
    size: int
    place: Place
    by: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Report:
    """What somebody, or an alert, brings: the beginning of a case. `reported_ms` None: now."""

    tenant: str
    category: str
    title: str
    source: Source
    reporter: str
    text: str = ""
    place: str = ""
    district: str = ""
    lat: float | None = None
    lon: float | None = None
    alert: str | None = None
    about: tuple[str, str] | None = None
    reported_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """A step that somebody takes. `unit`: whom it is given to, or in whose name it is done; `limit`: how much longer
    is asked for.
    """

    step: Step
    by: str
    note: str | None = None
    why: Why | None = None
    unit: str = ""
    limit: Limit | None = None


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
class Category:
    """A kind of case: its names, and how long each phase may take. `rules`: patterns of the alerts it comes out of."""

    id: str
    zh: str
    en: str
    limits: dict[Phase, Limit]
    rework: Limit
    rules: tuple[str, ...] = ()
    unit: str = ""
    overdue: str = "minor"


@dataclass(frozen=True, slots=True)
class Board:
    """How many open cases stand where. `stages`: stage -> (open, overdue, near)."""

    stages: dict[Stage, tuple[int, int, int]] = field(default_factory=dict)
    closed_today: int = 0
