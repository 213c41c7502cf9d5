"""The embedded broker's accounts: a table that its gate reads, in whichever process it runs."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, insert, select, update

from citywarden.model.credential import is_ours, rights_of
from citywarden.provision.contract import Account, Grant, Refusal
from citywarden.provision.password import digest, matches
from citywarden.provision.tables import accounts

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """An account as it stands in the table."""

    login: str
    client_id: str | None
    digest: str
    allowed: bool
    revision: int

    def lets_in(self, password: str, client_id: str) -> bool:
        """Whether this password and client id are the account's."""
        fits = self.client_id == client_id if self.client_id is not None else client_id.startswith(f"{self.login}/")
        return self.allowed and fits and matches(password, self.digest)


class EmbeddedAccounts:
    """Accounts in the server's database. `ended`: called with the logins whose sessions are over, where the gate is in
    this process; one in another process sees the revision.
    """

    rebuilds = True

    def __init__(self, engine: Engine, ended: Callable[[Sequence[str]], None] | None = None) -> None:
        self._engine = engine
        self._ended = ended or (lambda _logins: None)

    async def put(self, grants: Sequence[Grant]) -> None:
        await asyncio.to_thread(self._put, grants)
        self._ended([g.account.login for g in grants if g.password is not None or not g.account.allowed])

    async def remove(self, logins: Sequence[str]) -> None:
        await asyncio.to_thread(self._change, logins, {"removed": True, "allowed": False})
        self._ended(logins)

    async def cut(self, logins: Sequence[str]) -> None:
        await asyncio.to_thread(self._change, logins, {})
        self._ended(logins)

    async def list(self) -> Sequence[Account]:
        def read() -> Sequence[Account]:
            query = select(accounts).where(accounts.c.removed.is_(False)).order_by(accounts.c.login)
            with self._engine.connect() as connection:
                rows = connection.execute(query).all()
            return [Account(r.login, r.client_id, rights_of(r.login), r.allowed) for r in rows if is_ours(r.login)]

        return await asyncio.to_thread(read)

    async def close(self) -> None:
        return None

    def find(self, login: str) -> Kept | None:
        """The account with its digest; None when there is none."""
        query = select(accounts).where(accounts.c.login == login, accounts.c.removed.is_(False))
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Kept(row.login, row.client_id, row.digest, row.allowed, row.revision)

    def changed_since(self, revision: int) -> Mapping[str, int]:
        """Accounts that have changed after `revision`, each with its own: sessions under an older one are over."""
        query = select(accounts.c.login, accounts.c.revision).where(accounts.c.revision > revision)
        with self._engine.connect() as connection:
            return {row.login: row.revision for row in connection.execute(query)}

    def revision(self) -> int:
        """The newest revision there is."""
        with self._engine.connect() as connection:
            return _newest(connection)

    def _put(self, grants: Sequence[Grant]) -> None:
        with self._engine.begin() as connection:
            revision = _next(connection)
            there: dict[str, bool] = {}
            for part in _chunks([g.account.login for g in grants]):
                query = select(accounts.c.login, accounts.c.removed).where(accounts.c.login.in_(part))
                there |= {row.login: row.removed for row in connection.execute(query)}
            fresh, changes = [], []
            for grant in grants:
                account = grant.account
                row = {"client_id": account.client_id, "allowed": account.allowed, "removed": False,
                       "revision": revision}  # fmt: skip
                kept = digest(grant.password) if grant.password is not None and not grant.digest else grant.digest
                if not kept and there.get(account.login, True):
                    raise Refusal(f"no account {account.login}: it needs a new password")
                if account.login not in there:
                    fresh.append({**row, "login": account.login, "digest": kept})
                else:
                    changes.append((account.login, {**row, "digest": kept} if kept else row))
            if fresh:
                connection.execute(insert(accounts), fresh)
            for login, row in changes:
                connection.execute(update(accounts).where(accounts.c.login == login).values(row))

    def _change(self, logins: Sequence[str], values: dict[str, object]) -> None:
        with self._engine.begin() as connection:
            revision = _next(connection)
            for part in _chunks(logins):
                changed = update(accounts).where(accounts.c.login.in_(part))
                connection.execute(changed.values(revision=revision, **values))


def _newest(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.max(accounts.c.revision), 0))).scalar_one())


def _next(connection: Connection) -> int:
    """One more than the newest. A write that changes nothing takes SQLite's lock first; PostgreSQL's table lock does
    the same, so that revisions become visible in their order.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE broker_account IN SHARE ROW EXCLUSIVE MODE")
    else:
        connection.execute(update(accounts).where(accounts.c.login == "").values(revision=0))
    return _newest(connection) + 1


def _chunks(items: Sequence[str]) -> list[Sequence[str]]:
    return [items[at : at + CHUNK] for at in range(0, len(items), CHUNK)]
