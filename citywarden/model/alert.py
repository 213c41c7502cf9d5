"""Findings of the rules, and the alerts that come of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

SERVER_KIND = "server"
"""Kind of the alerts that the server raises about itself; no device has it."""

CASE_KIND = "case"
"""Kind of the alerts about cases; their subject is the case's number."""

OWN_KINDS = frozenset({SERVER_KIND, CASE_KIND})
"""Kinds of alerts that are about no device: no rule of the rule file clears them, no registry knows their subject."""

Summary = Mapping[str, str]
"""Text by language tag: `zh-CN`, `en`."""


class Severity(IntEnum):
    """Ordered: the highest level that holds counts."""

    INFO = 1
    MINOR = 2
    MAJOR = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """The contract's word: info, minor, major, critical."""
        return self.name.lower()


class Status(StrEnum):
    """Life of an alert. PENDING is not told to anyone: the condition holds, its hold time has not passed."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Reason(StrEnum):
    """Why a finding or an alert is as it is."""

    THRESHOLD = "threshold"
    NO_DATA = "no_data"
    DATA_BACK = "data_back"
    CLEARED = "cleared"
    JUDGED = "judged"
    BY_HAND = "by_hand"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says of a subject at event time `at_ms`: only changes are findings.

    `severity` None: the condition no longer holds. `pending`: it holds, but not yet for the rule's hold time.
    """

    tenant: str
    rule: str
    kind: str
    subject: str
    severity: Severity | None
    at_ms: int
    reason: Reason
    pending: bool = False
    value: float | None = None
    unit: str = ""
    threshold: float | None = None
    lat: float | None = None
    lon: float | None = None
    summary: Summary = field(default_factory=dict)
    runbook: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """(tenant, rule, subject): at most one open alert has it."""
        return (self.tenant, self.rule, self.subject)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as the dispatcher sees it. Times are ms since 1970 UTC; `raised_ms` is event time.

    `stale`: the event was older than 15 minutes when it was judged; recorded, but nobody was told. `hold`: why nobody
    is told of it now (`silenced`, `inhibited`, `flapping`), "" otherwise. `closed_ms`: when somebody filed it.
    """

    id: str
    tenant: str
    rule: str
    kind: str
    subject: str
    severity: Severity
    status: Status
    reason: str
    raised_ms: int
    updated_ms: int
    resolved_ms: int | None = None
    value: float | None = None
    unit: str = ""
    threshold: float | None = None
    lat: float | None = None
    lon: float | None = None
    summary: Summary = field(default_factory=dict)
    runbook: str | None = None
    acknowledged_by: str | None = None
    note: str | None = None
    stale: bool = False
    district: str = ""
    assigned_to: str | None = None
    closed_by: str | None = None
    closed_ms: int | None = None
    hold: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.tenant, self.rule, self.subject)

    @property
    def open(self) -> bool:
        return self.status is not Status.RESOLVED


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts: None means any. `since_ms`: updated at or after; `raised_since_ms`: raised at or after.

    `open`: firing or acknowledged. `assigned_to` "": to nobody. `text` stands somewhere in what is said of the alert.
    """

    status: Status | None = None
    rule: str | None = None
    severity: Severity | None = None
    since_ms: int | None = None
    tenant: str | None = None
    limit: int = 100
    cursor: str | None = None
    kind: str | None = None
    subject: str | None = None
    district: str | None = None
    assigned_to: str | None = None
    raised_since_ms: int | None = None
    raised_until_ms: int | None = None
    text: str | None = None
    open: bool | None = None
