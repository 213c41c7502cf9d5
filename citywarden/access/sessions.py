"""Sessions of browsers: kept by the digest of their cookie; they end by idling, by age, and by hand."""

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from citywarden.access import tables
from citywarden.access.users import user_of
from citywarden.model.access import SessionNote, User

SEEN_EVERY_MS = 60_000
SHOWN = 12
"""Characters of a digest that name a session to people."""
_t = tables.session


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a session lasts."""

    idle_ms: int = 12 * 3_600_000
    longest_ms: int = 7 * 86_400_000


def digest_of(cookie: str) -> str:
    """What is kept of a cookie."""
    return hashlib.sha256(cookie.encode()).hexdigest()


def csrf_of(cookie: str) -> str:
    """What the forms of a session carry; it cannot be had without the cookie, nor the cookie from it."""
    return hashlib.sha256(b"form of " + cookie.encode()).hexdigest()[:32]


def begin(connection: Connection, user: str, address: str, agent: str, now_ms: int, terms: Terms) -> str:
    """A new session; returns the cookie, which is kept nowhere."""
    cookie = secrets.token_urlsafe(32)
    connection.execute(
        insert(_t).values(
            digest=digest_of(cookie), name=user, created_ms=now_ms, seen_ms=now_ms,
            expires_ms=now_ms + terms.longest_ms, address=address[:64], agent=agent[:200],
        )
    )  # fmt: skip
    return cookie


def find(connection: Connection, digest: str, now_ms: int, terms: Terms) -> User | None:
    """Whose session it is while it is good, and the user is; notes that it was seen."""
    joined = select(_t.c.seen_ms, tables.user).join(tables.user, tables.user.c.name == _t.c.name)
    row = connection.execute(
        joined.where(
            _t.c.digest == digest, _t.c.expires_ms > now_ms, _t.c.seen_ms > now_ms - terms.idle_ms,
            tables.user.c.enabled,
        )
    ).mappings().first()  # fmt: skip
    if row is None:
        return None
    if now_ms - int(row["seen_ms"]) >= SEEN_EVERY_MS:
        connection.execute(update(_t).where(_t.c.digest == digest).values(seen_ms=now_ms))
    return user_of(row)


def of_user(connection: Connection, user: str, now_ms: int, terms: Terms) -> list[SessionNote]:
    """A user's good sessions, last seen first."""
    rows = connection.execute(
        select(_t)
        .where(_t.c.name == user, _t.c.expires_ms > now_ms, _t.c.seen_ms > now_ms - terms.idle_ms)
        .order_by(_t.c.seen_ms.desc(), _t.c.digest)
    ).mappings()
    return [
        SessionNote(
            str(r["digest"])[:SHOWN], user, r["created_ms"], r["seen_ms"], r["expires_ms"], r["address"], r["agent"]
        )
        for r in rows
    ]


def end(connection: Connection, digest: str) -> None:
    connection.execute(delete(_t).where(_t.c.digest == digest))


def end_of_user(connection: Connection, user: str, keep: str = "", shown: str = "") -> int:
    """End a user's sessions but `keep` (a digest), or only the one people call `shown`; returns how many."""
    ending = delete(_t).where(_t.c.name == user, _t.c.digest != keep)
    if shown:
        ending = ending.where(_t.c.digest.startswith(shown, autoescape=True))
    return connection.execute(ending).rowcount


def sweep(connection: Connection, now_ms: int, terms: Terms) -> int:
    """Drop what has ended by itself; returns how many."""
    over = (_t.c.expires_ms <= now_ms) | (_t.c.seen_ms <= now_ms - terms.idle_ms)
    return connection.execute(delete(_t).where(over)).rowcount
