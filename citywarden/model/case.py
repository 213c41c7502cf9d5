"""Cases (数字城管案件): something in the city that people have to see to, from its report to its closing.

    上报 REPORTED -> 核实 VERIFIED (public reports) -> 受理 ACCEPTED -> 立案 FILED -> 派遣 DISPATCHED
      -> 处置 HANDLING -> HANDLED -> 核查 CHECKED -> 结案 CLOSED

The machine that moves them is citywarden.cases.machine.
"""

from dataclasses import dataclass
from enum import StrEnum

from citywarden.model.casetime import Deadline, Limit, Phase


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


class Place(StrEnum):
    """When evidence was taken."""

    BEFORE = "before"
    AFTER = "after"
    OTHER = "other"


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
