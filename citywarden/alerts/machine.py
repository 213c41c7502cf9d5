"""The life of an alert as a pure state machine: what a finding, or a person, makes of it, and by what name.

    PENDING      -> FIRING        the hold time has passed
    PENDING      -> (forgotten)   the condition did not hold long enough
    FIRING       -> ACKNOWLEDGED  by hand, also by assigning it to somebody
    ACKNOWLEDGED -> FIRING        it rose in severity
    FIRING, ACKNOWLEDGED -> RESOLVED  it cleared, or by hand
    RESOLVED     -> RESOLVED      closed: somebody has looked at it and filed it

Late news may raise, never calm: an "ok" or a lower level from before the alert was raised changes nothing.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from citywarden.model.alert import Alert, Finding, Reason, Severity, Status
from citywarden.model.dispatch import AlertDeed, Doing

STALE_MS = 15 * 60 * 1000
"""Events older than this page nobody (domain.md, section 6)."""


class Change(StrEnum):
    """What a step did. The history, the logs and the metrics use the same words."""

    OPENED = "opened"
    PENDING = "pending"
    FIRED = "fired"
    ESCALATED = "escalated"
    LOWERED = "lowered"
    CONFIRMED = "confirmed"
    STALE = "stale"
    UNCHANGED = "unchanged"
    LATE = "late"
    CLEARED = "cleared"
    CANCELLED = "cancelled"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    NOTED = "noted"
    RESOLVED = "resolved"
    CLOSED = "closed"
    HELD = "held"
    RELEASED = "released"
    REMINDED = "reminded"
    OVERDUE = "overdue"


SILENT = frozenset({Change.UNCHANGED, Change.LATE})
"""Changes that leave the alert as it was; nothing is written."""

RAISING = frozenset({Change.OPENED, Change.FIRED, Change.ESCALATED, Change.CONFIRMED})
"""Changes that ask for attention; the others only follow up on what was told."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Numbers of the machine, in ms."""

    stale_ms: int = STALE_MS


@dataclass(frozen=True, slots=True)
class Birth:
    """What a new alert needs that its finding does not know."""

    id: str
    district: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Outcome of a step. `alert` None: there is none now. `tell`: those who receive alerts should hear of it."""

    alert: Alert | None
    change: Change
    tell: bool


def step(alert: Alert | None, finding: Finding, now_ms: int, policy: Policy, birth: Birth) -> Step:
    """What `finding` makes of the open alert of its key, or of none. `now_ms`: server time, for age and `updated_ms`.

    A finding older than the policy's `stale_ms` is recorded but not told, and what it opens stays `stale` until a
    fresh finding holds for it. Resolutions are told exactly when the alert was.
    """
    fresh = now_ms - finding.at_ms <= policy.stale_ms
    if alert is None:
        return _open(finding, fresh, now_ms, birth)
    if finding.severity is None:
        return _calm(alert, finding, now_ms)
    if alert.status is Status.PENDING:
        return _ripen(alert, finding, finding.severity, fresh, now_ms)
    return _grade(alert, finding, finding.severity, fresh, now_ms)


def acknowledge(alert: Alert, by: str, note: str | None, now_ms: int) -> Step:
    """Somebody takes the alert on. On one that is acknowledged already only a note adds something."""
    if alert.status is Status.FIRING:
        taken = replace(
            alert,
            status=Status.ACKNOWLEDGED,
            acknowledged_by=by,
            note=note or alert.note,
            updated_ms=now_ms,
        )
        return Step(taken, Change.ACKNOWLEDGED, tell=not alert.stale)
    if alert.status is Status.ACKNOWLEDGED and note:
        return Step(replace(alert, note=note, updated_ms=now_ms), Change.NOTED, tell=False)
    return Step(alert, Change.UNCHANGED, tell=False)


def remark(alert: Alert, _by: str, note: str | None, now_ms: int) -> Step:
    """Somebody says something; nothing else changes."""
    if alert.status is Status.PENDING or not note:
        return Step(alert, Change.UNCHANGED, tell=False)
    return Step(replace(alert, note=note, updated_ms=now_ms), Change.NOTED, tell=False)


def resolve(alert: Alert, by: str, note: str | None, now_ms: int) -> Step:
    """Somebody ends the alert by hand. It is raised again only when its condition went away and came back."""
    if alert.status not in (Status.FIRING, Status.ACKNOWLEDGED):
        return Step(alert, Change.UNCHANGED, tell=False)
    ended = replace(
        alert,
        status=Status.RESOLVED,
        reason=Reason.BY_HAND.value,
        acknowledged_by=alert.acknowledged_by or by,
        note=note or alert.note,
        updated_ms=now_ms,
        resolved_ms=max(now_ms, alert.raised_ms),
    )
    return Step(ended, Change.RESOLVED, tell=not alert.stale)


def assign(alert: Alert, by: str, to: str | None, note: str | None, now_ms: int) -> Step:
    """Give the alert to somebody (None: to nobody), which also acknowledges it. A resolved one stays as it is."""
    if alert.status not in (Status.FIRING, Status.ACKNOWLEDGED) or (alert.assigned_to == to and not note):
        return Step(alert, Change.UNCHANGED, tell=False)
    given = replace(
        alert,
        status=Status.ACKNOWLEDGED,
        acknowledged_by=alert.acknowledged_by or by,
        assigned_to=to,
        note=note or alert.note,
        updated_ms=now_ms,
    )
    return Step(given, Change.ASSIGNED, tell=not alert.stale)


def close(alert: Alert, by: str, note: str | None, now_ms: int) -> Step:
    """File the alert; one that is still open is ended by hand at the same time. Closed once, it stays as it is."""
    if alert.closed_ms is not None or alert.status is Status.PENDING:
        return Step(alert, Change.UNCHANGED, tell=False)
    ended = resolve(alert, by, note, now_ms).alert if alert.open else alert
    assert ended is not None
    filed = replace(ended, closed_by=by, closed_ms=now_ms, note=note or ended.note, updated_ms=now_ms)
    return Step(filed, Change.CLOSED, tell=alert.open and not alert.stale)


def by_hand(alert: Alert, deed: AlertDeed, now_ms: int) -> Step:
    """What somebody does, one of the above."""
    match deed.what:
        case Doing.ACKNOWLEDGE:
            return acknowledge(alert, deed.by, deed.note, now_ms)
        case Doing.ASSIGN:
            return assign(alert, deed.by, deed.to, deed.note, now_ms)
        case Doing.NOTE:
            return remark(alert, deed.by, deed.note, now_ms)
        case Doing.RESOLVE:
            return resolve(alert, deed.by, deed.note, now_ms)
        case Doing.CLOSE:
            return close(alert, deed.by, deed.note, now_ms)


def _open(finding: Finding, fresh: bool, now_ms: int, birth: Birth) -> Step:
    if finding.severity is None:
        return Step(None, Change.UNCHANGED, tell=False)
    alert = Alert(
        id=birth.id,
        tenant=finding.tenant,
        rule=finding.rule,
        kind=finding.kind,
        subject=finding.subject,
        severity=finding.severity,
        status=Status.PENDING if finding.pending else Status.FIRING,
        reason=finding.reason.value,
        raised_ms=finding.at_ms,
        updated_ms=now_ms,
        value=finding.value,
        unit=finding.unit,
        threshold=finding.threshold,
        lat=finding.lat,
        lon=finding.lon,
        summary=finding.summary,
        runbook=finding.runbook,
        stale=not fresh,
        district=birth.district,
    )
    if finding.pending:
        return Step(alert, Change.PENDING, tell=False)
    return Step(alert, Change.OPENED if fresh else Change.STALE, tell=fresh)


def _ripen(alert: Alert, finding: Finding, severity: Severity, fresh: bool, now_ms: int) -> Step:
    """A pending alert whose condition still holds."""
    if finding.pending:
        if severity == alert.severity:
            return Step(alert, Change.UNCHANGED, tell=False)
        return Step(_take(alert, finding, severity, now_ms), Change.PENDING, tell=False)
    fired = replace(
        _take(alert, finding, severity, now_ms), status=Status.FIRING, raised_ms=finding.at_ms, stale=not fresh
    )
    return Step(fired, Change.FIRED if fresh else Change.STALE, tell=fresh)


def _grade(alert: Alert, finding: Finding, severity: Severity, fresh: bool, now_ms: int) -> Step:
    """An alert that is told or recorded, and holds with a severity that may differ."""
    if finding.pending:
        return Step(alert, Change.UNCHANGED, tell=False)
    if severity > alert.severity:
        risen = replace(
            _take(alert, finding, severity, now_ms),
            status=Status.FIRING,
            acknowledged_by=None,
            stale=alert.stale and not fresh,
        )
        return Step(risen, Change.ESCALATED, tell=fresh)
    if severity < alert.severity:
        if finding.at_ms < alert.raised_ms:
            return Step(alert, Change.LATE, tell=False)
        lowered = replace(_take(alert, finding, severity, now_ms), stale=alert.stale and not fresh)
        change = Change.CONFIRMED if alert.stale and fresh else Change.LOWERED
        return Step(lowered, change, tell=not lowered.stale)
    if alert.stale and fresh:
        return Step(replace(_take(alert, finding, severity, now_ms), stale=False), Change.CONFIRMED, tell=True)
    return Step(alert, Change.UNCHANGED, tell=False)


def _calm(alert: Alert, finding: Finding, now_ms: int) -> Step:
    """The condition no longer holds."""
    if alert.status is Status.PENDING:
        return Step(None, Change.CANCELLED, tell=False)
    # Data that arrives ends a silence whatever its own time: the silence was measured on the server.
    if finding.at_ms < alert.raised_ms and finding.reason is not Reason.DATA_BACK:
        return Step(alert, Change.LATE, tell=False)
    cleared = replace(
        alert,
        status=Status.RESOLVED,
        reason=finding.reason.value,
        value=alert.value if finding.value is None else finding.value,
        updated_ms=now_ms,
        resolved_ms=max(finding.at_ms, alert.raised_ms),
    )
    return Step(cleared, Change.CLEARED, tell=not alert.stale)


def _take(alert: Alert, finding: Finding, severity: Severity, now_ms: int) -> Alert:
    """The alert with the finding's particulars, where it has them."""
    return replace(
        alert,
        severity=severity,
        reason=finding.reason.value,
        value=finding.value,
        unit=finding.unit or alert.unit,
        threshold=finding.threshold,
        lat=alert.lat if finding.lat is None else finding.lat,
        lon=alert.lon if finding.lon is None else finding.lon,
        summary=finding.summary or alert.summary,
        runbook=finding.runbook or alert.runbook,
        updated_ms=now_ms,
    )
