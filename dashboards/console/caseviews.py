"""Cases as the pages show them."""

from citywarden.model.case import Case, CaseEvent, Category, Evidence
from citywarden.model.casedesk import Cases
from citywarden.model.casetime import Deadline, Limit
from dashboards.console.picture import Json


def limit_view(limit: Limit) -> dict[str, Json]:
    """A length: minutes, or days by the clock of business days."""
    return {"amount": limit.amount, "clock": limit.clock.value}


def deadline_view(desk: Cases, deadline: Deadline | None, now_ms: int) -> dict[str, Json] | None:
    """A deadline with the time that is left by its own clock."""
    if deadline is None:
        return None
    return {
        "phase": deadline.phase.value,
        "limit": limit_view(deadline.limit),
        "since_ms": deadline.since_ms,
        "due_ms": deadline.due_ms,
        "unknown_year": deadline.unknown_year,
        "left_ms": desk.left_ms(deadline),
        "left_at": now_ms,
        "overdue": deadline.overdue(now_ms),
        "near": deadline.near(now_ms),
    }


def card_view(desk: Cases, case: Case, now_ms: int) -> dict[str, Json]:
    """A case on the board."""
    return {
        "id": case.id,
        "number": case.number,
        "title": case.title,
        "category": case.category,
        "stage": case.stage.value,
        "source": case.source.value,
        "place": case.place,
        "district": case.district,
        "unit": case.unit,
        "tenant": case.tenant,
        "reported_ms": case.reported_ms,
        "updated_ms": case.updated_ms,
        "ended_ms": case.ended_ms,
        "deadline": deadline_view(desk, case.deadline, now_ms),
        "asked": case.asked is not None,
        "reworks": case.reworks,
    }


def case_view(desk: Cases, case: Case, now_ms: int) -> dict[str, Json]:
    """A case on its own page."""
    asked = case.asked
    return card_view(desk, case, now_ms) | {
        "text": case.text,
        "reporter": case.reporter,
        "lat": case.lat,
        "lon": case.lon,
        "alert": case.alert,
        "alert_resolved_ms": case.alert_resolved_ms,
        "verified_ms": case.verified_ms,
        "accepted_ms": case.accepted_ms,
        "filed_ms": case.filed_ms,
        "dispatched_ms": case.dispatched_ms,
        "handled_ms": case.handled_ms,
        "checked_ms": case.checked_ms,
        "closed_ms": case.closed_ms,
        "whole": deadline_view(desk, case.whole if case.open else None, now_ms),
        "extension": None
        if asked is None
        else {"limit": limit_view(asked.limit), "why": asked.why.value, "by": asked.by, "note": asked.note},
        "extensions": case.extensions,
        "transfers": case.transfers,
    }


def event_view(event: CaseEvent) -> dict[str, Json]:
    """A line of the history."""
    return {
        "at_ms": event.at_ms,
        "change": str(event.change),
        "by": event.by,
        "why": None if event.why is None else event.why.value,
        "note": event.note,
        "unit": event.unit,
        "limit": None if event.limit is None else limit_view(event.limit),
        "due_ms": event.due_ms,
    }


def file_view(one: Evidence) -> dict[str, Json]:
    """A file of a case."""
    return {"id": one.id, "name": one.name, "type": one.type, "size": one.size, "place": one.place.value,
            "by": one.by, "at_ms": one.at_ms}  # fmt: skip


def category_view(category: Category) -> dict[str, Json]:
    """A kind of case, to choose from."""
    return {"id": category.id, "zh": category.zh, "en": category.en, "unit": category.unit}
