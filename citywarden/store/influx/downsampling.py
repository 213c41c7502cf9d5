"""The down-sampled buckets beside a bucket of readings, and the Flux tasks that fill them. Pure: texts only.

| bucket            | measurement       | one row                     | fields                                       |
|-------------------|-------------------|-----------------------------|----------------------------------------------|
| `<bucket>_1m`     | `<kind>`          | device, district and minute | `<field>`: its mean; of a flag the share of  |
|                   |                   |                             | true                                         |
| `<bucket>_1m`     | `<kind>_district` | district and minute         | `<field>_sum`, `_n` (readings), `_min`, `_max` |
| `<bucket>_1h`     | `<kind>`          | device, district and hour   | all of these, and `<field>_last`             |
| `<bucket>_1h`     | `<kind>_district` | district and hour           | `<field>_sum`, `_n`, `_min`, `_max`          |
| `<bucket>_newest` | `<kind>`          | device, district and day    | the newest value of every field, for ever    |

| `<bucket>_records`| of `RECORDS`      | an alert, a task, a case, a device's day | as they are written             |

A row stands at the start of its minute or hour. Rows of districts make a month of a whole city quick to read. Every
task folds more than its own interval anew, so that readings which come late are in; a nightly run goes further back.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from citywarden.model.kind import Form, Kind, Kinds
from citywarden.store.influx.lines import RECEIVED
from citywarden.store.schema import RECORDS

MINUTE, HOUR, NEWEST, KEPT = "_1m", "_1h", "_newest", "_records"
"""What is put behind the bucket's name."""

DISTRICT = "_district"
"""What is put behind a kind's name for the rows of its districts."""

_WHOLE = (("sum", "_sum"), ("count", "_n"), ("min", "_min"), ("max", "_max"))
"""Folds that can be folded again over devices: Flux function and suffix of the field."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How long each bucket keeps its rows, in days; None: for ever."""

    raw_days: int | None = 30
    minute_days: int | None = 180
    hour_days: int | None = 5 * 365
    record_days: int | None = 5 * 365


KEEP = Keep()


@dataclass(frozen=True, slots=True)
class Task:
    """A task of InfluxDB: runs `every` so often, `offset` after the full hour or day (Flux durations)."""

    name: str
    every: str
    offset: str
    body: str

    @property
    def flux(self) -> str:
        """The whole text."""
        option = f"option task = {{name: {_text(self.name)}, every: {self.every}, offset: {self.offset}}}"
        return f'import "date"\n\n{option}\n\n{self.body}'


def buckets(bucket: str, keep: Keep) -> dict[str, int | None]:
    """Every bucket with the days it keeps."""
    return {
        bucket: keep.raw_days,
        bucket + MINUTE: keep.minute_days,
        bucket + HOUR: keep.hour_days,
        bucket + NEWEST: None,
        bucket + KEPT: keep.record_days,
    }


def tasks(bucket: str, kinds: Kinds) -> list[Task]:
    """Every task; none where there are no kinds."""
    if not kinds:
        return []
    name = f"citywarden {bucket}"
    return [
        Task(f"{name}: minutes", "5m", "30s", fold(bucket, kinds, MINUTE, *_back("15m", "1m"))),
        Task(f"{name}: minutes of late readings", "1d", "1h", fold(bucket, kinds, MINUTE, *_back("49h", "1m"))),
        Task(f"{name}: hours", "1h", "2m", fold(bucket, kinds, HOUR, *_back("3h", "1h"))),
        Task(f"{name}: hours of districts", "1h", "5m", districts(bucket, kinds, *_back("3h", "1h"))),
        Task(f"{name}: hours of late readings", "1d", "2h", fold(bucket, kinds, HOUR, *_back("8d", "1h"))),
        Task(f"{name}: hours of districts, late", "1d", "3h", districts(bucket, kinds, *_back("8d", "1h"))),
        Task(f"{name}: newest values", "1d", "4h", newest(bucket, kinds, "-8d", "now()")),
    ]


def fold(bucket: str, kinds: Kinds, suffix: str, start: str, stop: str) -> str:
    """Flux that folds the readings between two full minutes (hours) into the bucket with that suffix."""
    every, target = suffix.removeprefix("_"), bucket + suffix
    steps = [f"start = {start}\nstop = {stop}\n"]
    for kind in kinds.values():
        for fields, flags in _forms(kind):
            rows = _rows(bucket, kind.name, fields) + flags
            steps.append(f"{rows}\n{_window(every, 'mean')}\n    |> to(bucket: {_text(target)})\n")
            for function, end in (*_WHOLE, ("last", "_last")) if suffix == HOUR else ():
                steps.append(f"{rows}\n{_window(every, function)}\n{_named(end)}\n    |> to(bucket: {_text(target)})\n")
            for function, end in _WHOLE if suffix == MINUTE else ():
                window = f"{_OVER_DEVICES}\n{_window(every, function)}\n{_named(end)}"
                steps.append(f"{rows}\n{window}\n{_to_district(kind, target)}")
    return "\n".join(steps)


def districts(bucket: str, kinds: Kinds, start: str, stop: str) -> str:
    """Flux that folds the hours of devices into hours of districts."""
    steps = [f"start = {start}\nstop = {stop}\n"]
    for kind in kinds.values():
        for function, end in _WHOLE:
            rows = _rows(bucket + HOUR, kind.name, [q.field + end for q in kind.numeric])
            again = "sum" if function == "count" else function
            steps.append(f"{rows}\n{_OVER_DEVICES}\n{_window('1h', again)}\n{_to_district(kind, bucket + HOUR)}")
    return "\n".join(steps)


def newest(bucket: str, kinds: Kinds, start: str, stop: str) -> str:
    """Flux that copies the newest value of every field in the window into the bucket that keeps them."""
    return (
        f"from(bucket: {_text(bucket)})\n    |> range(start: {start}, stop: {stop})\n"
        f"    |> filter(fn: (r) => {_either('_measurement', list(kinds))})\n"
        f"    |> last()\n    |> to(bucket: {_text(bucket + NEWEST)})\n"
    )


def records(bucket: str, target: str) -> str:
    """Flux that copies records, which lived among the readings once, into another bucket."""
    return (
        f"from(bucket: {_text(bucket)})\n    |> range(start: 0, stop: 2200-01-01T00:00:00Z)\n"
        f"    |> filter(fn: (r) => {_either('_measurement', list(RECORDS))})\n"
        f"    |> to(bucket: {_text(target)})\n"
    )


def oldest(bucket: str) -> str:
    """Flux that gives one row with the time of the oldest reading, or none."""
    return (
        f"from(bucket: {_text(bucket)})\n    |> range(start: 0)\n"
        f"    |> filter(fn: (r) => r._field == {_text(RECEIVED)})\n"
        '    |> first()\n    |> group()\n    |> min(column: "_time")\n    |> keep(columns: ["_time"])\n'
    )


def _back(duration: str, unit: str) -> tuple[str, str]:
    stop = f"date.truncate(t: now(), unit: {unit})"
    return f"date.sub(d: {duration}, from: {stop})", stop


def _forms(kind: Kind) -> Iterator[tuple[list[str], str]]:
    """Numbers, then flags with the step that makes them 0 and 1."""
    for form, step in ((Form.NUMBER, ""), (Form.FLAG, "\n    |> toFloat()")):
        if fields := [q.field for q in kind.quantities if q.form is form]:
            yield fields, step


def _rows(source: str, measurement: str, fields: list[str]) -> str:
    return (
        f"from(bucket: {_text(source)})\n    |> range(start: start, stop: stop)\n"
        f"    |> filter(fn: (r) => {_either('_measurement', [measurement])})\n"
        f"    |> filter(fn: (r) => {_either('_field', fields)})"
    )


_OVER_DEVICES = (
    '    |> group(columns: ["_measurement", "_field", "tenant", "district"])\n    |> drop(columns: ["device"])'
)


def _named(end: str) -> str:
    return f'    |> map(fn: (r) => ({{r with _field: r._field + "{end}"}}))'


def _to_district(kind: Kind, target: str) -> str:
    measurement = _text(kind.name + DISTRICT)
    return f'    |> set(key: "_measurement", value: {measurement})\n    |> to(bucket: {_text(target)})\n'


def _window(every: str, function: str) -> str:
    return f'    |> aggregateWindow(every: {every}, fn: {function}, createEmpty: false, timeSrc: "_start")'


def _either(column: str, names: list[str]) -> str:
    return " or ".join(f"r.{column} == {_text(name)}" for name in names)


def _text(value: str) -> str:
    return orjson.dumps(value).decode()
