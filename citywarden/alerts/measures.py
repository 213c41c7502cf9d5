"""How well alerts are worked off: times to acknowledge and to resolve, what is open, which rules are noisy."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, tzinfo

import numpy as np
from sqlalchemy import Connection, func, select

from citywarden.alerts import tables
from citywarden.alerts.machine import Change
from citywarden.alerts.records import entry_of
from citywarden.model.alert import Alert, Status
from citywarden.model.dispatch import Lengths, Measures, Share

Handled = tuple[Alert, int | None]
"""An alert, and when somebody first acknowledged it (server time, ms)."""

AGES = (("15m", 15), ("1h", 60), ("4h", 240), ("24h", 1440), ("older", 1 << 40))
"""Bucket of open alerts -> younger than so many minutes."""

NOISIEST = 20


def measure(handled: Iterable[Handled], now_ms: int, zone: tzinfo, opened: Iterable[Alert] | None = None) -> Measures:
    """The measures of some alerts; days are those of `zone`, ages and lengths are counted from `raised_ms`.
    `opened`: all that are open, whenever they were raised; None: those among `handled`.

    Alerts that were only recorded (stale) count as raised, but not in how long people took.
    """
    known = [(alert, taken) for alert, taken in handled if alert.status is not Status.PENDING]
    per_day: dict[str, Counter[str]] = {}
    ages = dict.fromkeys((name for name, _ in AGES), 0)
    for alert, _ in known:
        day = datetime.fromtimestamp(alert.raised_ms / 1000, zone).date().isoformat()
        per_day.setdefault(day, Counter())[alert.rule] += 1
    for alert in (a for a, _ in known if a.open) if opened is None else opened:
        minutes = (now_ms - alert.raised_ms) / 60_000
        ages[next(name for name, below in AGES if minutes < below)] += 1
    acknowledged, resolved = _taken(known), _ended(known)
    noisy = Counter(alert.rule for alert, _ in known)
    return Measures(
        raised=len(known),
        open_by_age=ages,
        to_acknowledge=acknowledged,
        to_resolve=resolved,
        per_day={day: dict(sorted(rules.items())) for day, rules in sorted(per_day.items())},
        noisiest=sorted(noisy.items(), key=lambda pair: (-pair[1], pair[0]))[:NOISIEST],
        rules=_shares(known, lambda alert: alert.rule),
        districts=_shares(known, lambda alert: alert.district),
    )


def _shares(known: Sequence[Handled], name_of: Callable[[Alert], str]) -> list[Share]:
    """The alerts in parts, the largest first."""
    parts: dict[str, list[Handled]] = {}
    for one in known:
        parts.setdefault(name_of(one[0]), []).append(one)
    ordered = sorted(parts.items(), key=lambda part: (-len(part[1]), part[0]))
    return [Share(name, len(p), sum(a.open for a, _ in p), _taken(p), _ended(p)) for name, p in ordered]


def _taken(known: Sequence[Handled]) -> Lengths:
    return _lengths([at_ms - a.raised_ms for a, at_ms in known if at_ms is not None and not a.stale])


def _ended(known: Sequence[Handled]) -> Lengths:
    return _lengths([a.resolved_ms - a.raised_ms for a, _ in known if a.resolved_ms is not None and not a.stale])


def read_handled(connection: Connection, since_ms: int, until_ms: int) -> list[Handled]:
    """The alerts raised in a time (event time, ms), with their first acknowledgement."""
    t, e = tables.alert, tables.alert_event
    words = (Change.ACKNOWLEDGED.value, Change.ASSIGNED.value)
    first = (
        select(e.c.alert_id, func.min(e.c.at_ms).label("taken_ms"))
        .where(e.c.change.in_(words), e.c.at_ms >= since_ms)
        .group_by(e.c.alert_id)
        .subquery()
    )
    wanted = (
        select(t, first.c.taken_ms)
        .outerjoin(first, first.c.alert_id == t.c.id)
        .where(t.c.raised_ms >= since_ms, t.c.raised_ms < until_ms)
    )
    rows = connection.execute(wanted).mappings()
    return [(entry_of(dict(row)).alert, row["taken_ms"]) for row in rows]


def _lengths(ms: Sequence[int]) -> Lengths:
    if not ms:
        return Lengths(0, None, None, None)
    seconds = np.maximum(np.asarray(ms, dtype=np.float64), 0) / 1000
    return Lengths(len(ms), *(round(float(v), 1) for v in (*np.percentile(seconds, (50, 90)), seconds.max())))
