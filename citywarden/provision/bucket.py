"""Token buckets: so many at once, then so many a minute. Pure: time is passed in."""

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """`burst` at once, `per_min` after that."""

    burst: float
    per_min: float


class Buckets:
    """One bucket a name, the latest `limit` names; a name that was forgotten begins with a full one."""

    def __init__(self, pace: Pace, limit: int = 10_000) -> None:
        self._pace = pace
        self._limit = limit
        self._left: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, name: str, now_ms: int) -> bool:
        """Take one, if there is one."""
        left, at_ms = self._left.pop(name, (self._pace.burst, now_ms))
        left = min(self._pace.burst, left + max(0, now_ms - at_ms) * self._pace.per_min / 60_000)
        taken = left >= 1
        self._left[name] = (left - taken, max(at_ms, now_ms))
        if len(self._left) > self._limit:
            self._left.popitem(last=False)
        return taken
