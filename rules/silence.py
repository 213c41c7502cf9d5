"""No data: a device that has not sent for too long, found by the clock and not by a message.

Silence counts from the newest event time, but not from before the device has been watched (server start, enrolment) or
before the rule's hours began. It ends only with data that is itself fresh: a back-fill of old readings does not end it.
"""

from zoneinfo import ZoneInfo

import numpy as np

from citywarden.columns import Ints
from rules.roster import NEVER_MS, Roster
from rules.rulebook import Rule


class Silence:
    """Which devices a rule with `no_data` has reported as silent."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.after_ms = rule.no_data_ms or 0
        self.silent = np.zeros(0, np.bool_)
        self.next_ms = NEVER_MS
        """No device falls silent before."""
        self.swept_ms = NEVER_MS

    def grow(self, room: int) -> None:
        """Make room for `room` devices."""
        more = room - len(self.silent)
        if more > 0:
            self.silent = np.append(self.silent, np.zeros(more, np.bool_))

    def stir(self) -> None:
        """Devices were enrolled or columns written from outside: look at all the next time."""
        self.next_ms = self.swept_ms = NEVER_MS

    def back(self, roster: Roster, slots: Ints, now_ms: int) -> Ints:
        """The silent ones of `slots` that have sent fresh data; they are silent no more."""
        if not self.silent[slots].any():
            return slots[:0]
        heard = slots[self.silent[slots] & (now_ms - roster.newest_ms[slots] < self.after_ms)]
        self.silent[heard] = False
        self.next_ms = NEVER_MS
        return heard

    def pass_time(self, roster: Roster, now_ms: int, timezone: ZoneInfo) -> tuple[Ints, Ints, Ints, int]:
        """Slots that fell silent by `now_ms` and since when they count; slots freed by the end of the hours, and it."""
        ended, end_ms = self._end(now_ms, timezone)
        nobody = np.zeros(0, np.int64)
        if now_ms < self.next_ms:
            return nobody, nobody, ended, end_ms
        since_ms = np.maximum(roster.newest_ms, roster.watched_ms)
        if self.rule.schedule is not None:
            now = np.array([now_ms])
            if not self.rule.schedule.active(now, timezone)[0]:
                return nobody, nobody, ended, end_ms
            since_ms = np.maximum(since_ms, self.rule.schedule.last_start_ms(now, timezone))
        watched = (roster.watched_ms > NEVER_MS) & ~self.silent
        late = watched & (now_ms - since_ms >= self.after_ms)
        self.silent |= late
        quiet = since_ms[watched & ~late]
        self.next_ms = int(quiet.min(initial=-NEVER_MS)) + self.after_ms if len(quiet) else -NEVER_MS
        fallen = np.flatnonzero(late)
        return fallen, since_ms[fallen] + self.after_ms, ended, end_ms

    def _end(self, now_ms: int, timezone: ZoneInfo) -> tuple[Ints, int]:
        if self.rule.schedule is None:
            return np.zeros(0, np.int64), now_ms
        end_ms = int(self.rule.schedule.last_end_ms(np.array([now_ms]), timezone)[0])
        if end_ms <= self.swept_ms or self.rule.schedule.active(np.array([now_ms]), timezone)[0]:
            return np.zeros(0, np.int64), end_ms
        self.swept_ms = end_ms
        self.next_ms = NEVER_MS
        ended = np.flatnonzero(self.silent)
        self.silent[ended] = False
        return ended, end_ms
