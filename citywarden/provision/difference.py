"""What a broker has against what it should have. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from citywarden.provision.contract import Account


class Fault(StrEnum):
    """How an account differs, the worst first."""

    ALLOWED = "allowed"
    RIGHTS = "rights"
    CLIENT_ID = "client_id"
    EXTRA = "extra"
    MISSING = "missing"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Difference:
    """One account that is not as it should be. `wanted` None: there should be none."""

    login: str
    fault: Fault
    wanted: Account | None
    what: str


def compare(wanted: Iterable[Account], found: Iterable[Account]) -> Sequence[Difference]:
    """Every difference, one an account, the most dangerous first."""
    there = {account.login: account for account in found}
    differences = [d for account in wanted if (d := _against(account, there.pop(account.login, None)))]
    differences += [
        Difference(login, Fault.EXTRA, None, "the broker lets in what is not registered")
        for login in there
    ]  # fmt: skip
    order = list(Fault)
    return sorted(differences, key=lambda d: (order.index(d.fault), d.login))


def _against(wanted: Account, found: Account | None) -> Difference | None:
    if found is None:
        if not wanted.allowed:
            return None
        return Difference(wanted.login, Fault.MISSING, wanted, "registered, but the broker does not know it")
    if found.allowed and not wanted.allowed:
        return Difference(wanted.login, Fault.ALLOWED, wanted, "disabled here, but the broker lets it in")
    if wanted.allowed and not found.allowed:
        return Difference(wanted.login, Fault.REFUSED, wanted, "enabled here, but the broker refuses it")
    if found.allowed and found.rights != wanted.rights:
        return Difference(wanted.login, Fault.RIGHTS, wanted, _rights(wanted, found))
    if found.client_id != wanted.client_id:
        what = f"client id {found.client_id or '(any)'}, should be {wanted.client_id or '(any)'}"
        return Difference(wanted.login, Fault.CLIENT_ID, wanted, what)
    return None


def _rights(wanted: Account, found: Account) -> str:
    has, should = _named(found), _named(wanted)
    more = ", ".join(sorted(has - should))
    less = ", ".join(sorted(should - has))
    return "; ".join(part for part in (f"may also {more}" if more else "", f"may not {less}" if less else "") if part)


def _named(account: Account) -> set[str]:
    rights = account.rights
    return {f"publish {t}" for t in rights.publish} | {f"subscribe {t}" for t in rights.subscribe}
