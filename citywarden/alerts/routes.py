"""Which alert goes to which target."""

from collections.abc import Sequence

from citywarden.alerts.target import Target
from citywarden.model.alert import Alert


class Routes:
    """Every target hears of every alert that is at least as severe as it asks for."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = tuple(targets)
        self._names = frozenset(target.name for target in targets)

    @property
    def names(self) -> frozenset[str]:
        return self._names

    def of(self, alert: Alert, now_ms: int) -> Sequence[str]:
        """Names of the targets, in the order of the configuration."""
        return [target.name for target in self.targets if alert.severity >= target.min_severity]
