"""Cases as rows of the time-series store: measurement `case`, for the dashboards."""

from citywarden.cases.rates import closed_in_time
from citywarden.model.case import Case
from citywarden.store.contract import Point

MEASUREMENT = "case"


def case_point(case: Case) -> Point:
    """The case as it is now, at the time it was reported: writing it again after a change replaces the row.

    Tags do not change in a case's life and are few, so the number is a field; its count within the day takes the place
    of the milliseconds, so that two cases of one second are two rows. `in_time`: 1 closed by its deadline, 0 late, -1
    not closed. Times that have not come are 0.
    """
    count = int(case.number.rpartition("-")[2] or 0) if case.number.rpartition("-")[2].isdigit() else 0
    in_time = closed_in_time(case)
    running = case.deadline.due_ms if case.deadline else None
    whole = case.whole.due_ms if case.whole else None
    return Point(
        MEASUREMENT,
        {
            "tenant": case.tenant,
            "district": case.district,
            "category": case.category,
            "source": case.source.value,
        },
        case.reported_ms // 1000 * 1000 + count % 1000,
        {
            "number": case.number,
            "title": case.title,
            "stage": case.stage.value,
            "open": case.open,
            "unit": case.unit,
            "near": case.open and case.told_near and not case.told_overdue,
            "overdue": case.open and case.told_overdue,
            "in_time": -1 if in_time is None else int(in_time),
            "updated_ms": case.updated_ms,
            "reported_ms": case.reported_ms,
            "accepted_ms": case.accepted_ms or 0,
            "filed_ms": case.filed_ms or 0,
            "dispatched_ms": case.dispatched_ms or 0,
            "handled_ms": case.handled_ms or 0,
            "closed_ms": case.closed_ms or 0,
            "running_due_ms": running or 0,
            "due_ms": whole or 0,
            "reworks": case.reworks,
            "extensions": case.extensions,
            "transfers": case.transfers,
            "duration_s": ((case.ended_ms - case.reported_ms) / 1000) if case.ended_ms else 0.0,
            **({"lat": case.lat, "lon": case.lon} if case.lat is not None and case.lon is not None else {}),
        },
    )
