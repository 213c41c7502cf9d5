"""Which alert goes to which target, when, and how often."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from citywarden.alerts.matching import Matcher, Schedule, local
from citywarden.alerts.target import Target
from citywarden.model.alert import Alert


@dataclass(frozen=True, slots=True)
class Route:
    """Alerts that fit go `to` these targets while the schedule is on.

    `after_ms`: only once nobody has acknowledged for so long; `repeat_ms`: again and again until somebody has.
    """

    to: tuple[str, ...]
    matcher: Matcher = field(default_factory=Matcher)
    schedule: Schedule = field(default_factory=Schedule)
    after_ms: int = 0
    repeat_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Summons:
    """How a target is asked. `overdue`: only because nobody acknowledged; `repeat_ms`: until when it is asked again."""

    overdue: bool = False
    repeat_ms: int | None = None


class Routes:
    """Targets hear of the alerts that any route sends to them; without routes of every alert.

    In both cases only of those that are at least as severe as the target asks for. `zone`: of the routes' schedules.
    """

    def __init__(self, targets: Sequence[Target], routes: Sequence[Route] | None = None, zone: tzinfo = UTC) -> None:
        self.targets = tuple(targets)
        self.routes = None if routes is None else tuple(routes)
        self._zone = zone
        self._names = frozenset(target.name for target in targets)

    def with_targets(self, more: Sequence[Target]) -> "Routes":
        """These routes and `more` targets, which hear of everything."""
        routes = self.routes
        if routes is not None and more:
            routes = (*routes, Route(tuple(target.name for target in more)))
        return Routes((*self.targets, *more), routes, self._zone)

    @property
    def names(self) -> frozenset[str]:
        """Every target there is."""
        return self._names

    def of(self, alert: Alert, now_ms: int) -> Sequence[str]:
        """Names of the targets that hear of a new alert, in the order of the configuration."""
        return list(self.summon(alert, now_ms, 0))

    def summon(self, alert: Alert, now_ms: int, waited_ms: int) -> Mapping[str, Summons]:
        """The targets that are to hear of an alert nobody has acknowledged for `waited_ms`, and how."""
        severe = [target.name for target in self.targets if alert.severity >= target.min_severity]
        if self.routes is None or not severe:
            return dict.fromkeys(severe, Summons())
        moment = local(now_ms, self._zone)
        fitting = [
            route
            for route in self.routes
            if route.after_ms <= waited_ms and route.matcher.fits(alert) and route.schedule.holds(moment)
        ]
        found: dict[str, Summons] = {}
        for name in severe:
            mine = [route for route in fitting if name in route.to]
            if mine:
                repeats = [route.repeat_ms for route in mine if route.repeat_ms is not None]
                found[name] = Summons(all(r.after_ms > 0 for r in mine), min(repeats, default=None))
        return found

    def wake_ms(self, alert: Alert, told: Mapping[str, int], asked_ms: int) -> int | None:
        """The next time after which `summon` may ask for more of an alert that stays as it is; None for never."""
        times: list[int] = []
        for route in self.routes or ():
            if not route.matcher.fits(alert):
                continue
            if route.after_ms and any(name not in told for name in route.to):
                times.append(asked_ms + route.after_ms)
            if route.repeat_ms is not None:
                times.extend(told[name] + route.repeat_ms for name in route.to if name in told)
        return min(times, default=None)

    def phase(self, now_ms: int) -> tuple[bool, ...]:
        """Which routes' schedules are on: while it stays the same, only time that passes changes who is asked."""
        moment = local(now_ms, self._zone)
        return tuple(route.schedule.holds(moment) for route in self.routes or ())
