"""Inhibition: what a greater trouble explains is not told beside it.

An offline gateway explains that its devices are silent: their profiles name it (`gateway: gw-1`). A flooded underpass
explains its pump's smaller alerts: both profiles name the underpass.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from citywarden.alerts.flapping import Key
from citywarden.alerts.matching import Matcher
from citywarden.model.alert import Alert, Status
from citywarden.model.device import Profile

Mark = tuple[int, str, str]
"""(number of the rule, tenant, what the rule's profile name says): what a source explains."""

ProfileOf = Callable[[str, str, str], Profile]
"""(tenant, kind, subject) -> profile, empty when unknown."""


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While a `source` is open, a `target` whose profile names the same thing `by` that name is not told.

    A source without that profile name is the thing itself: its own id counts. `linger_ms`: what it explains stays
    so for a while after its end, until the devices have spoken again.
    """

    by: str
    source: Matcher
    target: Matcher
    linger_ms: int = 60_000


class Inhibitor:
    """The open sources. `profile_of`: what the registry knows."""

    def __init__(self, rules: Sequence[Inhibition], profile_of: ProfileOf) -> None:
        self._rules = tuple(rules)
        self._profile_of = profile_of
        self._sources: dict[Key, tuple[Mark, ...]] = {}
        self._active: Counter[Mark] = Counter()
        self._ended: dict[Mark, int] = {}

    @property
    def longest_linger_ms(self) -> int:
        return max((rule.linger_ms for rule in self._rules), default=0)

    @property
    def remembered(self) -> int:
        """Marks that are active, or were lately."""
        return len(self._active.keys() | self._ended.keys())

    def forget(self, now_ms: int) -> None:
        """Drop what no longer lingers."""
        self._active = +self._active
        over = [m for m, at_ms in self._ended.items() if now_ms - at_ms >= self._rules[m[0]].linger_ms]
        for mark in over:
            del self._ended[mark]

    def reset(self, opened: Iterable[Alert], ended: Iterable[Alert]) -> None:
        """Begin anew with what is open, and what ended lately."""
        self._sources, self._active, self._ended = {}, Counter(), {}
        if self._rules:
            self.accept({alert.key: alert for alert in opened}, 0)
            for alert in ended:
                for mark in self._marks(alert):
                    self._ended[mark] = max(alert.updated_ms, self._ended.get(mark, 0))

    def accept(self, changed: Mapping[Key, Alert | None], now_ms: int) -> bool:
        """Take in alerts that changed (None: no longer open). True when what is explained changed."""
        moved = False
        for key, alert in changed.items() if self._rules else ():
            new, old = self._explains(alert), self._sources.pop(key, ())
            if new:
                self._sources[key] = new
            if new != old:
                moved = True
                self._active.update(new)
                self._active.subtract(old)
                for mark in set(old) - set(new):
                    self._ended[mark] = now_ms
        return moved

    def explains(self, alert: Alert, fresh: Mapping[Key, Alert | None], now_ms: int) -> bool:
        """Whether an open source explains the alert; `fresh`: changes that are not accepted yet."""
        wanted = set(self._wanted(alert))
        if not wanted:
            return False
        if any(not wanted.isdisjoint(self._explains(other)) for other in fresh.values()):
            return True
        gone = Counter(mark for key in fresh for mark in self._sources.get(key, ()))
        for mark in wanted:
            if self._active[mark] > gone[mark] or (gone[mark] and self._rules[mark[0]].linger_ms):
                return True
            if now_ms - self._ended.get(mark, -(1 << 60)) < self._rules[mark[0]].linger_ms:
                return True
        return False

    def _explains(self, alert: Alert | None) -> tuple[Mark, ...]:
        if alert is None or alert.status not in (Status.FIRING, Status.ACKNOWLEDGED):
            return ()
        return self._marks(alert)

    def _marks(self, alert: Alert) -> tuple[Mark, ...]:
        fitting = [i for i, rule in enumerate(self._rules) if rule.source.fits(alert)]
        if not fitting:
            return ()
        profile = self._profile_of(alert.tenant, alert.kind, alert.subject)
        own = alert.subject.partition("/")[0]
        return tuple((i, alert.tenant, str(profile.get(self._rules[i].by, own))) for i in fitting)

    def _wanted(self, alert: Alert) -> Iterable[Mark]:
        for i, rule in enumerate(self._rules):
            # What is a source itself, such as a second sensor in the same underpass, is told.
            if rule.target.fits(alert) and not rule.source.fits(alert):
                named = self._profile_of(alert.tenant, alert.kind, alert.subject).get(rule.by)
                if named is not None and named != "":
                    yield (i, alert.tenant, str(named))
