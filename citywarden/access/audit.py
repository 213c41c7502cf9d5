"""The record of changes: only ever added to, each entry holding the digest of the one before."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from typing import TypeVar

from sqlalchemy import Connection, Engine, delete, func, insert, or_, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from citywarden.access import tables
from citywarden.model.access import AuditEntry, AuditQuery, Chain, Head
from citywarden.model.errors import Unavailable
from citywarden.model.identity import AuditNote
from citywarden.model.page import Page
from citywarden.model.wire import timestamp

R = TypeVar("R")
START = "0" * 64
"""What the first entry follows."""
TRIES = 50
"""Writers that may come first before one gives up."""
DETAIL = 4000
CUT, CUTTER = "audit.cut", "server"
"""The entry that says which ones were cut for their age, and who writes it."""
_t = tables.audit


def digest_of(previous: str, note: AuditNote) -> str:
    """SHA-256 of the entry before and of everything the note says."""
    return hashlib.sha256(json.dumps([previous, *astuple(note)], ensure_ascii=True).encode()).hexdigest()


def append(engine: Engine, note: AuditNote) -> AuditEntry:
    """Add a note at the end, whoever else is writing. Raises Unavailable when the database does not take it."""
    return writing(engine, lambda connection: add(connection, [note]))[0]


def writing(engine: Engine, work: Callable[[Connection], R]) -> R:
    """Work that ends with `add`, in one transaction: done again from the start when another writer of the record was
    first. Raises Unavailable when the database does not take it.
    """
    for _ in range(TRIES):
        try:
            with engine.begin() as connection:
                return work(connection)
        except IntegrityError:
            continue
        except SQLAlchemyError as error:
            raise Unavailable(f"the database does not answer: {error.__cause__ or error}") from None
    raise Unavailable("the audit cannot be written: too many writers")


def add(connection: Connection, notes: Sequence[AuditNote]) -> list[AuditEntry]:
    """The same within a transaction. Raises IntegrityError when another writer was first."""
    previous, entries = _head(connection), list[AuditEntry]()
    for note in map(cleaned, notes):
        digest = digest_of(previous, note)
        made = connection.execute(insert(_t).values(**row_of(note), previous=previous, digest=digest))
        key = made.inserted_primary_key
        assert key is not None
        entries.append(AuditEntry(int(key[0]), note, previous, digest))
        previous = digest
    return entries


def find(connection: Connection, query: AuditQuery) -> Page[AuditEntry]:
    """Entries that fit, newest first; the cursor is the number of the last one of the page before."""
    wanted = select(_t).order_by(_t.c.number.desc()).limit(query.limit + 1)
    if query.since_ms is not None:
        wanted = wanted.where(_t.c.at_ms >= query.since_ms)
    if query.until_ms is not None:
        wanted = wanted.where(_t.c.at_ms < query.until_ms)
    if query.by is not None:
        wanted = wanted.where(_t.c.by == query.by)
    if query.action is not None:
        below = _t.c.action.startswith(f"{query.action}.", autoescape=True)
        wanted = wanted.where(or_(_t.c.action == query.action, below))
    if query.tenant is not None:
        wanted = wanted.where(_t.c.tenant == query.tenant)
    if query.cursor is not None:
        wanted = wanted.where(_t.c.number < (int(query.cursor) if query.cursor.isdigit() else 0))
    entries = [entry_of(row) for row in connection.execute(wanted).mappings()]
    page = entries[: query.limit]
    return Page(page, str(page[-1].number) if len(entries) > query.limit else None)


def head(connection: Connection) -> Head | None:
    """The last entry; None while there is none."""
    row = connection.execute(select(_t.c.number, _t.c.digest).order_by(_t.c.number.desc()).limit(1)).first()
    return None if row is None else Head(row.number, row.digest)


def cut(connection: Connection, before_ms: int, now_ms: int) -> int:
    """Take out the entries from before a time, and say so in an entry that holds the digest of the last of them: what
    is left is checked against that. The newest entry stays. Returns the number of the first that is left, 0 when
    nothing was cut.
    """
    young = connection.scalar(select(func.min(_t.c.number)).where(_t.c.at_ms >= before_ms))
    first = young if young is not None else connection.scalar(select(func.max(_t.c.number)))
    old = _t.c.number < (first or 0)
    last = connection.execute(select(_t).where(old).order_by(_t.c.number.desc()).limit(1)).mappings().first()
    if last is None or first is None:
        return 0
    count = connection.scalar(select(func.count()).where(old))
    said = f"{count} entries up to number {last['number']}, of {timestamp(last['at_ms'])}"
    add(connection, [AuditNote(now_ms, CUTTER, None, CUT, last["digest"], said)])
    connection.execute(delete(_t).where(old))
    return int(first)


def verify(connection: Connection, noted: Sequence[Head] = ()) -> Chain:
    """Check every digest. Entries cut off at the end show only against a head `noted` elsewhere."""
    previous, count, number, first = "", 0, 0, 0
    base, cuts, sought = START, set[str](), {one.digest: one for one in noted}
    for row in connection.execute(select(_t).order_by(_t.c.number)).mappings():
        entry = entry_of(row)
        if not count:
            base = previous = entry.previous
            first = entry.number
        if entry.previous != previous or entry.digest != digest_of(previous, entry.note):
            return Chain(count, previous, entry.number, number, noted=len(noted))
        if entry.note.action == CUT:
            cuts.add(entry.note.subject)
        sought.pop(entry.digest, None)
        previous, count, number = entry.digest, count + 1, entry.number
    if base not in (START, *cuts):
        return Chain(count, previous, first, number, noted=len(noted))
    cut_to = first - 1 if base != START else 0
    sought.pop(base, None)
    lost = [one for one in sought.values() if not 0 < one.number <= cut_to]
    lost.sort(key=lambda one: one.number)
    return Chain(count, previous or START, None, number, cut_to, len(noted), lost[0] if lost else None)


def entry_of(row: RowMapping) -> AuditEntry:
    """A row as an entry."""
    return AuditEntry(row["number"], note_in(row), row["previous"], row["digest"])


def note_in(row: RowMapping) -> AuditNote:
    """What a row says of a change."""
    return AuditNote(
        row["at_ms"], row["by"], row["tenant"], row["action"], row["subject"], row["detail"], row["source"]
    )


def row_of(note: AuditNote) -> dict[str, object]:
    """What a note is in a row."""
    return {
        "at_ms": note.at_ms, "by": note.by, "tenant": note.tenant, "action": note.action, "subject": note.subject,
        "detail": note.detail, "source": note.source,
    }  # fmt: skip


def _head(connection: Connection) -> str:
    return connection.scalar(select(_t.c.digest).order_by(_t.c.number.desc()).limit(1)) or START


def cleaned(note: AuditNote) -> AuditNote:
    """The note as every database takes it, and no longer than an entry may be."""
    return replace(
        note,
        by=_clean(note.by, 200),
        action=_clean(note.action, 100),
        subject=_clean(note.subject, DETAIL),
        detail=_clean(note.detail, DETAIL),
        source=_clean(note.source, 200),
    )


def _clean(text: str, longest: int) -> str:
    """What every database takes: no NUL, no half of a surrogate pair."""
    return text[:longest].replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
