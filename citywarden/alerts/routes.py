"""Which alert goes to which target."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from fnmatch import fnmatchcase

from citywarden.alerts.target import Target
from citywarden.model.alert import Alert, Severity


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of every day, `start` inclusive, `stop` exclusive; it may cross midnight."""

    start: time
    stop: time

    def hold(self, clock: time) -> bool:
        if self.start <= self.stop:
            return self.start <= clock < self.stop
        return clock >= self.start or clock < self.stop


@dataclass(frozen=True, slots=True)
class Route:
    """Alerts that fit go `to` these targets. Empty means any; `rule` and `subject` are patterns with `*` and `?`."""

    to: tuple[str, ...]
    tenant: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    district: tuple[str, ...] = ()
    severity: Severity = Severity.INFO
    hours: Hours | None = None

    def fits(self, alert: Alert, clock: time) -> bool:
        """Whether the alert goes this way at `clock`, local time of day."""
        return (
            alert.severity >= self.severity
            and (not self.tenant or alert.tenant in self.tenant)
            and (not self.kind or alert.kind in self.kind)
            and (not self.district or alert.district in self.district)
            and (not self.rule or any(fnmatchcase(alert.rule, pattern) for pattern in self.rule))
            and (not self.subject or any(fnmatchcase(alert.subject, pattern) for pattern in self.subject))
            and (self.hours is None or self.hours.hold(clock))
        )


class Routes:
    """Targets hear of the alerts that any route sends to them; without routes of every alert.

    In both cases only of those that are at least as severe as the target asks for. `zone`: of the routes' hours.
    """

    def __init__(self, targets: Sequence[Target], routes: Sequence[Route] | None = None, zone: tzinfo = UTC) -> None:
        self.targets = tuple(targets)
        self.routes = None if routes is None else tuple(routes)
        self._zone = zone
        self._names = frozenset(target.name for target in targets)

    @property
    def names(self) -> frozenset[str]:
        """Every target there is."""
        return self._names

    def of(self, alert: Alert, now_ms: int) -> Sequence[str]:
        """Names of the targets, in the order of the configuration."""
        severe = [target.name for target in self.targets if alert.severity >= target.min_severity]
        if self.routes is None or not severe:
            return severe
        clock = datetime.fromtimestamp(now_ms / 1000, self._zone).time()
        chosen = {name for route in self.routes if route.fits(alert, clock) for name in route.to}
        return [name for name in severe if name in chosen]
