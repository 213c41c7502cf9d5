"""How often somebody may try to log in: token buckets per user and per address, with the time passed in. Pure."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

KEPT = 10_000
"""Buckets remembered; the ones used longest ago go first."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`burst` failures at once, then one every `refill_ms`."""

    burst: int
    refill_ms: int


PER_USER = Pace(5, 30_000)
PER_ADDRESS = Pace(20, 6_000)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Tries left at a time."""

    left: float
    at_ms: int


def refilled(bucket: Bucket | None, pace: Pace, now_ms: int) -> Bucket:
    """The bucket as it is now; None is a full one. A clock that jumps back refills nothing."""
    if bucket is None:
        return Bucket(float(pace.burst), now_ms)
    gained = max(0, now_ms - bucket.at_ms) / pace.refill_ms
    return Bucket(min(float(pace.burst), bucket.left + gained), max(now_ms, bucket.at_ms))


def wait_ms(bucket: Bucket, pace: Pace) -> int:
    """Until there is a try left; 0 when there is one."""
    return max(0, round((1.0 - bucket.left) * pace.refill_ms))


class Tries:
    """Failed logins of everybody. In memory: a restart forgets them, and at most KEPT are remembered."""

    def __init__(self, per_user: Pace = PER_USER, per_address: Pace = PER_ADDRESS) -> None:
        self._paces = (per_user, per_address)
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()

    def take(self, user: str, address: str, now_ms: int) -> int:
        """Take one try; returns 0, or the ms to wait, and then nothing was taken."""
        keys = (("user", user.casefold()), ("address", address))
        found = [refilled(self._buckets.get(key), pace, now_ms) for key, pace in zip(keys, self._paces, strict=True)]
        waits = [wait_ms(bucket, pace) for bucket, pace in zip(found, self._paces, strict=True)]
        if any(waits):
            return max(waits)
        for key, bucket in zip(keys, found, strict=True):
            self._buckets[key] = Bucket(bucket.left - 1, bucket.at_ms)
            self._buckets.move_to_end(key)
        while len(self._buckets) > KEPT:
            self._buckets.popitem(last=False)
        return 0

    def forgive(self, user: str, address: str) -> None:
        """That was the right password: the user's failures are forgotten, the address gets its try back."""
        self._buckets.pop(("user", user.casefold()), None)
        key = ("address", address)
        if (bucket := self._buckets.get(key)) is not None:
            self._buckets[key] = Bucket(min(float(self._paces[1].burst), bucket.left + 1), bucket.at_ms)
