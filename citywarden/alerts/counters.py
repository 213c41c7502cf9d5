"""What the alerts' side has done since it started: plain numbers, for the metrics page to read."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """`raised`: alerts that fired, stale ones among them; `suppressed`: those recorded without telling anyone.

    `attempts` = `delivered` + `retried` + `refused` when nothing is under way; `failed`: deliveries given up.
    """

    raised: int = 0
    resolved: int = 0
    suppressed: int = 0
    attempts: int = 0
    delivered: int = 0
    retried: int = 0
    refused: int = 0
    failed: int = 0
