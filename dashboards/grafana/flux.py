"""Flux for the panels, from the store's names. Grafana fills in `v.*` and `${variable:regex}`.

The data source knows the bucket (`v.defaultBucket`), so no board names one; records are in one beside it. A trend of
devices reads raw readings for up to three hours, minutes for up to two days and hours beyond; one of a city reads the
folds of its districts. So a month costs no more than a day. The newest minutes (of a long range: hours) come once the
store has folded them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from citywarden.store.schema import RECORDS

RAW_UP_TO_NS = 3 * 3_600 * 1_000_000_000
MINUTES_UP_TO_NS = 2 * 86_400 * 1_000_000_000

DISTRICT = "_district"
"""What the store's rows of districts have behind the kind's name."""

KEPT = "_records"
"""What the bucket of records has behind the bucket's name."""

_SPAN = "span = int(v: v.timeRangeStop) - int(v: v.timeRangeStart)\n"
_LONG = f"span > {MINUTES_UP_TO_NS}"

Filters = tuple[str, ...]
TENANT = ("tenant",)
PLACE = ("tenant", "district")


@dataclass(frozen=True, slots=True)
class Query:
    """A query and what it reads, for the tests: fields of a measurement."""

    flux: str
    measurement: str
    fields: tuple[str, ...]
    also: tuple[tuple[str, tuple[str, ...]], ...] = field(default=())


def text(value: str) -> str:
    """A string literal."""
    return orjson.dumps(value).decode()


def either(column: str, names: Sequence[str]) -> str:
    """A condition: the column is one of the names."""
    return " or ".join(f"r.{column} == {text(name)}" for name in names)


def only(filters: Filters) -> str:
    """The step that keeps what the board's variables of those names choose; the variable is named as the tag."""
    if not filters:
        return ""
    return "\n  |> filter(fn: (r) => " + " and ".join(f"r.{tag} =~ /^${{{tag}:regex}}$/" for tag in filters) + ")"


def home(measurement: str) -> str:
    """The bucket of a measurement, as Flux."""
    return f"v.defaultBucket + {text(KEPT)}" if measurement in RECORDS else "v.defaultBucket"


def said(query: Query, column: str, words: Mapping[str, str], nothing: str) -> Query:
    """The same rows with the values of a tag in the reader's words; `nothing` where there is none."""
    known = ", ".join(f"{text(name)}: {text(word)}" for name, word in words.items())
    value = f"dict.get(dict: [{known}], key: r.{column}, default: r.{column})" if words else f"r.{column}"
    here = f'if exists r.{column} and r.{column} != "" then {value} else {text(nothing)}'
    flux = f"{query.flux}\n  |> map(fn: (r) => ({{r with {column}: {here}}}))"
    return replace(query, flux=f'import "dict"\n{flux}' if words else flux)


def now(measurement: str, fields: Sequence[str], since: str, filters: Filters = TENANT) -> str:
    """The newest value of every series of these fields since then; a series is a device and a field."""
    return (
        f"from(bucket: {home(measurement)})\n  |> range(start: -{since})\n"
        f"  |> filter(fn: (r) => r._measurement == {text(measurement)})\n"
        f"  |> filter(fn: (r) => {either('_field', fields)}){only(filters)}\n  |> last()"
    )


def ranged(measurement: str, fields: Sequence[str], filters: Filters = TENANT) -> str:
    """Raw rows of these fields in the board's time range."""
    return (
        f"from(bucket: {home(measurement)})\n  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)\n"
        f"  |> filter(fn: (r) => r._measurement == {text(measurement)})\n"
        f"  |> filter(fn: (r) => {either('_field', fields)}){only(filters)}"
    )


def one_number(measurement: str, name: str, since: str, fold: str, filters: Filters = TENANT) -> Query:
    """The newest values of all devices folded to one number; flags count as 0 and 1."""
    body = f"{now(measurement, [name], since, filters)}\n  |> toFloat()\n  |> group()\n  |> {fold}()"
    return Query(f'{body}\n  |> keep(columns: ["_value"])', measurement, (name,))


def how_many(
    measurement: str, name: str, since: str, where: str = "", filters: Filters = TENANT, by: str = ""
) -> Query:
    """How many devices have a newest value (for which `where`, a condition on `r._value`, holds); 0 is said as 0."""
    kept = f'\n  |> filter(fn: (r) => {where}, onEmpty: "keep")' if where else ""
    columns = f'columns: ["{by}"]' if by else ""
    keep = f'["{by}", "_value"]' if by else '["_value"]'
    body = (
        f"{now(measurement, [name], since, filters)}{kept}\n  |> group({columns})\n"
        f"  |> count()\n  |> keep(columns: {keep})" + ("\n  |> group()" if by else "")
    )
    return Query(body, measurement, (name,))


def trend(measurement: str, name: str, filters: Filters, fold: str = "mean") -> Query:
    """A number of the chosen devices over the board's range, one series a device, folded per window."""
    peak = f'"{name}_{fold}"' if fold in ("max", "min") else text(name)
    window = f"aggregateWindow(every: v.windowPeriod, fn: {fold}, createEmpty: false)"
    body = (
        f'{_SPAN}fold = if {_LONG} then "_1h" else if span > {RAW_UP_TO_NS} then "_1m" else ""\n'
        f"name = if {_LONG} then {peak} else {text(name)}\n\n"
        "from(bucket: v.defaultBucket + fold)\n  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)\n"
        f"  |> filter(fn: (r) => r._measurement == {text(measurement)} and r._field == name){only(filters)}\n"
        f'  |> {window}\n  |> group(columns: ["device"])\n  |> keep(columns: ["_time", "_value", "device"])'
    )
    return Query(body, measurement, (name,))


def extremes(measurement: str, name: str, filters: Filters, fold: str) -> Query:
    """The `max` or `min` per window over all chosen devices; raw up to three hours, then the folds of devices."""
    window = f"aggregateWindow(every: v.windowPeriod, fn: {fold}, createEmpty: false)"
    devices = trend(measurement, name, filters, fold).flux.partition('\n  |> group(columns: ["device"])')[0]
    return Query(
        f'{devices}\n  |> group()\n  |> {window}\n  |> keep(columns: ["_time", "_value"])', measurement, (name,)
    )


def city_trend(measurement: str, name: str, fold: str, by: str = "", filters: Filters = PLACE) -> Query:
    """A number or flag (its share of true) of all devices over the board's range: `mean`, `max`, `min` or `sum` per
    window, of the whole city or per district. It reads the folds of districts, so that no device is touched.
    """
    columns = f'columns: ["{by}"]' if by else ""
    keep = f'["_time", "_value", "{by}"]' if by else '["_time", "_value"]'
    parts = ("_sum", "_n") if fold == "mean" else (f"_{fold}",)
    again = "sum" if fold == "mean" else fold
    window = f"aggregateWindow(every: v.windowPeriod, fn: {again}, createEmpty: false)"
    grouped = ", ".join(text(column) for column in ((by, "_field") if by else ("_field",)))
    share = (
        '\n  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")\n'
        f"  |> map(fn: (r) => ({{r with _value: r.{name}_sum / float(v: r.{name}_n)}}))\n  |> group({columns})"
    )
    body = (
        f'{_SPAN}fold = if {_LONG} then "_1h" else "_1m"\n\n'
        "from(bucket: v.defaultBucket + fold)\n  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)\n"
        f"  |> filter(fn: (r) => r._measurement == {text(measurement + DISTRICT)})\n"
        f"  |> filter(fn: (r) => {either('_field', [name + part for part in parts])}){only(filters)}\n"
        f"  |> {window}\n  |> group(columns: [{grouped}])\n  |> {window}"
        f"{share if fold == 'mean' else ''}\n  |> keep(columns: {keep})"
    )
    return Query(body, measurement, (name,))


def course(measurement: str, name: str, filters: Filters) -> Query:
    """Raw values of one device (chosen by the variables): the last of each window."""
    body = (
        f"{ranged(measurement, [name], filters)}\n"
        "  |> aggregateWindow(every: v.windowPeriod, fn: last, createEmpty: false)\n"
        '  |> keep(columns: ["_time", "_value"])'
    )
    return Query(body, measurement, (name,))


def states(measurement: str, name: str, devices: int, filters: Filters = PLACE) -> Query:
    """A flag per device over time, for the first so many devices by name; only those are read."""
    body = (
        'import "regexp"\nimport "strings"\n\n'
        f"chosen = {now(measurement, [name], '1h', filters)}\n"
        '  |> group()\n  |> keep(columns: ["device"])\n  |> sort(columns: ["device"])\n'
        f"  |> limit(n: {devices})\n  |> map(fn: (r) => ({{r with device: regexp.quoteMeta(v: r.device)}}))\n"
        '  |> findColumn(fn: (key) => true, column: "device")\n'
        'these = regexp.compile(v: "^(" + strings.joinStr(arr: chosen, v: "|") + ")$")\n\n'
        f"{ranged(measurement, [name], filters)}\n"
        "  |> filter(fn: (r) => r.device =~ these)\n"
        "  |> aggregateWindow(every: v.windowPeriod, fn: last, createEmpty: false)\n"
        '  |> group(columns: ["device"])\n  |> keep(columns: ["_time", "_value", "device"])'
    )
    return Query(body, measurement, (name,))


def worst(measurement: str, name: str, since: str, n: int, order: str = "top", filters: Filters = PLACE) -> Query:
    """The devices with the highest (`top`) or lowest (`bottom`) newest values."""
    body = (
        f"{now(measurement, [name], since, filters)}\n  |> group()\n  |> {order}(n: {n})\n"
        '  |> keep(columns: ["device", "_value"])'
    )
    return Query(body, measurement, (name,))


BY_FIELD = '\n  |> group(columns: ["_field"])\n'
"""Put before a pivot: a few long tables are much quicker to turn than one for every device and field."""


def table(measurement: str, fields: Sequence[str], since: str, filters: Filters = PLACE) -> Query:
    """One row a device, the highest first: its newest values and, as `_time`, when the server last heard of it."""
    keep = ", ".join(text(column) for column in ("device", "district", *fields, "_time"))
    body = (
        f"{now(measurement, (*fields, 'received_ms'), since, filters)}{BY_FIELD}"
        '  |> pivot(rowKey: ["tenant", "district", "device"], columnKey: ["_field"], valueColumn: "_value")\n'
        "  |> map(fn: (r) => ({r with _time: time(v: r.received_ms * 1000000)}))\n"
        f"  |> keep(columns: [{keep}])\n  |> group()\n  |> sort(columns: [{text(fields[0])}], desc: true)"
    )
    return Query(body, measurement, (*fields, "received_ms"))


def saying(measurement: str, name: str, since: str, filters: Filters = PLACE) -> Query:
    """One row for every device whose newest text in that field is not empty, and when it said so."""
    body = (
        f'{now(measurement, [name], since, filters)}\n  |> filter(fn: (r) => r._value != "")\n  |> group()\n'
        '  |> keep(columns: ["device", "district", "_value", "_time"])'
    )
    return Query(body, measurement, (name,))


def placed(
    measurement: str, fields: Sequence[str], since: str, filters: Filters = PLACE, *, named: bool = True
) -> Query:
    """One row a device that stands still: where it is (measurement `device`) and its newest values. Each further field,
    and the name, costs as much as the position: thousands of lamps do without. Of the few rows of a place, which come
    in order of time, the pivot takes the last: looking for it device by device would take most of the time.
    """
    known = ("lat", "lon", "name") if named else ("lat", "lon")
    same = f"  |> filter(fn: (r) => r.kind == {text(measurement)})"
    home = now("device", known, "3d", filters).replace("  |> last()", same)
    body = (
        f'places = {home}{BY_FIELD}  |> keep(columns: ["tenant", "device", "_field", "_value"])\n'
        f"values = {now(measurement, fields, since, filters)}{BY_FIELD}"
        '  |> keep(columns: ["tenant", "device", "_field", "_value"])\n'
        "union(tables: [places, values])\n"
        '  |> pivot(rowKey: ["tenant", "device"], columnKey: ["_field"], valueColumn: "_value")\n'
        f"  |> filter(fn: (r) => exists r.lat and exists r.{fields[0]})"
    )
    return Query(body, measurement, tuple(fields), (("device", known),))


def moving(fields: Sequence[str], since: str, filters: Filters = PLACE) -> Query:
    """One row a vehicle: its newest position and values."""
    chosen = ("lat", "lon", *fields)
    body = (
        f"{now('vehicle', chosen, since, filters)}{BY_FIELD}"
        '  |> pivot(rowKey: ["tenant", "device"], columnKey: ["_field"], valueColumn: "_value")'
    )
    return Query(body, "vehicle", chosen)


def at_work(since: str, filters: Filters = PLACE) -> Query:
    """One row a vehicle: its newest position, speed and heading, and whether any of its equipment works."""
    chosen = ("lat", "lon", "speed_kmh", "heading_deg", "brush", "pump", "lift")
    on = " or ".join(f"(exists r.{name} and r.{name})" for name in ("brush", "pump", "lift"))
    body = (
        f"{now('vehicle', chosen, since, filters)}{BY_FIELD}"
        '  |> pivot(rowKey: ["tenant", "device"], columnKey: ["_field"], valueColumn: "_value")\n'
        f"  |> filter(fn: (r) => exists r.lat and exists r.lon)\n  |> map(fn: (r) => ({{r with working: {on}}}))\n"
        '  |> keep(columns: ["device", "lat", "lon", "working", "speed_kmh", "heading_deg"])'
    )
    return Query(body, "vehicle", chosen)


def how_many_work(since: str, filters: Filters = TENANT) -> Query:
    """How many vehicles have equipment at work."""
    body = f'{at_work(since, filters).flux}\n  |> filter(fn: (r) => r.working, onEmpty: "keep")\n  |> group()'
    return Query(
        f'{body}\n  |> count(column: "working")\n  |> keep(columns: ["working"])', "vehicle", ("brush", "pump", "lift")
    )


def way(filters: Filters, fixes: int = 5000) -> Query:
    """The newest fixes of a vehicle in the board's range, with its speed."""
    fields = ("lat", "lon", "speed_kmh")
    body = (
        f"{ranged('vehicle', fields, filters)}\n"
        "  |> aggregateWindow(every: v.windowPeriod, fn: last, createEmpty: false)\n"
        '  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")\n  |> group()\n'
        f"  |> filter(fn: (r) => exists r.lat and exists r.lon)\n  |> tail(n: {fixes})\n"
        '  |> keep(columns: ["_time", "lat", "lon", "speed_kmh"])'
    )
    return Query(body, "vehicle", fields)
