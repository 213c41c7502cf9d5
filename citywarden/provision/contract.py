"""What a broker must be able to do so that devices belong: accounts with rights, made, changed, taken away, listed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from citywarden.model.credential import Rights, client_of, rights_of
from citywarden.model.errors import CitywardenError


class Refusal(CitywardenError):
    """The broker answered, and it says no."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it is, or is to be, at a broker. `client_id` None: any. Not `allowed`: it can do nothing."""

    login: str
    client_id: str | None
    rights: Rights
    allowed: bool = True


@dataclass(frozen=True, slots=True)
class Grant:
    """An account to be put. Without `password` the broker keeps the one it has; `digest` is ours of that password."""

    account: Account
    password: str | None = None
    digest: str = ""

    def __repr__(self) -> str:
        return f"Grant({self.account!r}, {'new password' if self.password else 'same password'})"


class Provisioner(Protocol):
    """A broker's accounts. Every call is idempotent; each raises Unavailable when the broker is away, Refusal when it
    says no. What was done before an error stays done.
    """

    @property
    def rebuilds(self) -> bool:
        """Whether a lost account can be made again from its digest, without a new password."""

    async def put(self, grants: Sequence[Grant]) -> None:
        """Make the accounts exactly so. Whoever is not allowed any more, or has a new password, loses the session."""

    async def remove(self, logins: Sequence[str]) -> None:
        """Take accounts away and end their sessions; those that do not exist are fine."""

    async def cut(self, logins: Sequence[str]) -> None:
        """End sessions; the account stays."""

    async def list(self) -> Sequence[Account]:
        """All accounts that are ours by their login."""

    async def close(self) -> None: ...


def account_of(login: str, allowed: bool = True) -> Account:
    """The account that a login should have."""
    return Account(login, client_of(login), rights_of(login), allowed)
