"""What is done about alerts: their history, what was sent to whom, silences, and how well it goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from citywarden.model.alert import Alert, Severity


class Doing(StrEnum):
    """What people do about an alert."""

    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    NOTE = "note"
    RESOLVE = "resolve"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class AlertDeed:
    """Something done about one alert, or many. `to`: whom they are given to, None: to nobody."""

    what: Doing
    by: str
    note: str | None = None
    to: str | None = None


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
class Tried:
    """One attempt to send a message: `state` as it was afterwards, the receiver's code and words."""

    at_ms: int
    state: str
    code: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """A message as it goes to its target, without what is secret. `together`: the ids of the messages in its digest.

    `attempts`: oldest first. `body` is text; `address` and `headers` have secrets blotted out.
    """

    sending: Sending
    format: str
    address: str
    headers: Mapping[str, str]
    body: str
    attempts: Sequence[Tried]
    together: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """How a target does. `state`: ok, failing, held (it named a time), disabled (it wants no more), gone (it is no
    longer configured, but messages wait for it).

    `since_ms`: disabled since, or held until. `error`: words of the last failure.
    """

    name: str
    format: str
    address: str
    state: str
    waiting: int = 0
    ok_ms: int | None = None
    error_ms: int | None = None
    error: str | None = None
    since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SilenceNote:
    """For a while nobody is told of alerts that fit; each list holds patterns with `*` and `?`, empty means any.

    `severity`: alerts at least so severe, `up_to`: at most.
    """

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
    severity: Severity = Severity.INFO
    up_to: Severity = Severity.CRITICAL


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long something took, in s, over `count` alerts; None where there is none."""

    count: int
    median_s: float | None
    p90_s: float | None
    longest_s: float | None


@dataclass(frozen=True, slots=True)
class Share:
    """What one rule, or one district, has to do with it."""

    name: str
    raised: int
    open: int
    to_acknowledge: Lengths
    to_resolve: Lengths


@dataclass(frozen=True, slots=True)
class Measures:
    """How alerts are worked off. `open_by_age`: bucket -> open alerts; `per_day`: date -> rule -> raised.

    `noisiest`: (rule, raised), most first; `rules`, `districts`: the same with what became of them. Alerts that nobody
    acknowledged or resolved are not in the lengths. `open_by_age` counts every open alert, whenever it was raised.
    """

    raised: int
    open_by_age: Mapping[str, int]
    to_acknowledge: Lengths
    to_resolve: Lengths
    per_day: Mapping[str, Mapping[str, int]]
    noisiest: Sequence[tuple[str, int]]
    rules: Sequence[Share] = ()
    districts: Sequence[Share] = ()
