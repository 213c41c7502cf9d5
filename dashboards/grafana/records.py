"""Flux for what is no reading: alerts, judged work, and how the server does."""

from collections.abc import Mapping, Sequence

from dashboards.grafana.flux import TENANT, Filters, Query, home, now, only, ranged, text
from dashboards.grafana.names import ALERT, INGEST, WORK

SILENT = "silent"
"""State of a server that said nothing of itself."""

HEARD_NS = 120 * 1_000_000_000
"""In so long a server that runs says how it is more than once."""

ALERTS_BACK = "30d"
"""How far back an alert that is still open may have been raised and be shown as open."""

_SIDE_BY_SIDE = '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")\n  |> group()'


def _alerts(start: str, filters: Filters, kinds: Sequence[str], rules: str) -> str:
    chosen = "".join(f"\n  |> filter(fn: (r) => {condition})" for condition in _which(kinds, rules))
    return (
        f"from(bucket: {home(ALERT)})\n  |> range(start: {start}, stop: v.timeRangeStop)\n"
        f"  |> filter(fn: (r) => r._measurement == {text(ALERT)}){only(filters)}{chosen}"
    )


def _which(kinds: Sequence[str], rules: str) -> list[str]:
    found = [" or ".join(f"r.kind == {text(kind)}" for kind in kinds)] if kinds else []
    return [*found, f"r.rule =~ /{rules}/"] if rules else found


def open_alerts(severity: str, filters: Filters = TENANT, kinds: Sequence[str] = (), rules: str = "") -> Query:
    """How many alerts are open now, of a severity or (with "") of any; 0 is said as 0."""
    same = f" and r.severity == {text(severity)}" if severity else ""
    body = (
        f"{_alerts('-' + ALERTS_BACK, filters, kinds, rules)}\n"
        '  |> filter(fn: (r) => r._field == "open" or r._field == "severity")\n'
        f'  {_SIDE_BY_SIDE}\n  |> filter(fn: (r) => r.open{same}, onEmpty: "keep")\n'
        '  |> count(column: "open")\n  |> keep(columns: ["open"])'
    )
    return Query(body, ALERT, ("open", "severity"))


def alert_table(
    summary: str, n: int = 200, only_open: bool = False, filters: Filters = TENANT,
    kinds: Sequence[str] = (), rules: str = "",
) -> Query:  # fmt: skip
    """Alerts, the newest first; `summary` names the field with the text in the reader's language."""
    start = f"-{ALERTS_BACK}" if only_open else "v.timeRangeStart"
    fields = ("severity", "level", "status", summary, "value", "duration_s", "acknowledged_by", "open")
    listed = " or ".join(f"r._field == {text(name)}" for name in fields)
    shown = ("_time", "severity", "status", "rule", "device", "district", summary, "value", "duration_s",
             "acknowledged_by")  # fmt: skip
    keep = ", ".join(map(text, shown))
    still = "\n  |> filter(fn: (r) => r.open)" if only_open else ""
    lasted = "if r.open then float(v: int(v: now()) - int(v: r._time)) / 1000000000.0 else r.duration_s"
    body = (
        f"{_alerts(start, filters, kinds, rules)}\n  |> filter(fn: (r) => {listed})\n  {_SIDE_BY_SIDE}{still}\n"
        f'  |> sort(columns: ["_time"], desc: true)\n  |> limit(n: {n})\n'
        f"  |> map(fn: (r) => ({{r with duration_s: {lasted}}}))\n  |> keep(columns: [{keep}])"
    )
    return Query(body, ALERT, fields)


def alerts_raised(severity: str, filters: Filters = TENANT, kinds: Sequence[str] = (), rules: str = "") -> Query:
    """Alerts of a severity raised per window."""
    body = (
        f"{_alerts('v.timeRangeStart', filters, kinds, rules)}\n"
        f'  |> filter(fn: (r) => r._field == "severity" and r._value == {text(severity)})\n  |> group()\n'
        '  |> aggregateWindow(every: v.windowPeriod, fn: count)\n  |> keep(columns: ["_time", "_value"])'
    )
    return Query(body, ALERT, ("severity",))


def alert_counts(by: str, n: int = 20, filters: Filters = TENANT, kinds: Sequence[str] = (), rules: str = "") -> Query:
    """How many alerts were raised in the board's range, by a tag or the field severity or status, most first."""
    name = by if by in ("severity", "status") else "status"
    body = (
        f"{_alerts('v.timeRangeStart', filters, kinds, rules)}\n  |> filter(fn: (r) => r._field == {text(name)})\n"
        f'  {_named(by)}|> group(columns: ["{by}"])\n  |> count()\n  |> group()\n'
        f'  |> rename(columns: {{_value: "count"}})\n  |> top(n: {n}, columns: ["count"])\n'
        f'  |> keep(columns: ["{by}", "count"])'
    )
    return Query(body, ALERT, (name,))


def resolving(fold: str, filters: Filters = TENANT) -> Query:
    """How long alerts of the board's range were open, in s, of those that are resolved: `mean` or `max` a window."""
    body = (
        f"{_alerts('v.timeRangeStart', filters, (), '')}\n"
        '  |> filter(fn: (r) => r._field == "duration_s" and r._value > 0.0)\n  |> group()\n'
        f"  |> aggregateWindow(every: v.windowPeriod, fn: {fold}, createEmpty: false)\n"
        '  |> keep(columns: ["_time", "_value"])'
    )
    return Query(body, ALERT, ("duration_s",))


def resolved_in(fold: str, filters: Filters = TENANT) -> Query:
    """The same over the whole range as one number."""
    body = (
        f"{_alerts('v.timeRangeStart', filters, (), '')}\n"
        '  |> filter(fn: (r) => r._field == "duration_s" and r._value > 0.0)\n  |> group()\n'
        f'  |> {fold}()\n  |> keep(columns: ["_value"])'
    )
    return Query(body, ALERT, ("duration_s",))


def marks(kinds: Sequence[str], summary: str) -> Query:
    """Alerts as annotations on the graphs of a board."""
    fields = ("severity", summary)
    listed = " or ".join(f"r._field == {text(name)}" for name in fields)
    body = (
        f"{_alerts('v.timeRangeStart', TENANT, kinds, '')}\n  |> filter(fn: (r) => {listed})\n  {_SIDE_BY_SIDE}\n"
        f'  |> filter(fn: (r) => r.severity == "major" or r.severity == "critical")\n'
        f'  |> rename(columns: {{{summary}: "text", severity: "title", rule: "tags"}})\n'
        '  |> keep(columns: ["_time", "title", "text", "tags"])\n  |> limit(n: 200)'
    )
    return Query(body, ALERT, fields)


def alert_places(summary: str, filters: Filters = TENANT) -> Query:
    """Open alerts where they are; those of things that stand nowhere in particular are left out."""
    fields = ("level", "open", "lat", "lon", summary)
    listed = " or ".join(f"r._field == {text(name)}" for name in fields)
    body = (
        f"{_alerts('-' + ALERTS_BACK, filters, (), '')}\n  |> filter(fn: (r) => {listed})\n"
        f"  {_SIDE_BY_SIDE}\n  |> filter(fn: (r) => r.open and exists r.lat)\n"
        f'  |> keep(columns: ["device", "rule", "level", "{summary}", "lat", "lon"])'
    )
    return Query(body, ALERT, fields)


def _tasks(fields: Sequence[str], filters: Filters, operation: str = "") -> str:
    rows = ranged(WORK, fields, filters)
    return rows + (f"\n  |> filter(fn: (r) => r.operation == {text(operation)})" if operation else "")


def tasks(what: str, filters: Filters = TENANT, operation: str = "") -> Query:
    """How many judged tasks of the board's range are `met`, `not_met`, `not_judged` or (with "") all of them."""
    same = f'\n  |> filter(fn: (r) => r._value == {text(what)}, onEmpty: "keep")' if what else ""
    body = f"{_tasks(['status'], filters, operation)}{same}\n  |> group()\n  |> count()"
    return Query(f'{body}\n  |> keep(columns: ["_value"])', WORK, ("status",))


def tasks_folded(name: str, fold: str, filters: Filters = TENANT, operation: str = "") -> Query:
    """A figure of all judged tasks of the range as one number; of the flag `met` the share."""
    body = f"{_tasks([name], filters, operation)}\n  |> toFloat()\n  |> group()\n  |> {fold}()"
    return Query(f'{body}\n  |> keep(columns: ["_value"])', WORK, (name,))


def tasks_by(name: str, fold: str, by: str, filters: Filters = TENANT, *, highest: bool = False) -> Query:
    """The same per value of a tag (`owner`, `operation`, `district`, `device`), lowest or `highest` first."""
    first = "true" if highest else "false"
    body = (
        f'{_tasks([name], filters)}\n  |> toFloat()\n  |> group(columns: ["{by}"])\n  |> {fold}()\n  |> group()\n'
        f'  |> sort(columns: ["_value"], desc: {first})\n  |> keep(columns: ["{by}", "_value"])\n  |> limit(n: 40)'
    )
    return Query(body, WORK, (name,))


def tasks_daily(
    timezone: str, by: str = "", name: str = "met", fold: str = "mean", operation: str = "", per: float = 1.0
) -> Query:
    """A figure of the tasks per day of that time zone, in units of `per`."""
    columns = f'columns: ["{by}"]' if by else ""
    keep = f'["_time", "_value", "{by}"]' if by else '["_time", "_value"]'
    rows = _tasks([name], TENANT, operation).replace(
        "range(start: v.timeRangeStart", "range(start: date.truncate(t: v.timeRangeStart, unit: 1d)"
    )
    body = (
        f'import "date"\nimport "timezone"\n\noption location = timezone.location(name: {text(timezone)})\n\n'
        f"{rows}\n  |> toFloat()\n  |> group({columns})\n"
        f'  |> aggregateWindow(every: 1d, fn: {fold}, createEmpty: false, timeSrc: "_start")\n'
        + (f"  |> map(fn: (r) => ({{r with _value: r._value / {per}}}))\n" if per != 1.0 else "")
        + f"  |> keep(columns: {keep})"
    )
    return Query(body, WORK, (name,))


def task_table(reasons: Mapping[str, str], filters: Filters = TENANT, operation: str = "", n: int = 200) -> Query:
    """Judged tasks, the newest first, their reasons in the given words."""
    why = '(if exists r.reasons then r.reasons else "")'
    for name, word in {**reasons, ",": "; "}.items():
        why = f"strings.replaceAll(v: {why}, t: {text(name)}, u: {text(word)})"
    fields = ("status", "reasons", "evidence", "coverage_pct", "work_duration_s", "passes", "missed_m", "overspeed_s",
              "empty_running_pct")  # fmt: skip
    keep = ", ".join(map(text, ("_time", "task", "device", "owner", "operation", *fields)))
    body = (
        f'import "strings"\n\n{_tasks(fields, filters, operation)}\n  {_SIDE_BY_SIDE}\n'
        f'  |> sort(columns: ["_time"], desc: true)\n  |> limit(n: {n})\n'
        f"  |> map(fn: (r) => ({{r with reasons: {why}}}))\n  |> keep(columns: [{keep}])"
    )
    return Query(body, WORK, fields)


def server_now(name: str) -> Query:
    """The newest value of one of the server's figures."""
    body = f'{now(INGEST, [name], "10m", ())}\n  |> group()\n  |> sum()\n  |> keep(columns: ["_value"])'
    return Query(body, INGEST, (name,))


def server_well() -> Query:
    """Whether every part of the server is well now."""
    body = f'{now(INGEST, ["ok"], "10m", ())}\n  |> group()\n  |> toInt()\n  |> min()\n  |> keep(columns: ["_value"])'
    return Query(body, INGEST, ("ok",))


def server_states() -> Query:
    """The same over time: "true" or "false" as the worst of each window, SILENT where there was no word of the server
    at all; the window of this moment waits for its first.
    """
    body = (
        f"{_EVERY}{ranged(INGEST, ['ok'], ())}\n  |> toInt()\n  {_gapless('mean')}\n"
        "  |> filter(fn: (r) => exists r._value or int(v: r._time) + int(v: every) <= int(v: v.timeRangeStop))\n"
        f"  |> map(fn: (r) => ({{_time: r._time, _value: if not exists r._value then {text(SILENT)} "
        'else if r._value < 1.0 then "false" else "true"}))'
    )
    return Query(body, INGEST, ("ok",))


def server_course(name: str, fold: str = "max") -> Query:
    """One of the server's figures over time, with a gap where it said nothing."""
    within = "" if fold == "mean" else f'|> aggregateWindow(every: every, fn: {fold}, timeSrc: "_start")\n  '
    body = (
        f'{_EVERY}{ranged(INGEST, [name], ())}\n  {within}{_gapless("mean")}\n  |> keep(columns: ["_time", "_value"])'
    )
    return Query(body, INGEST, (name,))


_EVERY = f"every = duration(v: if int(v: v.windowPeriod) > {HEARD_NS} then int(v: v.windowPeriod) else {HEARD_NS})\n\n"


def _gapless(fold: str) -> str:
    """A row for every window, without a value where nothing was said."""
    return f'|> aggregateWindow(every: every, fn: {fold}, createEmpty: true, timeSrc: "_start")'


def server_growth(name: str) -> Query:
    """By how much a counter grew per window; a restart, which starts it anew, counts as no growth."""
    body = (
        f"{ranged(INGEST, [name], ())}\n"
        "  |> aggregateWindow(every: v.windowPeriod, fn: last, createEmpty: false)\n"
        '  |> difference(nonNegative: true)\n  |> keep(columns: ["_time", "_value"])'
    )
    return Query(body, INGEST, (name,))


def _named(by: str) -> str:
    return f'|> duplicate(column: "_value", as: "{by}")\n  ' if by in ("severity", "status") else ""
