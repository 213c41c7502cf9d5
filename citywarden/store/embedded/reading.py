"""Readings out of the file."""
# ruff: noqa: S608 (names in the SQL are quoted and come from the kinds, values are parameters)

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from citywarden.columns import Columns, Ints, Reading
from citywarden.model.device import Device, DeviceKey
from citywarden.model.kind import Form, Kind
from citywarden.store.contract import Buckets, Fold
from citywarden.store.embedded.file import Connection
from citywarden.store.embedded.tables import folded, quote, readings
from citywarden.store.schema import measured, tag_of

_FOLDS = {
    Fold.MEAN: "avg({})",
    Fold.MIN: "min({})",
    Fold.MAX: "max({})",
    Fold.SUM: "sum({})",
    Fold.LAST: "arg_max({}, r.ts)",
    Fold.COUNT: "count({})",
}
_GROUPS = {"": "''", "tenant": "d.tenant", "device": "d.name", "district": "p.name"}
_TAGGED = " JOIN _store.device d ON d.number = r.device JOIN _store.district p ON p.number = r.district"


def series(connection: Connection, kind: Kind, key: DeviceKey, window: tuple[int, int], limit: int) -> list[Reading]:
    """Readings of one device with start <= ts < stop, oldest first; each with the district it was sent from."""
    fields = "".join(f", r.{quote(q.field)}" for q in kind.quantities)
    rows = connection.execute(
        f"SELECT r.ts, r.received, p.name{fields} FROM {readings(kind.name)} r"
        " JOIN _store.district p ON p.number = r.district WHERE r.device ="
        " (SELECT number FROM _store.device WHERE tenant = ? AND kind = ? AND name = ?)"
        " AND r.ts >= ? AND r.ts < ? ORDER BY r.ts LIMIT ?",
        [key.tenant, key.kind, key.id, *window, limit],
    ).fetchall()
    names = [q.field for q in kind.quantities]
    homes: dict[str, Device] = {}
    found = []
    for ts, received, district, *values in rows:
        home = homes.setdefault(district, Device(key.tenant, key.kind, key.id, district=district))
        known = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        found.append(Reading(home, ts, received, known))
    return found


def window(
    connection: Connection, kind: Kind, start_ms: int, stop_ms: int, devices: Sequence[DeviceKey] | None
) -> Columns:
    """All readings of the window; a device that moved stands in its newest district."""
    only = ""
    if devices is not None:
        if not devices:
            return _as_columns(connection, kind, {})
        wanted = {
            name: np.array(part, object)
            for name, part in zip(("tenant", "kind", "name"), zip(*devices, strict=True), strict=True)
        }
        connection.register("wanted", wanted)
        only = " AND device IN (SELECT number FROM _store.device SEMI JOIN wanted USING (tenant, kind, name))"
    found = connection.execute(
        f"SELECT device, district, ts, received{_values(kind)} FROM {readings(kind.name)}"
        f" WHERE ts >= ? AND ts < ?{only}",
        [start_ms, stop_ms],
    ).fetchnumpy()
    return _as_columns(connection, kind, _plain(found))


def latest(connection: Connection, kind: Kind, tenant: str | None) -> Columns:
    """One row per device that ever sent."""
    only = "" if tenant is None else " WHERE device IN (SELECT number FROM _store.device WHERE tenant = ?)"
    found = connection.execute(
        f"SELECT device, district, ts, received{_values(kind)} FROM ({folded(kind)}){only}",
        [] if tenant is None else [tenant],
    ).fetchnumpy()
    return _as_columns(connection, kind, _plain(found))


def aggregate(
    connection: Connection, kind: Kind, field: str, window: tuple[int, int], every_ms: int, fold: Fold, by: str
) -> list[Buckets]:
    """Buckets without a value of the field are left out. Flags fold as 0 and 1."""
    if every_ms <= 0:
        raise ValueError(f"every_ms must be positive, got {every_ms}")
    quantity = measured(kind, field, fold)
    value = f"r.{quote(field)}" if quantity.form is not Form.FLAG else f"CAST(r.{quote(field)} AS DOUBLE)"
    found = connection.execute(
        f"SELECT {_GROUPS[tag_of(by)]} AS grp, r.ts - ((r.ts % $every) + $every) % $every AS start,"
        f" CAST({_FOLDS[fold].format(value)} AS DOUBLE) AS value FROM {readings(kind.name)} r{_TAGGED if by else ''}"
        f" WHERE r.ts >= $start AND r.ts < $stop AND {value} IS NOT NULL GROUP BY ALL ORDER BY grp, start",
        {"every": every_ms, "start": window[0], "stop": window[1]},
    ).fetchnumpy()
    columns = _plain(found)
    if not len(columns["start"]):
        return []
    group, start, values = columns["grp"], columns["start"], columns["value"]
    cuts = np.flatnonzero(group[1:] != group[:-1]) + 1
    parts = zip(np.split(group, cuts), np.split(start, cuts), np.split(values, cuts), strict=True)
    return [Buckets(str(names[0]), starts.astype(np.int64), folds.astype(np.float64)) for names, starts, folds in parts]


def _values(kind: Kind) -> str:
    """The fields as they stand in columns: doubles with NaN, texts with NULL."""
    return "".join(
        f", {quote(q.field)}"
        if q.form is Form.TEXT
        else f", coalesce(CAST({quote(q.field)} AS DOUBLE), 'nan'::DOUBLE) AS {quote(q.field)}"
        for q in kind.quantities
    )


def _plain(found: object) -> dict[str, NDArray[np.generic]]:
    """Arrays of a result, masked texts as None."""
    assert isinstance(found, dict)
    return {
        name: np.where(np.ma.getmaskarray(column), np.array(None), column.data)
        if isinstance(column, np.ma.MaskedArray)
        else column
        for name, column in found.items()
    }


def _as_columns(connection: Connection, kind: Kind, found: dict[str, NDArray[np.generic]]) -> Columns:
    """Rows in any order as columns, devices in the order of their keys. The dimensions are read after the rows."""
    empty: Ints = np.zeros(0, np.int64)
    number, ts = (np.asarray(found.get(name, empty), np.int64) for name in ("device", "ts"))
    known = {
        int(row[0]): DeviceKey(*row[1:])
        for row in connection.execute(
            "SELECT number, tenant, kind, name FROM _store.device WHERE kind = ?", [kind.name]
        ).fetchall()
    }
    districts = dict(connection.execute("SELECT number, name FROM _store.district").fetchall())
    present = sorted(np.unique(number).tolist(), key=lambda n: known[n])
    place = np.zeros(max(present, default=0) + 1, np.int32)
    place[present] = np.arange(len(present), dtype=np.int32)
    order = np.lexsort((ts, place[number]))
    device, ts = place[number][order], ts[order]
    last = np.flatnonzero(np.append(device[1:] != device[:-1], True)) if len(device) else empty
    homes = np.asarray(found.get("district", empty), np.int64)[order][last]
    devices = tuple(Device(*known[n], district=districts[int(home)]) for n, home in zip(present, homes, strict=True))
    fields = {q.field: np.asarray(found.get(q.field, empty), np.float64)[order] for q in kind.numeric}
    texts = {q.field: np.asarray(found.get(q.field, empty), object)[order] for q in kind.texts}
    received = np.asarray(found.get("received", empty), np.int64)[order]
    return Columns(kind, devices, device, ts, received, fields, texts)
