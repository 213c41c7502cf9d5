"""Claim keys, who has asked, and the nonces of the last minutes, in the database."""

import secrets
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Engine, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from citywarden.model.claim import Asked, ClaimKey, Mode, State
from citywarden.model.device import DeviceKey
from citywarden.model.errors import NotFound
from citywarden.provision.claims import FRESH_MS
from citywarden.provision.tables import claim_keys, claim_nonces, claims

MAX_WAITING = 1000
"""Devices of a tenant that may wait for approval; further ones are not remembered."""


class ClaimBook:
    """Synchronous: for a thread, or a command."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all_keys(self) -> Sequence[ClaimKey]:
        with self._engine.connect() as connection:
            rows = connection.execute(select(claim_keys).order_by(claim_keys.c.tenant)).all()
        return [ClaimKey(r.tenant, r.secret, Mode(r.mode), r.made_ms) for r in rows]

    def key(self, tenant: str) -> ClaimKey | None:
        return next((key for key in self.all_keys() if key.tenant == tenant), None)

    def make_key(self, tenant: str, mode: Mode, now_ms: int) -> ClaimKey:
        """A new key; the old one is dead."""
        made = ClaimKey(tenant, secrets.token_urlsafe(32), mode, now_ms)
        self.keep_key(made)
        return made

    def keep_key(self, key: ClaimKey) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(claim_keys).where(claim_keys.c.tenant == key.tenant))
            row = {"tenant": key.tenant, "secret": key.secret, "mode": key.mode.value, "made_ms": key.made_ms}
            connection.execute(insert(claim_keys).values(row))

    def drop_key(self, tenant: str) -> None:
        """Nobody of the tenant claims any more. Raises NotFound."""
        with self._engine.begin() as connection:
            if connection.execute(delete(claim_keys).where(claim_keys.c.tenant == tenant)).rowcount == 0:
                raise NotFound(f"tenant {tenant} has no claim key")

    def first_time(self, tenant: str, nonce: str, ts_ms: int, now_ms: int) -> bool:
        """Whether the nonce is new; remembered for as long as its request could count."""
        with self._engine.begin() as connection:
            connection.execute(delete(claim_nonces).where(claim_nonces.c.ts_ms < now_ms - 2 * FRESH_MS))
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(claim_nonces).values(tenant=tenant, nonce=nonce, ts_ms=max(ts_ms, now_ms)))
        except IntegrityError:
            return False
        return True

    def state(self, key: DeviceKey) -> State | None:
        with self._engine.connect() as connection:
            word = connection.execute(select(claims.c.state).where(_is(key))).scalar_one_or_none()
        return None if word is None else State(word)

    def asked(self, tenant: str | None = None, state: State | None = None) -> Sequence[Asked]:
        """Who asked, newest first."""
        query = select(claims).order_by(claims.c.asked_ms.desc(), claims.c.id.desc())
        query = query if tenant is None else query.where(claims.c.tenant == tenant)
        query = query if state is None else query.where(claims.c.state == state.value)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [
            Asked(DeviceKey(r.tenant, r.kind, r.serial), State(r.state), r.asked_ms, r.decided_ms, r.decided_by)
            for r in rows
        ]

    def wait(self, key: DeviceKey, now_ms: int) -> bool:
        """The device waits for approval. False when too many do."""
        with self._engine.begin() as connection:
            if connection.execute(update(claims).where(_is(key)).values(asked_ms=now_ms)).rowcount:
                return True
            waiting = select(func.count()).where(claims.c.tenant == key.tenant, claims.c.state == State.WAITING.value)
            if connection.execute(waiting).scalar_one() >= MAX_WAITING:
                return False
            connection.execute(insert(claims).values(_row(key, State.WAITING, asked_ms=now_ms)))
            return True

    def settle(self, key: DeviceKey, state: State, by: str, now_ms: int) -> None:
        """How the device stands from now on, whoever decided it."""
        decided: dict[str, object] = {"state": state.value, "decided_ms": now_ms, "decided_by": by}
        with self._engine.begin() as connection:
            if not connection.execute(update(claims).where(_is(key)).values(decided)).rowcount:
                connection.execute(insert(claims).values({**_row(key, state, asked_ms=now_ms), **decided}))

    def find_waiting(self, tenant: str, serial: str, kind: str | None) -> Sequence[DeviceKey]:
        """Devices of a serial that wait or were rejected."""
        return [
            one.key for one in self.asked(tenant)
            if one.key.id == serial and kind in (None, one.key.kind) and one.state in (State.WAITING, State.REJECTED)
        ]  # fmt: skip


def _is(key: DeviceKey) -> ColumnElement[bool]:
    return (claims.c.tenant == key.tenant) & (claims.c.kind == key.kind) & (claims.c.serial == key.id)


def _row(key: DeviceKey, state: State, asked_ms: int) -> dict[str, object]:
    return {"tenant": key.tenant, "kind": key.kind, "serial": key.id, "state": state.value, "asked_ms": asked_ms}
