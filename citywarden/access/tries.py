"""How often somebody may try to log in: token buckets per user and per address, kept in the database over a restart.
The time is passed in.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from citywarden.access import tables

KEPT = 10_000
"""Buckets kept; the ones used longest ago go first."""
FULL = 0.999_999
"""Of a burst: what counts as full, for time comes in whole ms."""
_t = tables.bucket


@dataclass(frozen=True, slots=True)
class Pace:
    """`burst` failures at once, then one every `refill_ms`."""

    burst: int
    refill_ms: int


PER_USER = Pace(5, 30_000)
PER_ADDRESS = Pace(20, 6_000)
LONGEST_MS = max(pace.burst * pace.refill_ms for pace in (PER_USER, PER_ADDRESS))
"""After so long every bucket is full again, and says no more than none."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Tries left at a time."""

    left: float
    at_ms: int


def refilled(bucket: Bucket | None, pace: Pace, now_ms: int) -> Bucket:
    """The bucket as it is now; None is a full one. A clock that steps back refills nothing; a bucket of a time to come
    was kept while the clock was wrong, and must not keep anybody out until then.
    """
    if bucket is None or bucket.at_ms > now_ms + LONGEST_MS:
        return Bucket(float(pace.burst), now_ms)
    gained = max(0, now_ms - bucket.at_ms) / pace.refill_ms
    return Bucket(min(float(pace.burst), bucket.left + gained), max(now_ms, bucket.at_ms))


def wait_ms(bucket: Bucket, pace: Pace) -> int:
    """Until there is a try left; 0 when there is one."""
    return max(0, round((1.0 - bucket.left) * pace.refill_ms))


def take(connection: Connection, user: str, address: str, now_ms: int) -> int:
    """Take one try; returns 0, or the ms to wait, and then nothing was taken."""
    keys, paces = _keys(user, address), (PER_USER, PER_ADDRESS)
    known = _read(connection, keys)
    found = [refilled(known.get(key), pace, now_ms) for key, pace in zip(keys, paces, strict=True)]
    waits = [wait_ms(bucket, pace) for bucket, pace in zip(found, paces, strict=True)]
    if any(waits):
        return max(waits)
    _write(connection, {key: Bucket(one.left - 1, one.at_ms) for key, one in zip(keys, found, strict=True)})
    _forget(connection, now_ms)
    return 0


def forgive(connection: Connection, user: str, address: str) -> None:
    """That was the right password: the user's failures are forgotten, the address gets its try back."""
    of_user, of_address = _keys(user, address)
    bucket = _read(connection, [of_address]).get(of_address)
    connection.execute(delete(_t).where(_t.c.digest == of_user))
    if bucket is None:
        return
    back = Bucket(min(float(PER_ADDRESS.burst), bucket.left + 1), bucket.at_ms)
    if back.left >= PER_ADDRESS.burst * FULL:
        connection.execute(delete(_t).where(_t.c.digest == of_address))
    else:
        _write(connection, {of_address: back})


def _keys(user: str, address: str) -> tuple[str, str]:
    """Digests of a user's name, whatever its case, and of an address."""
    told = (f"user {user.casefold()}", f"address {address}")
    first, second = (hashlib.sha256(one.encode("utf-8", "replace")).hexdigest() for one in told)
    return first, second


def _read(connection: Connection, keys: Sequence[str]) -> dict[str, Bucket]:
    rows = connection.execute(select(_t).where(_t.c.digest.in_(keys)))
    return {row.digest: Bucket(row.left, row.at_ms) for row in rows}


def _write(connection: Connection, buckets: dict[str, Bucket]) -> None:
    connection.execute(delete(_t).where(_t.c.digest.in_(buckets)))
    connection.execute(
        insert(_t), [{"digest": key, "left": one.left, "at_ms": one.at_ms} for key, one in buckets.items()]
    )


def _forget(connection: Connection, now_ms: int) -> None:
    """Drop what is full again, and what is too much."""
    connection.execute(delete(_t).where(_t.c.at_ms < now_ms - LONGEST_MS))
    over = (connection.scalar(select(func.count()).select_from(_t)) or 0) - KEPT
    if over > 0:
        oldest = select(_t.c.digest).order_by(_t.c.at_ms, _t.c.digest).limit(over)
        connection.execute(delete(_t).where(_t.c.digest.in_(oldest)))
