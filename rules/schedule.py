"""Daily hours in a tenant's time zone, over midnight and over changes of the clock."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from citywarden.columns import Bools, Ints

EXPECTED = "daily hours such as 22:00-06:00"
_DAY_MS = 86_400_000
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")


@dataclass(frozen=True, slots=True)
class Schedule:
    """From `start_min` to before `end_min`, minutes of the local day; an end before the start is on the next day.

    A local time that the clock skips counts as the instant it would have been without the change; of one that comes
    twice the first counts.
    """

    start_min: int
    end_min: int

    def active(self, at_ms: Ints, timezone: ZoneInfo) -> Bools:
        """Which of the instants lie within the hours."""
        periods = np.array(self._periods(at_ms, timezone), np.int64).reshape(-1, 2)
        last = np.searchsorted(periods[:, 0], at_ms, "right") - 1
        inside: Bools = (last >= 0) & (at_ms < periods[last, 1])
        return inside

    def last_start_ms(self, at_ms: Ints, timezone: ZoneInfo) -> Ints:
        """For each instant the newest start of the hours that is not after it."""
        starts = np.array([start for start, _ in self._periods(at_ms, timezone)], np.int64)
        return starts[np.searchsorted(starts, at_ms, "right") - 1]

    def last_end_ms(self, at_ms: Ints, timezone: ZoneInfo) -> Ints:
        """For each instant the newest end of the hours that is not after it."""
        ends = np.array(sorted(end for _, end in self._periods(at_ms, timezone)), np.int64)
        return ends[np.searchsorted(ends, at_ms, "right") - 1]

    def _periods(self, at_ms: Ints, timezone: ZoneInfo) -> list[tuple[int, int]]:
        days = {int(day) + shift for day in np.unique(at_ms // _DAY_MS) for shift in (-3, -2, -1, 0, 1)}
        return [_period(self, day, timezone) for day in sorted(days)]


@lru_cache(maxsize=4096)
def _period(schedule: Schedule, day: int, timezone: ZoneInfo) -> tuple[int, int]:
    """Start and end (ms) of the hours that begin on the `day`-th local date since 1970-01-01."""
    begins = date(1970, 1, 1) + timedelta(days=day)
    ends = begins if schedule.end_min > schedule.start_min else begins + timedelta(days=1)
    start_ms, end_ms = _instant(begins, schedule.start_min, timezone), _instant(ends, schedule.end_min, timezone)
    return start_ms, max(start_ms, end_ms)


def _instant(day: date, minute: int, timezone: ZoneInfo) -> int:
    days, minute = divmod(minute, 1440)
    local = datetime.combine(day + timedelta(days=days), time(minute // 60, minute % 60), timezone)
    return round(local.astimezone(UTC).timestamp() * 1000)


def read_schedule(text: str) -> Schedule | None:
    """The schedule of `22:00-06:00`, or None when it is not one (the same time twice is none either)."""
    match = _HOURS.fullmatch(text.strip())
    if match is None:
        return None
    start = int(match[1]) * 60 + int(match[2])
    end = 1440 if match[5] else int(match[3]) * 60 + int(match[4])
    return None if start == end else Schedule(start, end)
