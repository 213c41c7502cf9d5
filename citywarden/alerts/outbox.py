"""The outbox: what has to be told to whom, in the database, until it has been told.

`waiting` -> `delivered` (the receiver took it) | `refused` (it never will) | `expired` (given up) .
Critical first, otherwise in order; of one alert nothing overtakes what happened before it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, literal_column, select, update

from citywarden.alerts import tables
from citywarden.alerts.letter import Notice
from citywarden.alerts.machine import Change
from citywarden.alerts.progress import insertion
from citywarden.alerts.records import thaw
from citywarden.model.dispatch import Tried
from citywarden.model.errors import NotFound
from citywarden.model.page import Page


class State(StrEnum):
    """Of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    REFUSED = "refused"
    EXPIRED = "expired"


_WAITS = tables.outbox.c.state == literal_column(f"'{State.WAITING}'")
"""Written out, not bound: SQLite takes a partial index only for a condition it can read."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice to one target. Times are server times in ms; `first_ms`: of the first attempt.

    `digest`: id of the message that carries it together with others. `code`, `detail`: of the last attempt.
    """

    seq: int
    id: str
    target: str
    state: State
    notice: Notice
    created_ms: int
    attempts: int = 0
    digest: str | None = None
    first_ms: int | None = None
    next_ms: int | None = None
    done_ms: int | None = None
    code: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is written after an attempt: the delivery's new state and times."""

    seq: int
    state: State
    at_ms: int
    next_ms: int | None = None
    code: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TargetState:
    """What is remembered of a target. `disabled_ms`: when it said that it wants no more; None while it is in use."""

    disabled_ms: int | None = None
    held_until_ms: int | None = None
    detail: str | None = None


def read_waiting(connection: Connection, target: str, limit: int) -> list[Delivery]:
    """The next deliveries of a target. A digest that was begun comes whole, beyond the limit if need be."""
    o = tables.outbox
    mine = _joined().where(o.c.target == target, _WAITS)
    rows = connection.execute(mine.order_by(o.c.priority.desc(), o.c.seq).limit(limit)).all()
    found = [_delivery(row) for row in rows]
    if begun := {delivery.digest for delivery in found if delivery.digest}:
        known = {delivery.seq for delivery in found}
        rest = connection.execute(mine.where(o.c.digest.in_(begun), o.c.seq.not_in(known)).order_by(o.c.seq)).all()
        found += [_delivery(row) for row in rest]
    return found


def count_waiting(connection: Connection) -> dict[str, int]:
    """Deliveries that wait, by target."""
    o = tables.outbox
    counted = select(o.c.target, func.count()).where(_WAITS).group_by(o.c.target)
    return {target: int(n) for target, n in connection.execute(counted)}


def sent_since(connection: Connection, target: str, since_ms: int) -> list[int]:
    """Times of the messages a target took since, a digest once, oldest first."""
    o = tables.outbox
    message = func.coalesce(o.c.digest, o.c.id)
    times = (
        select(func.max(o.c.done_ms))
        .where(o.c.target == target, o.c.state == State.DELIVERED.value, o.c.done_ms >= since_ms)
        .group_by(message)
    )
    return sorted(int(done_ms) for (done_ms,) in connection.execute(times))


def write_attempts(connection: Connection, attempts: Iterable[Attempt]) -> None:
    """Note how attempts went."""
    o = tables.outbox
    rows = [
        {
            "b_seq": a.seq,
            "b_state": a.state.value,
            "b_at": a.at_ms,
            "b_next": a.next_ms,
            "b_done": a.at_ms if a.state is not State.WAITING else None,
            "b_code": a.code,
            "b_detail": a.detail or None,
        }
        for a in attempts
    ]
    if rows:
        connection.execute(
            update(o)
            .where(o.c.seq == bindparam("b_seq"))
            .values(
                state=bindparam("b_state"),
                attempts=o.c.attempts + 1,
                first_ms=func.coalesce(o.c.first_ms, bindparam("b_at")),
                next_ms=bindparam("b_next"),
                done_ms=bindparam("b_done"),
                status_code=bindparam("b_code"),
                detail=bindparam("b_detail"),
            ),
            rows,
        )
        keep = tables.delivery_attempt
        named = {"delivery": "b_seq", "at_ms": "b_at", "state": "b_state", "code": "b_code", "detail": "b_detail"}
        connection.execute(insert(keep), [{name: row[key] for name, key in named.items()} for row in rows])


def read_tries(connection: Connection, seq: int, limit: int = 200) -> list[Tried]:
    """The attempts of a delivery, oldest first; of very many the last ones."""
    a = tables.delivery_attempt
    rows = connection.execute(select(a).where(a.c.delivery == seq).order_by(a.c.seq.desc()).limit(limit)).all()
    return [Tried(row.at_ms, row.state, row.code, row.detail) for row in reversed(rows)]


def read_together(connection: Connection, delivery: Delivery) -> list[Delivery]:
    """The deliveries of one message: those of its digest in order, or the one alone."""
    if delivery.digest is None:
        return [delivery]
    o = tables.outbox
    return [_delivery(r) for r in connection.execute(_joined().where(o.c.digest == delivery.digest).order_by(o.c.seq))]


def bind(connection: Connection, digest: str, seqs: Sequence[int]) -> None:
    """Put deliveries into one message, before it is sent for the first time, so that it is the same ever after."""
    o = tables.outbox
    connection.execute(
        update(o).where(o.c.seq == bindparam("b_seq")).values(digest=digest), [{"b_seq": seq} for seq in seqs]
    )


def read_states(connection: Connection) -> dict[str, TargetState]:
    """What is remembered of the targets, by name."""
    t = tables.target_state
    return {
        row.name: TargetState(row.disabled_ms, row.held_until_ms, row.detail) for row in connection.execute(select(t))
    }


def write_state(connection: Connection, target: str, state: TargetState) -> None:
    """Remember a target's state."""
    t = tables.target_state
    values: Mapping[str, object] = {
        "disabled_ms": state.disabled_ms,
        "held_until_ms": state.held_until_ms,
        "detail": state.detail,
    }
    upsert = insertion(connection)(t).values(name=target, **values)
    connection.execute(upsert.on_conflict_do_update(index_elements=[t.c.name], set_=dict(values)))


def find(
    connection: Connection,
    target: str | None = None,
    state: State | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[Delivery]:
    """Deliveries, newest first."""
    o = tables.outbox
    wanted = _joined().order_by(o.c.seq.desc()).limit(limit + 1)
    if target is not None:
        wanted = wanted.where(o.c.target == target)
    if state is not None:
        wanted = wanted.where(o.c.state == state.value)
    if cursor is not None:
        if not cursor.isascii() or not cursor.isdigit():
            raise NotFound(f"no page at cursor {cursor!r}")
        wanted = wanted.where(o.c.seq < int(cursor))
    found = [_delivery(row) for row in connection.execute(wanted)]
    return Page(found[:limit], str(found[limit - 1].seq) if len(found) > limit else None)


def get(connection: Connection, delivery_id: str) -> Delivery:
    """Raises NotFound."""
    row = connection.execute(_joined().where(tables.outbox.c.id == delivery_id)).one_or_none()
    if row is None:
        raise NotFound(f"no delivery {delivery_id!r}")
    return _delivery(row)


def of_alert(connection: Connection, alert_id: str) -> list[Delivery]:
    """What has been, or is to be, sent to whom of one alert, oldest first."""
    o = tables.outbox
    return [_delivery(row) for row in connection.execute(_joined().where(o.c.alert_id == alert_id).order_by(o.c.seq))]


def replay(connection: Connection, delivery_id: str) -> None:
    """Have a delivery, or the digest it was part of, sent once more, with its old id. Raises NotFound."""
    o = tables.outbox
    row = connection.execute(select(o.c.seq, o.c.digest).where(o.c.id == delivery_id)).one_or_none()
    if row is None:
        raise NotFound(f"no delivery {delivery_id!r}")
    mine = o.c.seq == row.seq if row.digest is None else o.c.digest == row.digest
    again = {"state": State.WAITING.value, "first_ms": None, "next_ms": None, "done_ms": None}
    connection.execute(update(o).where(mine).values(again))


def _joined() -> Select[tuple[object, ...]]:
    o, e = tables.outbox, tables.alert_event
    return select(o, e.c.snapshot, e.c.change, e.c.by).join(e, o.c.event_id == e.c.id)


def _delivery(row: Row[tuple[object, ...]]) -> Delivery:
    values = row._mapping
    notice = Notice(str(values["id"]), thaw(str(values["snapshot"])), Change(values["change"]), values["by"])
    return Delivery(
        seq=values["seq"],
        id=values["id"],
        target=values["target"],
        state=State(values["state"]),
        notice=notice,
        created_ms=values["created_ms"],
        attempts=values["attempts"],
        digest=values["digest"],
        first_ms=values["first_ms"],
        next_ms=values["next_ms"],
        done_ms=values["done_ms"],
        code=values["status_code"],
        detail=values["detail"],
    )
