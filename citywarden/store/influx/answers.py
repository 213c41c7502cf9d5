"""InfluxDB's JSON answers as readings, columns and points. Pure: bytes and rows in, our types out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import orjson

from citywarden.columns import Columns, Floats, Reading, from_readings
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import CitywardenError
from citywarden.model.kind import Form, JsonScalar, Kind, Quantity
from citywarden.store.contract import Buckets, Fold, Point
from citywarden.store.influx.names import meant

Cell = float | int | bool | str | None


class QueryRefused(CitywardenError):
    """InfluxDB would not answer a query; its words are the message."""


@dataclass(frozen=True, slots=True)
class Series:
    """Rows of one set of tags. The first column is the time in ms."""

    tags: dict[str, str]
    columns: list[str]
    rows: list[list[Cell]]

    @property
    def home(self) -> tuple[str, str, str]:
        """Tenant, device and district, as they were meant."""
        return meant(self.tags["tenant"]), meant(self.tags["device"]), meant(self.tags["district"])


def parse(answer: bytes) -> list[list[Series]]:
    """The series of each statement of a request. Raises QueryRefused."""
    try:
        results = orjson.loads(answer)["results"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise QueryRefused(f"an answer that is no InfluxQL result: {answer[:200]!r}") from error
    for result in results:
        if "error" in result:
            raise QueryRefused(result["error"])
    return [
        [Series(s.get("tags", {}), s["columns"], s.get("values", [])) for s in result.get("series", ())]
        for result in results
    ]


def readings(kind: Kind, found: Sequence[Series], limit: int) -> list[Reading]:
    """Readings of one device, oldest first; one time is one reading, the one that was received first."""
    rows = sorted(
        ((row, series.home) for series in found for row in series.rows), key=lambda one: (one[0][0], one[0][1] or 0)
    )
    names = [(i + 2, q.field, q.form) for i, q in enumerate(kind.quantities)]
    homes: dict[tuple[str, str, str], Device] = {}
    result: list[Reading] = []
    for row, home in rows:
        ts = _whole(row[0])
        if result and result[-1].ts_ms == ts:
            continue
        if len(result) == limit:
            break
        device = homes.setdefault(home, Device(home[0], kind.name, home[1], district=home[2]))
        values = {field: _typed(row[i], form) for i, field, form in names if row[i] is not None}
        result.append(Reading(device, ts, ts if row[1] is None else _whole(row[1]), values))
    return result


def columns(kind: Kind, found: Sequence[Series]) -> Columns:
    """Rows of many devices sorted by (device, time); of two for one time the one received first stays.

    A device that moved stands in its newest district.
    """
    found = sorted((s for s in found if s.rows), key=lambda s: _whole(s.rows[-1][0]))
    districts = {DeviceKey(s.home[0], kind.name, s.home[1]): s.home[2] for s in found}
    keys = sorted(districts)
    place = {key: i for i, key in enumerate(keys)}
    numbers = [place[DeviceKey(s.home[0], kind.name, s.home[1])] for s in found]
    device = np.repeat(np.array(numbers, np.int32), [len(s.rows) for s in found])
    cells: list[tuple[Cell, ...]] = list(zip(*chain.from_iterable(s.rows for s in found), strict=True))
    cells = cells or [()] * (2 + len(kind.quantities))
    ts = np.array(cells[0], np.int64)
    received = np.array([t if r is None else r for t, r in zip(cells[0], cells[1], strict=True)], np.int64)
    order = np.lexsort((received, ts, device))
    same = (device[order][1:] == device[order][:-1]) & (ts[order][1:] == ts[order][:-1])
    order = order[np.append(True, ~same)] if len(order) else order
    fields, texts = {}, {}
    for quantity, column in zip(kind.quantities, cells[2:], strict=True):
        if quantity.form is Form.TEXT:
            words = np.empty(len(column), object)
            words[:] = column
            texts[quantity.field] = words[order]
        else:
            fields[quantity.field] = np.array(column, np.float64)[order]
    devices = tuple(Device(*key, district=districts[key]) for key in keys)
    return Columns(kind, devices, device[order], ts[order], received[order], fields, texts)


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest of every device: when it was heard of, and of each field when and what it said."""

    kind: Kind
    heard: dict[DeviceKey, tuple[int, int, str]] = field(default_factory=dict)
    values: dict[DeviceKey, dict[str, tuple[int, JsonScalar]]] = field(default_factory=dict)

    def hear(self, found: Iterable[Series]) -> None:
        """Take in the newest receive time of every series."""
        for series in found:
            key, (_, _, district) = self._key(series), series.home
            said = _whole(series.rows[0][0]), _whole(series.rows[0][1]), district
            self.heard[key] = max(self.heard.get(key, said), said)

    def take(self, found: Iterable[Series], quantities: Sequence[Quantity], skip: int = 0) -> None:
        """Take in values: one column a quantity, behind the time and `skip` others."""
        for series in found:
            known, row = self.values.setdefault(self._key(series), {}), series.rows[0]
            ts = _whole(row[0])
            for quantity, cell in zip(quantities, row[1 + skip :], strict=True):
                if cell is not None and (quantity.field not in known or known[quantity.field][0] < ts):
                    known[quantity.field] = ts, _typed(cell, quantity.form)

    def lacking(self, whole: Iterable[Series]) -> dict[str, set[DeviceKey]]:
        """By field, the devices whose newest whole reading (of `whole`) does not have it, or that have none."""
        found = {q.field: set(self.heard) for q in self.kind.quantities}
        once: set[DeviceKey] = set()
        for series in whole:
            key = self._key(series)
            for quantity, cell in zip(self.kind.quantities, series.rows[0][2:], strict=True):
                if cell is not None and key not in once:
                    found[quantity.field].discard(key)
                elif cell is None and key in once:
                    found[quantity.field].add(key)
            once.add(key)
        return {name: keys for name, keys in found.items() if keys}

    def _key(self, series: Series) -> DeviceKey:
        tenant, name, _ = series.home
        return DeviceKey(tenant, self.kind.name, name)


def newest(found: Newest) -> Columns:
    """One row per device."""
    kind, rows, values = found.kind, found.heard, found.values
    return from_readings(
        kind,
        [
            Reading(
                Device(*key, district=district),
                ts,
                received,
                {name: value for name, (_, value) in values.get(key, {}).items()},
            )
            for key, (ts, received, district) in rows.items()
        ],
    )


def buckets(results: Sequence[Sequence[Series]], fold: Fold, by: str) -> list[Buckets]:
    """The statements of `queries.aggregate` as groups in the order of their names."""
    *true, whole = results
    shares = {_group(s, by): dict(_pairs(s)) for s in true[0]} if true else {}
    result = []
    for series in sorted(whole, key=lambda s: _group(s, by)):
        group, pairs = _group(series, by), _pairs(series)
        starts = np.array([start for start, _ in pairs], np.int64)
        values = np.array([value for _, value in pairs], np.float64)
        if true:
            held = shares.get(group, {})
            values = _flags(fold, np.array([held.get(start, 0.0) for start, _ in pairs], np.float64), values)
        if len(starts):
            result.append(Buckets(group, starts, values))
    return result


def joined(parts: Iterable[Sequence[Buckets]]) -> list[Buckets]:
    """Answers for windows that follow one another as one."""
    groups: dict[str, list[Buckets]] = {}
    for one in chain.from_iterable(parts):
        groups.setdefault(one.group, []).append(one)
    return [
        Buckets(group, np.concatenate([b.start_ms for b in found]), np.concatenate([b.values for b in found]))
        for group, found in sorted(groups.items())
    ]


def points(measurement: str, rows: Sequence[Series], types: Sequence[Series]) -> list[Point]:
    """Rows of another measurement, oldest first, each field in the type it was written."""
    floats = {str(row[0]) for s in types for row in s.rows if row[1] == "float"}
    result = []
    for series in rows:
        tags = {meant(tag): meant(value) for tag, value in series.tags.items() if value}
        for ts, *cells in series.rows:
            fields = {
                meant(name): float(cell) if name in floats else cell
                for name, cell in zip(series.columns[1:], cells, strict=True)
                if cell is not None
            }
            result.append(Point(measurement, tags, _whole(ts), fields))
    return sorted(result, key=lambda p: (p.ts_ms, sorted(p.tags.items())))


def total(results: Sequence[Sequence[Series]]) -> int:
    """The one number of a count."""
    return sum(_whole(series.rows[0][1]) for result in results for series in result)


def _group(series: Series, by: str) -> str:
    return meant(series.tags[by]) if by else ""


def _pairs(series: Series) -> list[tuple[int, float]]:
    return [(_whole(start), float(value)) for start, value in series.rows if value is not None]


def _flags(fold: Fold, true: Floats, all_: Floats) -> Floats:
    if fold is Fold.MEAN:
        return true / all_
    if fold is Fold.SUM:
        return true
    held = true == all_ if fold is Fold.MIN else true > 0
    return held.astype(np.float64)


def _typed(cell: Cell, form: Form) -> JsonScalar:
    """A cell in the kind's own type: InfluxDB writes the float 1.0 as 1."""
    if form is Form.TEXT:
        return str(cell)
    return bool(cell) if form is Form.FLAG else float(cell or 0.0)


def _whole(cell: Cell) -> int:
    return int(cell or 0)
