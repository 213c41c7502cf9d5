"""Reading alerts back: one by id, pages of them, and the history of each."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select

from citywarden.alerts import tables
from citywarden.alerts.machine import RAISING, Change
from citywarden.alerts.records import Entry, Event, entry_of, thaw
from citywarden.model.alert import Alert, AlertQuery, Severity, Status
from citywarden.model.errors import NotFound
from citywarden.model.page import Page

LATE_LINES = 200
LARGEST_PAGE = 10_000
"""Most items of one page (contract.md, HTTP)."""


def read_open(connection: Connection) -> list[Entry]:
    """Every alert that is not resolved, pending ones among them."""
    t = tables.alert
    rows = connection.execute(select(t).where(t.c.status != Status.RESOLVED.value)).mappings()
    return [entry_of(dict(row)) for row in rows]


def read_entry(connection: Connection, alert_id: str) -> Entry:
    """One alert. Raises NotFound."""
    t = tables.alert
    row = connection.execute(select(t).where(t.c.id == alert_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"no alert {alert_id!r}")
    return entry_of(dict(row))


def read_versions(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """How often those of the alerts that there are were written, by id."""
    t = tables.alert
    return {row.id: row.version for row in connection.execute(select(t.c.id, t.c.version).where(t.c.id.in_(ids)))}


def read_entries(connection: Connection, ids: Sequence[str]) -> dict[str, Entry]:
    """Those of the alerts that there are, by id."""
    t = tables.alert
    rows = connection.execute(select(t).where(t.c.id.in_(ids))).mappings()
    return {entry.alert.id: entry for row in rows for entry in (entry_of(dict(row)),)}


def find(connection: Connection, query: AlertQuery) -> Page[Alert]:
    """Alerts that match, changed last first. Pending ones only when asked for by status."""
    t = tables.alert
    limit = max(1, min(query.limit, LARGEST_PAGE))
    wanted = select(t).where(*_conditions(query)).order_by(t.c.updated_ms.desc(), t.c.id.desc()).limit(limit + 1)
    found = [entry_of(dict(row)).alert for row in connection.execute(wanted).mappings()]
    page = found[:limit]
    more = len(found) > limit
    return Page(page, f"{page[-1].updated_ms}.{page[-1].id}" if more else None)


def count(connection: Connection, query: AlertQuery) -> dict[Severity, int]:
    """How many alerts match, by severity; whatever severity, page and limit the query names."""
    t = tables.alert
    conditions = _conditions(replace(query, severity=None, cursor=None))
    rows = connection.execute(select(t.c.severity, func.count()).where(*conditions).group_by(t.c.severity))
    return {Severity(severity): number for severity, number in rows}


def find_beginning(connection: Connection, beginning: str) -> list[str]:
    """Ids of alerts that begin so, at most two."""
    t = tables.alert
    begins = t.c.id.startswith(beginning, autoescape=True)
    return list(connection.execute(select(t.c.id).where(begins).order_by(t.c.id).limit(2)).scalars())


def read_history(connection: Connection, alert_id: str) -> Sequence[Event]:
    """Every change of an alert, oldest first. Raises NotFound for an unknown alert."""
    read_entry(connection, alert_id)
    t = tables.alert_event
    rows = connection.execute(select(t).where(t.c.alert_id == alert_id).order_by(t.c.seq))
    return [Event(thaw(row.snapshot), row.at_ms, Change(row.change), row.by, row.note) for row in rows]


def read_turns(connection: Connection, since_ms: int) -> Iterator[tuple[tuple[str, str, str], int, Severity]]:
    """(key, server time, severity) of every time an alert asked for attention since, oldest first."""
    e = tables.alert_event
    wanted = select(e.c.at_ms, e.c.snapshot).where(e.c.at_ms >= since_ms, e.c.change.in_([c.value for c in RAISING]))
    for row in connection.execute(wanted.order_by(e.c.seq)):
        alert = thaw(row.snapshot)
        if not alert.stale:
            yield alert.key, row.at_ms, alert.severity


def read_ended(connection: Connection, since_ms: int) -> list[Alert]:
    """Alerts that were resolved since (server time)."""
    t = tables.alert
    wanted = select(t).where(t.c.status == Status.RESOLVED.value, t.c.updated_ms >= since_ms)
    return [entry_of(dict(row)).alert for row in connection.execute(wanted).mappings()]


def last_event(connection: Connection) -> int:
    """Number of the newest line of any history, 0 when there is none."""
    return int(connection.execute(select(func.coalesce(func.max(tables.alert_event.c.seq), 0))).scalar_one())


def read_foreign(connection: Connection, writer: str, after: int) -> tuple[list[Entry], int]:
    """The alerts that other writers changed after a line of history, as they are now, and the newest line."""
    t, e = tables.alert, tables.alert_event
    newest = last_event(connection)
    if newest == after:
        return [], newest
    # A line with a lower number may be committed a little later.
    theirs = select(e.c.alert_id).where(e.c.seq > after - LATE_LINES, e.c.writer != writer)
    rows = connection.execute(select(t).where(t.c.id.in_(theirs))).mappings()
    return [entry_of(dict(row)) for row in rows], newest


def trim(connection: Connection, before_ms: int) -> int:
    """Drop alerts that were resolved and last changed before, with their history and deliveries, and
    silences that ended before; returns how many alerts.
    """
    t = tables.alert
    connection.execute(delete(tables.silence).where(tables.silence.c.ends_ms < before_ms))
    gone = connection.execute(delete(t).where(t.c.status == Status.RESOLVED.value, t.c.updated_ms < before_ms))
    return int(gone.rowcount)


def _conditions(query: AlertQuery) -> list[ColumnElement[bool]]:
    t = tables.alert
    status = t.c.status != Status.PENDING.value if query.status is None else t.c.status == query.status.value
    conditions: list[ColumnElement[bool]] = [status]
    if query.rule is not None:
        conditions.append(t.c.rule == query.rule)
    if query.severity is not None:
        conditions.append(t.c.severity == int(query.severity))
    if query.since_ms is not None:
        conditions.append(t.c.updated_ms >= query.since_ms)
    if query.tenant is not None:
        conditions.append(t.c.tenant == query.tenant)
    same = {
        t.c.kind: query.kind, t.c.subject: query.subject, t.c.district: query.district,
        t.c.assigned_to: query.assigned_to or None,
    }  # fmt: skip
    conditions += [column == wanted for column, wanted in same.items() if wanted is not None]
    if query.assigned_to == "":
        conditions.append(or_(t.c.assigned_to.is_(None), t.c.assigned_to == ""))
    if query.raised_since_ms is not None:
        conditions.append(t.c.raised_ms >= query.raised_since_ms)
    if query.raised_until_ms is not None:
        conditions.append(t.c.raised_ms < query.raised_until_ms)
    if query.open is not None:
        resolved = t.c.status == Status.RESOLVED.value
        conditions.append(~resolved if query.open else resolved)
    if query.text:
        names = ("id", "rule", "subject", "summary", "district", "note", "acknowledged_by", "assigned_to")
        conditions.append(or_(*(t.c[name].icontains(query.text, autoescape=True) for name in names)))
    if query.cursor is not None:
        before_ms, alert_id = _cursor(query.cursor)
        conditions.append(or_(t.c.updated_ms < before_ms, and_(t.c.updated_ms == before_ms, t.c.id < alert_id)))
    return conditions


def _cursor(cursor: str) -> tuple[int, str]:
    before_ms, dot, alert_id = cursor.partition(".")
    if not dot or not before_ms.lstrip("-").isdigit():
        raise NotFound(f"no page at cursor {cursor!r}")
    return int(before_ms), alert_id
