"""Reading cases back: one by id or number, pages of them, the history and evidence of each, and where they stand."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select

from citywarden.cases import tables
from citywarden.cases.records import case_of, event_of, evidence_of
from citywarden.model.case import Case, CaseEvent, Evidence, Stage
from citywarden.model.casequery import Board, CaseQuery, Sight
from citywarden.model.errors import NotFound
from citywarden.model.page import Page

LARGEST_PAGE = 10_000
"""Most items of one page (contract.md, HTTP)."""

LATE_LINES = 50
_T = tables.case


def read(connection: Connection, ref: str, tenant: str | None = None) -> tuple[Case, int]:
    """(case, version) by id or number, of a tenant or any. Raises NotFound."""
    wanted = select(_T).where(or_(_T.c.id == ref, _T.c.number == ref)).limit(2)
    if tenant is not None:
        wanted = wanted.where(_T.c.tenant == tenant)
    rows = connection.execute(wanted).mappings().all()
    if len(rows) != 1:
        raise NotFound(f"no case {ref!r}" if not rows else f"several tenants have a case {ref!r}, name it by its id")
    return case_of(dict(rows[0])), int(rows[0]["version"])


def find(connection: Connection, query: CaseQuery, now_ms: int) -> Page[Case]:
    """Cases that match, changed last first."""
    limit = max(1, min(query.limit, LARGEST_PAGE))
    wanted = select(_T).where(*_conditions(query, now_ms)).order_by(_T.c.updated_ms.desc(), _T.c.id.desc())
    found = [case_of(dict(row)) for row in connection.execute(wanted.limit(limit + 1)).mappings()]
    page = found[:limit]
    return Page(page, f"{page[-1].updated_ms}.{page[-1].id}" if len(found) > limit else None)


def history(connection: Connection, case_id: str) -> Sequence[CaseEvent]:
    """Every change of a case, oldest first."""
    e = tables.event
    rows = connection.execute(select(e).where(e.c.case_id == case_id).order_by(e.c.seq)).mappings()
    return [event_of(dict(row)) for row in rows]


def evidence(connection: Connection, case_id: str) -> Sequence[Evidence]:
    """What is kept with a case, oldest first."""
    e = tables.evidence
    rows = connection.execute(select(e).where(e.c.case_id == case_id).order_by(e.c.at_ms, e.c.id)).mappings()
    return [evidence_of(dict(row)) for row in rows]


def due(connection: Connection, now_ms: int, limit: int = 1000) -> list[tuple[Case, int]]:
    """Open cases, with versions, that the clock has something to say of which has not been said."""
    told = or_(
        and_(_T.c.running_due_ms < now_ms, _T.c.told_overdue.is_(False)),
        and_(_T.c.running_warn_ms <= now_ms, _T.c.told_near.is_(False)),
    )
    return _some(connection, select(_T).where(_T.c.ended_ms.is_(None), told).order_by(_T.c.running_due_ms), limit)


def uncounted(connection: Connection, limit: int = 1000) -> list[tuple[Case, int]]:
    """Open cases with a deadline that could not be counted when it was set."""
    return _some(connection, select(_T).where(_T.c.uncounted.is_(True)), limit)


def unalerted(connection: Connection, now_ms: int, limit: int = 1000) -> list[Case]:
    """Open cases whose running deadline has passed and that no alert has been raised for, longest first."""
    due = _T.c.running_due_ms
    fresh = or_(_T.c.alerted_due_ms.is_(None), _T.c.alerted_due_ms != due)
    wanted = select(_T).where(_T.c.ended_ms.is_(None), due < now_ms, fresh).order_by(due).limit(limit)
    return [case_of(dict(row)) for row in connection.execute(wanted).mappings()]


def still_overdue(connection: Connection, numbers: Sequence[str], now_ms: int) -> set[tuple[str, str]]:
    """(tenant, number) of those cases, of the given numbers, whose running deadline has passed."""
    late = (_T.c.ended_ms.is_(None), _T.c.running_due_ms < now_ms, _T.c.number.in_(numbers))
    return {(row.tenant, row.number) for row in connection.execute(select(_T.c.tenant, _T.c.number).where(*late))}


def last_event(connection: Connection) -> int:
    """Number of the newest line of any history, 0 when there is none."""
    return int(connection.execute(select(func.coalesce(func.max(tables.event.c.seq), 0))).scalar_one())


def changed_after(connection: Connection, seen: int) -> tuple[list[Case], int]:
    """Cases with a line of history after `seen`, and the newest line."""
    newest = last_event(connection)
    if newest == seen:
        return [], newest
    # A line with a lower number may be committed a little later.
    late = select(tables.event.c.case_id).where(tables.event.c.seq > seen - LATE_LINES)
    rows = connection.execute(select(_T).where(_T.c.id.in_(late))).mappings()
    return [case_of(dict(row)) for row in rows], newest


def seen(sight: Sight | None) -> list[ColumnElement[bool]]:
    """What somebody of a unit sees, as conditions."""
    return [] if sight is None else [or_(_T.c.unit == sight.unit, _T.c.reporter == sight.name)]


def board(connection: Connection, tenant: str | None, now_ms: int, today_ms: int, sight: Sight | None = None) -> Board:
    """How many open cases stand where, and how many were closed since `today_ms`."""
    late = _T.c.running_due_ms < now_ms
    near = and_(_T.c.running_warn_ms <= now_ms, _T.c.running_due_ms >= now_ms)
    mine = [*([] if tenant is None else [_T.c.tenant == tenant]), *seen(sight)]
    counted = select(_T.c.stage, func.count(), _sum(late), _sum(near)).where(_T.c.ended_ms.is_(None), *mine)
    rows = connection.execute(counted.group_by(_T.c.stage)).all()
    closed = select(func.count()).where(_T.c.closed_ms >= today_ms, *mine)
    stages = {Stage(stage): (int(n), int(o or 0), int(w or 0)) for stage, n, o, w in rows}
    return Board(stages, int(connection.execute(closed).scalar_one()))


def of_alerts(connection: Connection, alerts: Sequence[str]) -> dict[str, str]:
    """Alert id -> id of the newest case that was opened out of it."""
    wanted = select(_T.c.alert, _T.c.id).where(_T.c.alert.in_(alerts)).order_by(_T.c.reported_ms)
    return {str(row.alert): row.id for row in connection.execute(wanted)}


def units(connection: Connection, tenant: str | None) -> list[str]:
    """Units that ever had a case."""
    mine = [] if tenant is None else [_T.c.tenant == tenant]
    return list(connection.execute(select(_T.c.unit).where(_T.c.unit != "", *mine).distinct()).scalars())


def _sum(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _some(connection: Connection, wanted: Select[tuple[object]], limit: int) -> list[tuple[Case, int]]:
    rows = connection.execute(wanted.limit(limit)).mappings()
    return [(case_of(dict(row)), int(str(row["version"]))) for row in rows]


def _conditions(query: CaseQuery, now_ms: int) -> list[ColumnElement[bool]]:
    conditions = seen(query.sight)
    for column, wanted in (
        (_T.c.tenant, query.tenant), (_T.c.category, query.category), (_T.c.unit, query.unit),
        (_T.c.district, query.district), (_T.c.alert, query.alert),
        (_T.c.source, None if query.source is None else query.source.value),
    ):  # fmt: skip
        if wanted is not None:
            conditions.append(column == wanted)
    if query.stages:
        conditions.append(_T.c.stage.in_([stage.value for stage in query.stages]))
    if query.open is not None:
        conditions.append(_T.c.ended_ms.is_(None) if query.open else _T.c.ended_ms.is_not(None))
    if query.overdue:
        conditions += [_T.c.ended_ms.is_(None), _T.c.running_due_ms < now_ms]
    if query.since_ms is not None:
        conditions.append(_T.c.updated_ms >= query.since_ms)
    if query.text:
        columns = (_T.c.number, _T.c.title, _T.c.place, _T.c.text)
        conditions.append(or_(*(column.icontains(query.text, autoescape=True) for column in columns)))
    if query.cursor is not None:
        before_ms, dot, case_id = query.cursor.partition(".")
        if not dot or not before_ms.lstrip("-").isdigit():
            raise NotFound(f"no page at cursor {query.cursor!r}")
        at_ms = int(before_ms)
        conditions.append(or_(_T.c.updated_ms < at_ms, and_(_T.c.updated_ms == at_ms, _T.c.id < case_id)))
    return conditions
