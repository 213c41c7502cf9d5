"""Colours and thresholds: severities have one colour everywhere, limits come from the rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from citywarden.model.alert import Severity

GOOD = "#3ddc97"
ACCENT = "#4cc9f0"
GREY = "#5b6b80"
LAMP = "#ffe3a1"
WATER = "#3b7ea6"

SEVERITY: Mapping[Severity, str] = {
    Severity.INFO: "#5aa9ff",
    Severity.MINOR: "#ffd166",
    Severity.MAJOR: "#ff9f1c",
    Severity.CRITICAL: "#ff4d5e",
}
"""The console's colours of severities."""

BAD = SEVERITY[Severity.CRITICAL]
WARNING = SEVERITY[Severity.MAJOR]

Step = dict[str, object]


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of a rule: `field` of `kind` at or above `value` (`above`), or below it, is of that severity."""

    kind: str
    field: str
    value: float
    severity: Severity
    above: bool = True


def steps(limits: Sequence[Limit], calm: str = GOOD) -> list[Step]:
    """Grafana's threshold steps, ascending, the first without a value: `calm` between the limits below and above."""
    below = sorted((limit for limit in limits if not limit.above), key=lambda limit: limit.value)
    above = sorted((limit for limit in limits if limit.above), key=lambda limit: limit.value)
    colours = [SEVERITY[limit.severity] for limit in below] + [calm] + [SEVERITY[limit.severity] for limit in above]
    values = [None, *(limit.value for limit in (*below, *above))]
    return [{"color": colour, "value": value} for colour, value in zip(colours, values, strict=True)]


def target_steps(*, warning: float, good: float) -> list[Step]:
    """Steps of a share that should be high: bad, then a warning from `warning`, good from `good`."""
    return [
        {"color": BAD, "value": None},
        {"color": WARNING, "value": warning},
        {"color": GOOD, "value": good},
    ]


def trouble_steps(*, warning: float, bad: float) -> list[Step]:
    """Steps of a count that should be low: good, a warning from `warning`, bad from `bad`."""
    return [
        {"color": GOOD, "value": None},
        {"color": WARNING, "value": warning},
        {"color": BAD, "value": bad},
    ]


def plain(colour: str = ACCENT) -> list[Step]:
    """One colour whatever the value."""
    return [{"color": colour, "value": None}]
