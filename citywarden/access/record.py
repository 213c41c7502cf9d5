"""The record of changes of one server: its entries, what is under way, and its ends noted outside the database."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from citywarden.access import audit, intentions
from citywarden.access.heads import Heads
from citywarden.model.access import AuditEntry, AuditQuery, Chain, Head
from citywarden.model.errors import Unavailable
from citywarden.model.identity import AuditNote, Identity, Intent, note_of
from citywarden.model.page import Page

R = TypeVar("R")


class Record:
    """The record. `heads`: where its ends are noted beside the database. Raises Unavailable."""

    def __init__(self, engine: Engine, heads: Heads | None = None) -> None:
        self.engine = engine
        self.heads = heads

    def intend(self, who: Identity, intent: Intent, now_ms: int) -> str:
        """See `intentions.intend`."""
        return intentions.intend(self.engine, who, intent, now_ms)

    def settle(self, key: str, who: Identity, intent: Intent, now_ms: int, error: Exception | None = None) -> None:
        """See `intentions.settle`."""
        intentions.settle(self.engine, key, who, intent, now_ms, error)

    def note(self, who: Identity, action: str, subject: str, detail: str, now_ms: int) -> AuditEntry:
        """Record what was done."""
        return audit.append(self.engine, note_of(who, action, subject, detail, now_ms))

    def standing(self) -> list[AuditNote]:
        """What is under way, or was broken off and is not in the record yet, oldest first."""
        return self._do(intentions.standing)

    def give_up(self, before_ms: int) -> int:
        """See `intentions.give_up`."""
        return self._change(lambda c: intentions.give_up(c, before_ms))

    def find(self, query: AuditQuery) -> Page[AuditEntry]:
        return self._do(lambda c: audit.find(c, query))

    def verify(self, noted: Sequence[Head] = ()) -> Chain:
        """Check the whole record, against the heads noted in the file too. Raises CitywardenError."""
        heads = [*noted, *(self.heads.read() if self.heads else ())]
        return self._do(lambda c: audit.verify(c, heads))

    def note_head(self, now_ms: int) -> Head | None:
        """Note the present end of the record outside the database; returns it, None where there is no record yet."""
        head = self._do(audit.head)
        if head is not None and self.heads is not None:
            self.heads.note(head, now_ms)
        return head

    def cut(self, before_ms: int, now_ms: int) -> int:
        """Take out what is older, see `audit.cut`. The heads of what is gone are forgotten, too."""
        first = self._change(lambda c: audit.cut(c, before_ms, now_ms))
        if first and self.heads is not None:
            self.heads.forget(first)
        return first

    def _change(self, work: Callable[[Connection], R]) -> R:
        """A change together with its entry: both, or neither."""
        return audit.writing(self.engine, work)

    def _do(self, work: Callable[[Connection], R]) -> R:
        try:
            with self.engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise Unavailable(f"the database does not answer: {error.__cause__ or error}") from None


def enter(connection: Connection, who: Identity, action: str, subject: str, detail: str, now_ms: int) -> None:
    """The entry of a change, in the change's own transaction; the last thing of it: see `audit.writing`."""
    audit.add(connection, [note_of(who, action, subject, detail, now_ms)])
