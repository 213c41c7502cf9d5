"""What is done about alerts: their history, what was sent to whom, silences, and how well it goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from citywarden.model.alert import Alert


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One line of an alert's history: the alert as it was after `change`. `by`: who, None when the server did it."""

    alert: Alert
    at_ms: int
    change: str
    by: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Sending:
    """One message about an alert to one target. `state`: waiting, delivered, refused or expired; times in ms.

    `digest`: id of the message that carries it together with others. `code`, `detail`: of the last attempt.
    """

    id: str
    target: str
    state: str
    event: AlertEvent
    created_ms: int
    attempts: int
    next_ms: int | None = None
    done_ms: int | None = None
    code: int | None = None
    detail: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class SilenceNote:
    """For a while nobody is told of alerts that fit; each list holds patterns with `*` and `?`, empty means any."""

    starts_ms: int
    ends_ms: int
    by: str
    why: str
    tenant: Sequence[str] = ()
    kind: Sequence[str] = ()
    rule: Sequence[str] = ()
    subject: Sequence[str] = ()
    district: Sequence[str] = ()
    id: str = ""
    created_ms: int = 0
    ended_by: str | None = None


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long something took, in s, over `count` alerts; None where there is none."""

    count: int
    median_s: float | None
    p90_s: float | None
    longest_s: float | None


@dataclass(frozen=True, slots=True)
class Measures:
    """How alerts are worked off. `open_by_age`: bucket -> open alerts; `per_day`: date -> rule -> raised.

    `noisiest`: (rule, raised), most first. Alerts that nobody acknowledged or resolved are not in the lengths.
    """

    raised: int
    open_by_age: Mapping[str, int]
    to_acknowledge: Lengths
    to_resolve: Lengths
    per_day: Mapping[str, Mapping[str, int]]
    noisiest: Sequence[tuple[str, int]]
