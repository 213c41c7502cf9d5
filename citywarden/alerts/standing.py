"""How the targets do: what waits for them, when they last took something, and what was wrong last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from citywarden.alerts import outbox, tables
from citywarden.alerts.inspection import blot_url
from citywarden.alerts.outbox import State, TargetState
from citywarden.alerts.target import Target
from citywarden.model.dispatch import TargetHealth


@dataclass(frozen=True, slots=True)
class Account:
    """What the database knows of the deliveries to one target."""

    waiting: int = 0
    ok_ms: int | None = None
    error_ms: int | None = None
    error: str | None = None
    remembered: TargetState = field(default_factory=TargetState)


def read_accounts(connection: Connection) -> dict[str, Account]:
    """By target, those too that are no longer configured but have messages waiting."""
    o, a = tables.outbox, tables.delivery_attempt
    waiting = outbox.count_waiting(connection)
    states = outbox.read_states(connection)
    taken = select(o.c.target, func.max(o.c.done_ms)).where(o.c.state == State.DELIVERED.value).group_by(o.c.target)
    took = {str(name): int(at_ms) for name, at_ms in connection.execute(taken)}
    last = (
        select(o.c.target, func.max(a.c.seq).label("seq"))
        .join(o, o.c.seq == a.c.delivery)
        .where(a.c.state != State.DELIVERED.value)
        .group_by(o.c.target)
        .subquery()
    )
    failed: dict[str, tuple[int | None, str | None]] = {
        str(name): (int(at_ms), detail)
        for name, at_ms, detail in connection.execute(
            select(last.c.target, a.c.at_ms, a.c.detail).join(a, a.c.seq == last.c.seq)
        )
    }
    names = {*waiting, *states, *took, *failed}
    found: dict[str, Account] = {}
    for name in names:
        error_ms, error = failed.get(name, (None, None))
        state = states.get(name, TargetState())
        found[name] = Account(waiting.get(name, 0), took.get(name), error_ms, error, state)
    return found


def standings(
    targets: Sequence[Target], accounts: Mapping[str, Account], troubles: Mapping[str, str], now_ms: int
) -> list[TargetHealth]:
    """Every target in the order of the configuration, then those that are gone and still have something waiting.

    `troubles`: what is wrong with a target now, in words.
    """
    known = {target.name for target in targets}
    shown = [_standing(t, accounts.get(t.name, Account()), troubles.get(t.name), now_ms) for t in targets]
    gone = [
        TargetHealth(name, "", "", "gone", account.waiting, account.ok_ms, account.error_ms, account.error)
        for name, account in sorted(accounts.items())
        if name not in known and account.waiting
    ]
    return shown + gone


def _standing(target: Target, account: Account, trouble: str | None, now_ms: int) -> TargetHealth:
    remembered = account.remembered
    state, since_ms = "ok", None
    if remembered.disabled_ms is not None:
        state, since_ms = "disabled", remembered.disabled_ms
    elif remembered.held_until_ms is not None and remembered.held_until_ms > now_ms:
        state, since_ms = "held", remembered.held_until_ms
    elif trouble or (account.waiting and (account.error_ms or 0) > (account.ok_ms or 0)):
        state = "failing"
    error = trouble or account.error or remembered.detail
    return TargetHealth(
        target.name, target.format, blot_url(target.url), state, account.waiting, account.ok_ms, account.error_ms,
        error, since_ms,
    )  # fmt: skip
