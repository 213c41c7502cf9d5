"""The rates of case work (立案率, 派遣率, 结案率, 按期结案率, 按期处置率, 返工率, 延期率), counted by the database.

What happened in a time (受理, 立案, 派遣) is counted by when it happened. What was to be done in a time (应结案,
应处置) is counted when it was done or when its deadline passed, whichever came first: every case counts in exactly one
period, and the same period asked for again next year gives the same figures.
"""

from collections.abc import Sequence
from dataclasses import fields
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, or_, select

from citywarden.cases import tables
from citywarden.cases.archive import seen
from citywarden.model.case import Case, Stage
from citywarden.model.casequery import RateRow, Rates, Sight, Tally

_T = tables.case
_CLOSING: ColumnElement[int] = case((_T.c.closed_ms < _T.c.whole_due_ms, _T.c.closed_ms), else_=_T.c.whole_due_ms)
_HANDLING: ColumnElement[int] = case((_T.c.handled_ms < _T.c.handle_due_ms, _T.c.handled_ms), else_=_T.c.handle_due_ms)
"""When a case was closed, or handled, or was due to be: what came first."""


class By(StrEnum):
    """What rates are grouped by."""

    UNIT = "unit"
    DISTRICT = "district"
    CATEGORY = "category"


def rates_of(tally: Tally) -> Rates:
    """The rates of what was counted."""
    return Rates(
        _pct(tally.filed, tally.accepted),
        _pct(tally.dispatched, tally.filed),
        _pct(tally.closed, tally.due),
        _pct(tally.closed_in_time, tally.due),
        _pct(tally.handled_in_time, tally.handle_due),
        _pct(tally.reworked, tally.due),
        _pct(tally.extended, tally.due),
    )


def count(
    connection: Connection, start_ms: int, stop_ms: int, by: By | None = None, tenant: str | None = None,
    sight: Sight | None = None,
) -> list[RateRow]:  # fmt: skip
    """Rates of the time from start (inclusive) to stop, of all or by group, most due first."""
    group: ColumnElement[str] = literal("") if by is None else _T.c[by.value]
    counted = _counted(start_ms, stop_ms)
    moments = (_T.c.accepted_ms, _T.c.filed_ms, _T.c.dispatched_ms, _CLOSING, _HANDLING)
    where = or_(*(_within(moment, start_ms, stop_ms) for moment in moments))
    wanted = select(group, *(counted[one.name] for one in fields(Tally))).where(where, *seen(sight))
    if tenant is not None:
        wanted = wanted.where(_T.c.tenant == tenant)
    if by is not None:
        wanted = wanted.group_by(group)
    rows = [(str(row[0] or ""), Tally(*(int(n or 0) for n in row[1:]))) for row in connection.execute(wanted)]
    return sorted(
        (RateRow(name, tally, rates_of(tally)) for name, tally in rows), key=lambda r: (-r.tally.due, r.group)
    )


def closed_in_time(one: Case) -> bool | None:
    """Whether a closed case was closed by its deadline; None when it is not closed or has none."""
    if one.closed_ms is None or one.whole is None or one.whole.due_ms is None:
        return None
    return one.closed_ms <= one.whole.due_ms


def _counted(start_ms: int, stop_ms: int) -> dict[str, ColumnElement[int]]:
    """What is counted, by the names of `Tally`."""
    kept = _T.c.stage != Stage.WITHDRAWN.value
    due = and_(_within(_CLOSING, start_ms, stop_ms), kept)
    handle_due = and_(_within(_HANDLING, start_ms, stop_ms), kept)
    closed = and_(due, _T.c.closed_ms < stop_ms)
    conditions = {
        "accepted": _within(_T.c.accepted_ms, start_ms, stop_ms),
        "filed": _within(_T.c.filed_ms, start_ms, stop_ms),
        "dispatched": _within(_T.c.dispatched_ms, start_ms, stop_ms),
        "due": due,
        "closed": closed,
        "closed_in_time": and_(closed, _T.c.closed_ms <= _T.c.whole_due_ms),
        "handle_due": handle_due,
        "handled_in_time": and_(handle_due, _T.c.handled_ms < stop_ms, _T.c.handled_ms <= _T.c.handle_due_ms),
        "reworked": and_(due, _T.c.reworks > 0),
        "extended": and_(due, _T.c.extensions > 0),
    }
    return {name: func.sum(case((condition, 1), else_=0)) for name, condition in conditions.items()}


def _within(moment: ColumnElement[int], start_ms: int, stop_ms: int) -> ColumnElement[bool]:
    return and_(moment >= start_ms, moment < stop_ms)


def _pct(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None


def total(rows: Sequence[RateRow]) -> RateRow:
    """All groups together."""
    summed = Tally(*(sum(getattr(row.tally, one.name) for row in rows) for one in fields(Tally)))
    return RateRow("", summed, rates_of(summed))
