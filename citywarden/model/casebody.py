"""How cases are written for other programs: the JSON of the API and of the export, and how cases become it."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from citywarden.model.case import Case, CaseEvent, Evidence, Place, Source, Stage, Step, Why
from citywarden.model.casequery import RateRow
from citywarden.model.casetime import Clock, Deadline, Phase
from citywarden.model.wire import timestamp

Moment = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        json_schema_extra={"format": "date-time"},
        description="RFC 3339, UTC, ms",
    ),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LimitBody(_Body):
    """A length of time: minutes, or days where the clock is `business_days`."""

    amount: int = Field(ge=1)
    clock: Clock


class DeadlineBody(_Body):
    """`due_at` null: the working days of `unknown_year` are not known, and nobody guesses."""

    phase: Phase
    limit: LimitBody
    since: Moment
    due_at: Moment | None
    warn_at: Moment | None
    unknown_year: int | None


class AskedBody(_Body):
    """An extension that waits for an answer."""

    limit: LimitBody
    why: Why
    by: str
    at: Moment
    note: str | None


class CasePosition(_Body):
    lat: float = Field(ge=-90, le=90)
    lon: float = Field(ge=-180, le=180)


class CaseAlertBody(_Body):
    """The alert a case was opened out of."""

    id: str
    kind: str
    subject: str
    resolved_at: Moment | None


class CaseBody(_Body):
    """A case as it is now. Positions are WGS-84."""

    id: str = Field(min_length=1, max_length=64)
    number: str = Field(min_length=1, max_length=40)
    tenant: str
    category: str
    title: str
    source: Source
    stage: Stage
    text: str
    place: str
    district: str
    location: CasePosition | None
    reporter: str
    unit: str
    alert: CaseAlertBody | None
    reported_at: Moment
    verified_at: Moment | None
    accepted_at: Moment | None
    filed_at: Moment | None
    dispatched_at: Moment | None
    begun_at: Moment | None
    handled_at: Moment | None
    checked_at: Moment | None
    closed_at: Moment | None
    ended_at: Moment | None
    updated_at: Moment
    deadline: DeadlineBody | None
    handle_deadline: DeadlineBody | None
    whole_deadline: DeadlineBody | None
    extension_asked: AskedBody | None
    extensions: int = Field(ge=0)
    reworks: int = Field(ge=0)
    transfers: int = Field(ge=0)
    near_due: bool
    overdue: bool


class CaseEventBody(_Body):
    """One line of a case's history; `by` null: the server."""

    at: Moment
    change: str
    stage: Stage
    by: str | None
    why: Why | None
    note: str | None
    unit: str
    limit: LimitBody | None
    due_at: Moment | None


class EvidenceBody(_Body):
    """A file of a case; its content is named by its SHA-256."""

    id: str = Field(min_length=1, max_length=64)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    name: str
    type: str
    size: int = Field(ge=0)
    place: Place
    by: str
    at: Moment


class EvidenceDocument(EvidenceBody):
    """`content`: the file in base64, null where the export left it out."""

    content: str | None


class CaseDocument(CaseBody):
    """A case with everything that is known of it."""

    history: list[CaseEventBody]
    evidence: list[EvidenceDocument]


class CasesDocument(_Body):
    """The export of cases, version 1."""

    format: Literal["citywarden.cases"]
    version: Literal[1]
    exported_at: Moment
    cases: list[CaseDocument]


class TallyBody(_Body):
    """What was counted. `due`, `handle_due`: cases whose closing, or handling, was due in the time."""

    accepted: int
    filed: int
    dispatched: int
    due: int
    closed: int
    closed_in_time: int
    handle_due: int
    handled_in_time: int
    reworked: int
    extended: int


class RatesBody(_Body):
    """In percent with two decimals; null where there is nothing to divide by."""

    group: str
    filing_pct: float | None
    dispatch_pct: float | None
    closing_pct: float | None
    closing_in_time_pct: float | None
    handling_in_time_pct: float | None
    rework_pct: float | None
    extension_pct: float | None
    counted: TallyBody


class StepBody(_Body):
    """A step that can be taken now; `reasons`: one of them has to be given, where there are any."""

    step: Step
    reasons: list[Why]


def deadline_body(deadline: Deadline | None) -> dict[str, object] | None:
    """A deadline."""
    if deadline is None:
        return None
    return {
        "phase": deadline.phase.value,
        "limit": {"amount": deadline.limit.amount, "clock": deadline.limit.clock.value},
        "since": timestamp(deadline.since_ms),
        "due_at": _when(deadline.due_ms),
        "warn_at": _when(deadline.warn_ms),
        "unknown_year": deadline.unknown_year,
    }


def case_body(case: Case, now_ms: int) -> dict[str, object]:
    """A case; whether its deadline is near or has passed is as of `now_ms`."""
    asked, deadline = case.asked, case.deadline
    located = case.lat is not None and case.lon is not None
    kind, subject = case.about or ("", "")
    return {
        "id": case.id,
        "number": case.number,
        "tenant": case.tenant,
        "category": case.category,
        "title": case.title,
        "source": case.source.value,
        "stage": case.stage.value,
        "text": case.text,
        "place": case.place,
        "district": case.district,
        "location": {"lat": case.lat, "lon": case.lon} if located else None,
        "reporter": case.reporter,
        "unit": case.unit,
        "alert": None
        if case.alert is None
        else {"id": case.alert, "kind": kind, "subject": subject, "resolved_at": _when(case.alert_resolved_ms)},
        "reported_at": timestamp(case.reported_ms),
        "verified_at": _when(case.verified_ms),
        "accepted_at": _when(case.accepted_ms),
        "filed_at": _when(case.filed_ms),
        "dispatched_at": _when(case.dispatched_ms),
        "begun_at": _when(case.begun_ms),
        "handled_at": _when(case.handled_ms),
        "checked_at": _when(case.checked_ms),
        "closed_at": _when(case.closed_ms),
        "ended_at": _when(case.ended_ms),
        "updated_at": timestamp(case.updated_ms),
        "deadline": deadline_body(deadline),
        "handle_deadline": deadline_body(case.handle),
        "whole_deadline": deadline_body(case.whole),
        "extension_asked": None
        if asked is None
        else {
            "limit": {"amount": asked.limit.amount, "clock": asked.limit.clock.value},
            "why": asked.why.value,
            "by": asked.by,
            "at": timestamp(asked.at_ms),
            "note": asked.note,
        },
        "extensions": case.extensions,
        "reworks": case.reworks,
        "transfers": case.transfers,
        "near_due": deadline is not None and deadline.near(now_ms),
        "overdue": deadline is not None and deadline.overdue(now_ms),
    }


def event_body(event: CaseEvent) -> dict[str, object]:
    """A line of the history."""
    return {
        "at": timestamp(event.at_ms),
        "change": str(event.change),
        "stage": event.stage.value,
        "by": event.by,
        "why": None if event.why is None else event.why.value,
        "note": event.note,
        "unit": event.unit,
        "limit": None if event.limit is None else {"amount": event.limit.amount, "clock": event.limit.clock.value},
        "due_at": _when(event.due_ms),
    }


def evidence_body(one: Evidence) -> dict[str, object]:
    """A file of a case, without its content."""
    return {
        "id": one.id,
        "sha256": one.sha256,
        "name": one.name,
        "type": one.type,
        "size": one.size,
        "place": one.place.value,
        "by": one.by,
        "at": timestamp(one.at_ms),
    }


def rates_body(row: RateRow) -> dict[str, object]:
    """The rates of a group, with what was counted."""
    tally, rates = row.tally, row.rates
    return {
        "group": row.group,
        **{name: getattr(rates, name) for name in RatesBody.model_fields if name.endswith("_pct")},
        "counted": {name: getattr(tally, name) for name in TallyBody.model_fields},
    }


def whole_body(
    case: Case, history: Sequence[CaseEvent], evidence: Sequence[Evidence], now_ms: int
) -> dict[str, object]:
    """A case with its history and the list of its files."""
    return {
        **case_body(case, now_ms),
        "history": [event_body(event) for event in history],
        "evidence": [evidence_body(one) for one in evidence],
    }


def _when(ms: int | None) -> str | None:
    return None if ms is None else timestamp(ms)
