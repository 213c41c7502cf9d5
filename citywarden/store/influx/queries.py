"""What is asked of InfluxDB, as InfluxQL: it answers with whole readings, where Flux would have to pivot them.

Times are ms, start inclusive, stop exclusive. Every function returns the statements of one request, without the `;`.
"""
# ruff: noqa: S608 (names and values are quoted by `names`)

from collections.abc import Mapping, Sequence

from citywarden.model.device import DeviceKey
from citywarden.model.kind import Form, Kind, Quantity
from citywarden.store.contract import Fold
from citywarden.store.influx.lines import RECEIVED
from citywarden.store.influx.names import identifier, literal, source

END_MS = 9_000_000_000_000
"""Later than anything (the year 2255), and as late as InfluxDB can count in nanoseconds."""

TAGGED = '"tenant", "device", "district"'

_FUNCTIONS = {
    Fold.MEAN: "mean",
    Fold.MIN: "min",
    Fold.MAX: "max",
    Fold.SUM: "sum",
    Fold.LAST: "last",
    Fold.COUNT: "count",
}


def between(start_ms: int, stop_ms: int) -> str:
    return f"time >= {start_ms}ms AND time < {stop_ms}ms"


def series(bucket: str, kind: Kind, key: DeviceKey, start_ms: int, stop_ms: int, limit: int) -> str:
    """Readings of one device, a series for each district it was sent from, at most `limit` each."""
    return (
        f"SELECT {_fields(kind)} FROM {source(bucket, kind.name)} WHERE {_device(key)}"
        f" AND {between(start_ms, stop_ms)} GROUP BY {TAGGED} LIMIT {limit}"
    )


def window(bucket: str, kind: Kind, start_ms: int, stop_ms: int, devices: Sequence[DeviceKey] | None) -> str:
    """Readings of the window, a series for each device and district."""
    only = "" if devices is None else f" AND ({' OR '.join(f'({_device(key)})' for key in devices)})"
    return (
        f"SELECT {_fields(kind)} FROM {source(bucket, kind.name)} WHERE {between(start_ms, stop_ms)}{only}"
        f" GROUP BY {TAGGED}"
    )


def last_readings(bucket: str, kind: Kind, since_ms: int, tenant: str | None) -> str:
    """The newest whole reading of every series that has one since then: one pass, where `latest` makes one a field."""
    only = "" if tenant is None else f" AND {identifier('tenant')} = {literal(tenant)}"
    return (
        f"SELECT {_fields(kind)} FROM {source(bucket, kind.name)} WHERE time >= {since_ms}ms{only}"
        f" GROUP BY {TAGGED} ORDER BY time DESC LIMIT 1"
    )


def latest(
    buckets: Sequence[str], kind: Kind, field: str, tenant: str | None, devices: Sequence[DeviceKey] | None = None
) -> list[str]:
    """For every bucket the newest value of a field in each series, of all time; only of `devices` when given."""
    conditions = [] if tenant is None else [f"{identifier('tenant')} = {literal(tenant)}"]
    if devices is not None:
        conditions.append(f"({' OR '.join(f'({_device(key)})' for key in devices)})")
    only = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return [
        f"SELECT last({identifier(field)}) FROM {source(bucket, kind.name)}{only} GROUP BY {TAGGED}"
        for bucket in buckets
    ]


def aggregate(
    bucket: str, kind: str, quantity: Quantity, window: tuple[int, int], every_ms: int, fold: Fold, by: str
) -> list[str]:
    """A field folded per bucket of time. Flags give two statements: how many were true, and how many there were."""
    value = identifier(quantity.field)
    tail = f" GROUP BY time({every_ms}ms){f', {identifier(by)}' if by else ''} fill(none)"
    where = f" FROM {source(bucket, kind)} WHERE {between(*window)}"
    if quantity.form is Form.FLAG and fold not in (Fold.LAST, Fold.COUNT):
        return [f"SELECT count({value}){where} AND {value} = true{tail}", f"SELECT count({value}){where}{tail}"]
    return [f"SELECT {_FUNCTIONS[fold]}({value}){where}{tail}"]


def folded(table: str, field: str, window: tuple[int, int], every_ms: int, fold: Fold, by: str) -> str:
    """The same from a table of folds; a mean is the sum over the number of readings."""
    parts = {
        Fold.MEAN: f"sum({identifier(field + '_sum')}) / sum({identifier(field + '_n')})",
        Fold.MIN: f"min({identifier(field + '_min')})",
        Fold.MAX: f"max({identifier(field + '_max')})",
        Fold.SUM: f"sum({identifier(field + '_sum')})",
        Fold.LAST: f"last({identifier(field + '_last')})",
        Fold.COUNT: f"sum({identifier(field + '_n')})",
    }
    return (
        f"SELECT {parts[fold]} FROM {table} WHERE {between(*window)}"
        f" GROUP BY time({every_ms}ms){f', {identifier(by)}' if by else ''} fill(none)"
    )


def count(bucket: str, kind: str, before_ms: int = END_MS) -> str:
    """How many readings there are before a time."""
    return f"SELECT count({identifier(RECEIVED)}) FROM {source(bucket, kind)} WHERE time < {before_ms}ms"


def points(bucket: str, name: str, start_ms: int, stop_ms: int, tags: Mapping[str, str]) -> list[str]:
    """Rows of another measurement, a series for each set of tags; then the types of its fields."""
    only = "".join(f" AND {identifier(tag)}::tag = {literal(value)}" for tag, value in tags.items())
    table = source(bucket, name)
    return [
        f"SELECT *::field FROM {table} WHERE {between(start_ms, stop_ms)}{only} GROUP BY *",
        f"SHOW FIELD KEYS FROM {table}",
    ]


def _fields(kind: Kind) -> str:
    return ", ".join(identifier(field) for field in (RECEIVED, *(q.field for q in kind.quantities)))


def _device(key: DeviceKey) -> str:
    return f"{identifier('tenant')} = {literal(key.tenant)} AND {identifier('device')} = {literal(key.id)}"
