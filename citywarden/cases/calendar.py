"""Working time: business hours on business days, make-up working days and substituted holidays included.

Which days are worked is asked of a function that refuses a year it does not know; nothing here guesses.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

import chinese_calendar

from citywarden.model.casetime import Clock, Limit
from citywarden.model.errors import CitywardenError

MINUTE_MS = 60_000
Works = Callable[[date], bool]


class UnknownYear(CitywardenError):
    """Whether the days of `year` are worked is not known yet."""

    def __init__(self, year: int) -> None:
        super().__init__(f"the working days of {year} are not known: name them in the table of deadlines, or update")
        self.year = year


def china(day: date) -> bool:
    """Whether mainland China works on a day, by the State Council's notices. Raises UnknownYear."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        raise UnknownYear(day.year) from None


def with_exceptions(works: Works, off: frozenset[date], on: frozenset[date], known: frozenset[int]) -> Works:
    """`works` with days of one's own; in a `known` year weekends are free unless it says otherwise."""

    def answer(day: date) -> bool:
        if day in off:
            return False
        if day in on:
            return True
        return day.weekday() < 5 if day.year in known else works(day)

    return answer


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Business hours of a place. `hours`: (from, to) in minutes of the local day, ascending, not overlapping."""

    zone: tzinfo
    works: Works = china
    hours: tuple[tuple[int, int], ...] = ((9 * 60, 12 * 60), (14 * 60, 18 * 60))

    def due(self, start_ms: int, limit: Limit) -> int:
        """When `limit` has passed since `start_ms`. Raises UnknownYear.

        Business days: the day of the start is not counted, and the last one ends when business does.
        """
        if limit.clock is Clock.NATURAL:
            return start_ms + limit.amount * MINUTE_MS
        if limit.clock is Clock.BUSINESS_HOURS:
            return self._after_business(start_ms, limit.amount * MINUTE_MS)
        day, left = self._local(start_ms).date(), limit.amount
        while left > 0:
            day += timedelta(days=1)
            left -= self.works(day)
        return self._ms(day, self.hours[-1][1])

    def business_ms(self, start_ms: int, stop_ms: int) -> int:
        """Business time between two moments, ms. Raises UnknownYear."""
        return sum(max(0, min(end, stop_ms) - max(begin, start_ms)) for begin, end in self._spans(start_ms, stop_ms))

    def warn(self, start_ms: int, due_ms: int, limit: Limit, share: float) -> int:
        """When `share` (0 to 1) of the time from start to due has passed, by the limit's clock. Raises UnknownYear."""
        if limit.clock is Clock.NATURAL:
            return start_ms + round((due_ms - start_ms) * share)
        return self._after_business(start_ms, round(self.business_ms(start_ms, due_ms) * share))

    def _after_business(self, start_ms: int, left_ms: int) -> int:
        for begin, end in self._spans(start_ms, None):
            from_ms = max(begin, start_ms)
            if from_ms + left_ms <= end:
                return from_ms + left_ms
            left_ms -= max(0, end - from_ms)
        raise AssertionError("unreachable: the spans have no end")

    def _spans(self, start_ms: int, stop_ms: int | None) -> Iterator[tuple[int, int]]:
        """Business hours that end after the start, in order, until the stop (None: without end)."""
        day = self._local(start_ms).date()
        while stop_ms is None or self._ms(day, 0) < stop_ms:
            if self.works(day):
                for begin, end in self.hours:
                    span = (self._ms(day, begin), self._ms(day, end))
                    if span[1] > start_ms:
                        yield span
            day += timedelta(days=1)

    def _local(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms / 1000, self.zone)

    def _ms(self, day: date, minute: int) -> int:
        moment = datetime.combine(day, time(), self.zone) + timedelta(minutes=minute)
        return round(moment.timestamp() * 1000)
