"""Reading alerts back: one by id, pages of them, and the history of each."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select

from citywarden.alerts import tables
from citywarden.alerts.machine import Change
from citywarden.alerts.records import Entry, Event, entry_of, thaw
from citywarden.model.alert import Alert, AlertQuery, Status
from citywarden.model.errors import NotFound
from citywarden.model.page import Page

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


def find(connection: Connection, query: AlertQuery) -> Page[Alert]:
    """Alerts that match, changed last first. Pending ones only when asked for by status."""
    t = tables.alert
    limit = max(1, min(query.limit, LARGEST_PAGE))
    wanted = select(t).where(*_conditions(query)).order_by(t.c.updated_ms.desc(), t.c.id.desc()).limit(limit + 1)
    found = [entry_of(dict(row)).alert for row in connection.execute(wanted).mappings()]
    page = found[:limit]
    more = len(found) > limit
    return Page(page, f"{page[-1].updated_ms}.{page[-1].id}" if more else None)


def read_history(connection: Connection, alert_id: str) -> Sequence[Event]:
    """Every change of an alert, oldest first. Raises NotFound for an unknown alert."""
    read_entry(connection, alert_id)
    t = tables.alert_event
    rows = connection.execute(select(t).where(t.c.alert_id == alert_id).order_by(t.c.seq))
    return [Event(thaw(row.snapshot), row.at_ms, Change(row.change), row.by, row.note) for row in rows]


def trim(connection: Connection, before_ms: int) -> int:
    """Drop alerts that were resolved and last changed before, with their history and deliveries; returns how many."""
    t = tables.alert
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
    if query.cursor is not None:
        before_ms, alert_id = _cursor(query.cursor)
        conditions.append(or_(t.c.updated_ms < before_ms, and_(t.c.updated_ms == before_ms, t.c.id < alert_id)))
    return conditions


def _cursor(cursor: str) -> tuple[int, str]:
    before_ms, dot, alert_id = cursor.partition(".")
    if not dot or not before_ms.lstrip("-").isdigit():
        raise NotFound(f"no page at cursor {cursor!r}")
    return int(before_ms), alert_id
