"""What somebody is about to do, written down before it is done.

intend --> the change, wherever it is made --> settle: the entry is added and the intention taken away, in one
transaction. A process that dies between the two leaves the intention, and that becomes an entry `ACTION.unfinished`.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

from sqlalchemy import Connection, Engine, delete, insert, select

from citywarden.access import audit, tables
from citywarden.model.errors import CitywardenError, HalfDone, Unavailable
from citywarden.model.identity import AuditNote, Identity, Intent, note_of

UNFINISHED = "unfinished"
"""What an action's name ends with when nobody knows whether it took effect."""
_t = tables.intention


def intend(engine: Engine, who: Identity, intent: Intent, now_ms: int) -> str:
    """Write down what is about to be done; returns what it is settled by. Raises Unavailable: then leave it."""
    key = uuid4().hex
    notes = [audit.cleaned(note) for note in _notes(who, intent, now_ms)]
    rows = [{"id": key, "place": place} | audit.row_of(note) for place, note in enumerate(notes)]
    if rows:
        audit.writing(engine, lambda connection: connection.execute(insert(_t), rows))
    return key


def settle(
    engine: Engine, key: str, who: Identity, intent: Intent, now_ms: int, error: Exception | None = None
) -> None:  # fmt: skip
    """Enter what became of it, and take the intention away. Raises Unavailable: then it stands."""
    notes = _notes(who, outcome(intent, error), now_ms)

    def work(connection: Connection) -> None:
        connection.execute(delete(_t).where(_t.c.id == key))
        audit.add(connection, notes)

    audit.writing(engine, work)


def outcome(intent: Intent, error: Exception | None) -> Intent:
    """What is entered of an intention that ended so. A refusal has changed nothing, and is no entry."""
    match error:
        case None:
            return intent
        case HalfDone():
            return replace(intent, detail=str(error))
        case CitywardenError() if not isinstance(error, Unavailable):
            return replace(intent, subjects=[])
        case Unavailable():
            return _unsure(intent, str(error))
    return _unsure(intent, type(error).__name__)


def standing(connection: Connection) -> list[AuditNote]:
    """What is under way, or was broken off, oldest first."""
    return [
        audit.note_in(row)
        for row in connection.execute(select(_t).order_by(_t.c.at_ms, _t.c.id, _t.c.place)).mappings()
    ]


def give_up(connection: Connection, before_ms: int) -> int:
    """Enter what was begun before a time and never ended, as of when it was begun; returns how many entries."""
    old = connection.execute(delete(_t).where(_t.c.at_ms < before_ms).returning(*_t.c)).mappings().all()
    notes = [audit.note_in(row) for row in sorted(old, key=lambda row: (row["at_ms"], row["id"], row["place"]))]
    audit.add(connection, [
        replace(note, action=f"{note.action}.{UNFINISHED}", detail=_said(note.detail, "the process ended"))
        for note in notes
    ])  # fmt: skip
    return len(notes)


def _unsure(intent: Intent, why: str) -> Intent:
    return replace(intent, action=f"{intent.action}.{UNFINISHED}", detail=_said(intent.detail, why))


def _said(detail: str, why: str) -> str:
    return "; ".join(filter(None, (detail, f"broken off, it may have taken effect: {why}")))


def _notes(who: Identity, intent: Intent, now_ms: int) -> Sequence[AuditNote]:
    return [note_of(who, intent.action, subject, intent.detail, now_ms) for subject in intent.subjects]
