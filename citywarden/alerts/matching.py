"""Which alerts something is about: patterns over what they are, and parts of the week."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from fnmatch import fnmatchcase

from citywarden.model.alert import Alert, Severity

Patterns = tuple[str, ...]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Matcher:
    """Alerts of which every part fits one of its patterns (`*`, `?`); no pattern means any.

    `severity`: at least so severe, `up_to`: at most.
    """

    tenant: Patterns = ()
    kind: Patterns = ()
    rule: Patterns = ()
    subject: Patterns = ()
    district: Patterns = ()
    severity: Severity = Severity.INFO
    up_to: Severity = Severity.CRITICAL

    def fits(self, alert: Alert) -> bool:
        return (
            self.severity <= alert.severity <= self.up_to
            and (not self.tenant or _any(alert.tenant, self.tenant))
            and (not self.kind or _any(alert.kind, self.kind))
            and (not self.rule or _any(alert.rule, self.rule))
            and (not self.subject or _any(alert.subject, self.subject))
            and (not self.district or _any(alert.district, self.district))
        )


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of the day, `start` inclusive, `stop` exclusive; it may cross midnight."""

    start: time
    stop: time

    def hold(self, clock: time) -> bool:
        if self.start <= self.stop:
            return self.start <= clock < self.stop
        return clock >= self.start or clock < self.stop


@dataclass(frozen=True, slots=True)
class Schedule:
    """Hours of some days of the week (0 is Monday; none: every day). After midnight the night is still of the day
    it began on.
    """

    hours: Hours | None = None
    days: frozenset[int] = frozenset()

    def holds(self, moment: datetime) -> bool:
        """Whether it is on at a local time."""
        clock = moment.time()
        if self.hours is not None and not self.hours.hold(clock):
            return False
        if not self.days:
            return True
        began_yesterday = self.hours is not None and self.hours.start > self.hours.stop and clock < self.hours.stop
        return (moment - timedelta(days=began_yesterday)).weekday() in self.days


def local(now_ms: int, zone: tzinfo) -> datetime:
    """Local time of a moment."""
    return datetime.fromtimestamp(now_ms / 1000, zone)


def _any(word: str, patterns: Patterns) -> bool:
    return any(word == pattern or fnmatchcase(word, pattern) for pattern in patterns)
