"""A broker's accounts in memory, which can be away, and an enrolment on top of it."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Engine

from citywarden.model.errors import Unavailable
from citywarden.provision.book import Book
from citywarden.provision.claimbook import ClaimBook
from citywarden.provision.contract import Account, Grant, Refusal
from citywarden.serve.claimoffice import ClaimOffice, claiming
from citywarden.serve.enrolment import Enrolment
from ingest.registry import Registry
from tests.builders import KINDS, NOON_MS
from tests.record import Record


class Broker:
    """Keeps accounts and passwords; `away`: nothing works; `full`: how many accounts it takes."""

    rebuilds = False

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.passwords: dict[str, str] = {}
        self.ended: list[str] = []
        self.away = False
        self.full = 1000

    async def put(self, grants: Sequence[Grant]) -> None:
        self._answer()
        for grant in grants:
            account = grant.account
            if account.login not in self.accounts and grant.password is None:
                raise Refusal(f"no account {account.login}")
            if account.login not in self.accounts and len(self.accounts) >= self.full:
                raise Refusal("no room")
            self.accounts[account.login] = account
            if grant.password is not None:
                self.passwords[account.login] = grant.password
            if grant.password is not None or not account.allowed:
                self.ended.append(account.login)

    async def remove(self, logins: Sequence[str]) -> None:
        self._answer()
        for login in logins:
            self.accounts.pop(login, None)
            self.passwords.pop(login, None)
            self.ended.append(login)

    async def cut(self, logins: Sequence[str]) -> None:
        self._answer()
        self.ended += logins

    async def list(self) -> Sequence[Account]:
        self._answer()
        return list(self.accounts.values())

    async def close(self) -> None:
        return None

    def tamper(self, login: str, **changes: object) -> None:
        self.accounts[login] = replace(self.accounts[login], **changes)  # type: ignore[arg-type]

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("the broker is away")


class Office:
    """Registry, broker, claims and a clock that stands until it is moved."""

    def __init__(self, engine: Engine) -> None:
        self.now_ms = NOON_MS
        self.broker = Broker()
        self.book = Book(engine)
        self.claimbook = ClaimBook(engine)
        self.registry = Registry(engine)
        self.record = Record()
        self.enrolment = Enrolment(
            self.registry, self.book, self.broker, self.clock, claiming=claiming(self.claimbook)
        )  # fmt: skip
        self.claims = ClaimOffice(self.enrolment, self.claimbook, KINDS.keys(), self.record.doing, self.clock)

    def clock(self) -> int:
        return self.now_ms
