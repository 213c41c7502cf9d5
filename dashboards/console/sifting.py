"""Which alerts the inbox shows, and in which order: the filters of its address. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from citywarden.model.alert import Alert, AlertQuery, Severity, Status
from dashboards.console.picture import urgency

MINUTE_MS = 60_000
AGES: Mapping[str, int] = {"15m": 15, "1h": 60, "4h": 240, "24h": 1440}
"""Ages that can be asked for, in minutes; `-1h`: younger, `+1h`: older."""

Said = Callable[[Alert], str]
"""All that is shown of an alert, for the search."""


@dataclass(frozen=True, slots=True)
class Sieve:
    """What is asked for; "" means any. `severities` empty: any. `assigned`: me, none, some. `me`: who asks.

    `status`: open, a status, or any.
    """

    severities: Collection[Severity] = ()
    status: str = "open"
    rule: str = ""
    kind: str = ""
    district: str = ""
    tenant: str = ""
    assigned: str = ""
    age: str = ""
    text: str = ""
    sort: str = "urgency"
    me: str = ""

    @property
    def live(self) -> bool:
        """Whether it is about open alerts only, which are all known."""
        return self.status in ("open", Status.FIRING.value, Status.ACKNOWLEDGED.value)


def sieve_of(asked: Mapping[str, object]) -> Sieve:
    """The filters of an address, or of the page's parts. What is not known counts as not asked for."""

    def word(name: str, known: Collection[str] = ()) -> str:
        value = asked.get(name)
        text = value.strip()[:200] if isinstance(value, str) else ""
        return text if not known or text in known else ""

    names = {level.word: level for level in Severity}
    ages = [sign + age for age in AGES for sign in "-+"]
    return Sieve(
        severities=frozenset(names[name] for name in word("severity").split(",") if name in names),
        status=word("status", ("open", "firing", "acknowledged", "resolved", "any")) or "open",
        rule=word("rule"),
        kind=word("kind"),
        district=word("district"),
        tenant=word("tenant"),
        assigned=word("assigned", ("me", "none", "some")),
        age=word("age", ages),
        text=word("q").lower(),
        sort=word("sort", tuple(_ORDERS)) or "urgency",
        me=word("me"),
    )


def sift(alerts: Iterable[Alert], sieve: Sieve, now_ms: int, said: Said) -> list[Alert]:
    """The alerts that are asked for, whatever their severity, in the order asked for."""
    found = [alert for alert in alerts if fits(alert, sieve, now_ms, said)]
    return sorted(found, key=_ORDERS[sieve.sort])


def fits(alert: Alert, sieve: Sieve, now_ms: int, said: Said) -> bool:
    """Whether an alert passes everything but the choice of severities, which is counted before it is made."""
    s = sieve
    return (
        _status(alert, s.status)
        and s.rule in ("", alert.rule)
        and s.kind in ("", alert.kind)
        and s.district in ("", alert.district)
        and s.tenant in ("", alert.tenant)
        and _assigned(alert, s)
        and _age(alert, s.age, now_ms)
        and (not s.text or all(word in said(alert).lower() for word in s.text.split()))
    )


def chosen(alerts: Sequence[Alert], sieve: Sieve) -> list[Alert]:
    """Those of the severities asked for."""
    return [a for a in alerts if not sieve.severities or a.severity in sieve.severities]


def query_of(sieve: Sieve, now_ms: int, limit: int, severity: Severity | None = None) -> AlertQuery:
    """The same question to the database, changed last first: for alerts that are over."""
    younger = now_ms - AGES[sieve.age[1:]] * MINUTE_MS if sieve.age.startswith("-") else None
    older = now_ms - AGES[sieve.age[1:]] * MINUTE_MS if sieve.age.startswith("+") else None
    assigned = {"me": sieve.me or None, "none": ""}.get(sieve.assigned)
    return AlertQuery(
        status=Status.RESOLVED if sieve.status == "resolved" else None,
        severity=severity,
        rule=sieve.rule or None,
        kind=sieve.kind or None,
        district=sieve.district or None,
        tenant=sieve.tenant or None,
        assigned_to=assigned,
        raised_since_ms=younger,
        raised_until_ms=older,
        text=sieve.text or None,
        limit=limit,
    )


def _status(alert: Alert, wanted: str) -> bool:
    if wanted == "open":
        return alert.open
    return wanted in ("any", alert.status.value)


def _assigned(alert: Alert, sieve: Sieve) -> bool:
    match sieve.assigned:
        case "me":
            return bool(sieve.me) and sieve.me in (
                alert.assigned_to,
                None if alert.assigned_to else alert.acknowledged_by,
            )
        case "none":
            return not alert.assigned_to
        case "some":
            return bool(alert.assigned_to)
    return True


def _age(alert: Alert, age: str, now_ms: int) -> bool:
    if not age:
        return True
    limit_ms = now_ms - AGES[age[1:]] * MINUTE_MS
    return alert.raised_ms >= limit_ms if age[0] == "-" else alert.raised_ms < limit_ms


_ORDERS: Mapping[str, Callable[[Alert], tuple[object, ...]]] = {
    "urgency": lambda a: (*urgency(a), a.id),
    "newest": lambda a: (-a.raised_ms, a.id),
    "oldest": lambda a: (a.raised_ms, a.id),
    "change": lambda a: (-a.updated_ms, a.id),
    "place": lambda a: (a.district, a.subject, -a.severity, a.id),
}
