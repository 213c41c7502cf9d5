"""What the alerts' side has done since it started: plain numbers, for the metrics page to read."""

from dataclasses import dataclass

from citywarden.alerts.machine import RAISING, Change
from citywarden.alerts.records import Event


@dataclass(slots=True)
class Counters:
    """`raised`: alerts that fired, stale ones among them; `suppressed`: those recorded without telling anyone.

    `held`: times an alert was silenced, inhibited or flapping; `released`, `reminded`, `overdue`: what time did.
    `attempts` = `delivered` + `retried` + `refused` when nothing is under way; `failed`: deliveries given up.
    """

    raised: int = 0
    resolved: int = 0
    suppressed: int = 0
    held: int = 0
    released: int = 0
    reminded: int = 0
    overdue: int = 0
    attempts: int = 0
    delivered: int = 0
    retried: int = 0
    refused: int = 0
    failed: int = 0

    def note(self, event: Event) -> None:
        """Count what happened to an alert. One that is confirmed later was counted when it was recorded."""
        change = event.change
        recorded = change is Change.STALE
        self.raised += change in (Change.OPENED, Change.FIRED) or recorded
        self.suppressed += recorded
        ended_by_closing = change is Change.CLOSED and event.alert.closed_ms == event.alert.resolved_ms
        self.resolved += change in (Change.CLEARED, Change.RESOLVED) or ended_by_closing
        self.held += change is Change.HELD or (change in RAISING and bool(event.alert.hold))
        self.released += change is Change.RELEASED
        self.reminded += change is Change.REMINDED
        self.overdue += change is Change.OVERDUE
