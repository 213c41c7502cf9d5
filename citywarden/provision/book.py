"""Which logins have been given credentials, and what their broker has not been told yet."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Engine, delete, insert, select, update

from citywarden.provision.tables import credentials

CHUNK = 500


class Pending(StrEnum):
    """A change that has been made here and not at the broker; CLAIM: the device may ask for its password, once."""

    NOTHING = ""
    CLAIM = "claim"
    PUT = "put"
    DISABLE = "disable"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Issued:
    """Credentials that were given out: the login, the digest of its password, when."""

    login: str
    digest: str
    issued_ms: int
    pending: Pending = Pending.NOTHING


class Book:
    """The table of credentials. Synchronous: for a thread, or a command."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> Mapping[str, Issued]:
        """Everything issued, by login."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(credentials)).all()
        return {row.login: Issued(row.login, row.digest, row.issued_ms, Pending(row.pending)) for row in rows}

    def find(self, login: str) -> Issued | None:
        with self._engine.connect() as connection:
            row = connection.execute(select(credentials).where(credentials.c.login == login)).one_or_none()
        return None if row is None else Issued(row.login, row.digest, row.issued_ms, Pending(row.pending))

    def put(self, issued: Iterable[Issued]) -> None:
        """Write them, new or not, in one transaction."""
        rows = [
            {"login": i.login, "digest": i.digest, "issued_ms": i.issued_ms, "pending": i.pending.value} for i in issued
        ]
        with self._engine.begin() as connection:
            for part in _chunks([str(row["login"]) for row in rows]):
                connection.execute(delete(credentials).where(credentials.c.login.in_(part)))
            if rows:
                connection.execute(insert(credentials), rows)

    def pend(self, logins: Sequence[str], pending: Pending) -> None:
        """Remember, or with NOTHING forget, that the broker is to be told."""
        with self._engine.begin() as connection:
            for part in _chunks(logins):
                query = update(credentials).where(credentials.c.login.in_(part))
                connection.execute(query.values(pending=pending.value))

    def forget(self, logins: Sequence[str]) -> None:
        """The logins have no credentials any more."""
        with self._engine.begin() as connection:
            for part in _chunks(logins):
                connection.execute(delete(credentials).where(credentials.c.login.in_(part)))


def _chunks(items: Sequence[str]) -> list[Sequence[str]]:
    return [items[at : at + CHUNK] for at in range(0, len(items), CHUNK)]
