"""Readings and points as InfluxDB's line protocol, times in ms.

Numbers are always floats, flags booleans, texts strings, so a field never changes its type; the one integer is
`received_ms`, which every reading has, so that a reading without any value is a line as well.
"""

import math
from collections.abc import Sequence

import numpy as np
import orjson

from citywarden.columns import Bools, Columns, Floats, Ints
from citywarden.model.device import Device
from citywarden.model.kind import Form, Quantity
from citywarden.store.contract import Point
from citywarden.store.influx.names import escape, measurement, quoted, tag_key

RECEIVED = "received_ms"
"""The field with the receive time."""

_NONE = b"null"


def distinct(batch: Columns) -> Bools:
    """Which readings to write: of two with the same device and time the first (n,)."""
    if not len(batch):
        return np.zeros(0, np.bool_)
    device, ts = batch.device, batch.ts_ms
    return np.append(True, (device[1:] != device[:-1]) | (ts[1:] != ts[:-1]))


def reading_lines(batch: Columns) -> list[bytes]:
    """One line a reading, in the order of the batch, each with its line feed."""
    heads = batch.of_each(_head)
    template, columns = b"%b " + RECEIVED.encode() + b"=%bi", [_tokens(batch.received_ms)]
    for quantity in batch.kind.quantities:
        key = b"," + escape(quantity.field).encode() + b"="
        found = _cells(batch, quantity)
        if not found:
            continue
        if _NONE in found:
            template += b"%b"
            columns.append([b"" if token == _NONE else key + token for token in found])
        else:
            template += key.replace(b"%", b"%%") + b"%b"
            columns.append(found)
    template += b" %b\n"
    rows = zip([heads[i] for i in batch.device.tolist()], *columns, _tokens(batch.ts_ms), strict=True)
    return list(map(template.__mod__, rows))


def point_lines(points: Sequence[Point]) -> list[bytes]:
    """One line a point; of two with the same tags and time the last. NaN and infinity are left out."""
    found: dict[tuple[str, str], str] = {}
    for point in points:
        fields = ",".join(f"{tag_key(name)}={text}" for name, value in point.fields.items() if (text := _plain(value)))
        tags = "".join(f",{tag_key(name)}={escape(value)}" for name, value in sorted(point.tags.items()) if value)
        if fields:
            found[measurement(point.measurement) + tags, f" {point.ts_ms}\n"] = f" {fields}"
    return [(head + fields + time).encode() for (head, time), fields in found.items()]


def _head(device: Device) -> bytes:
    tags = {"device": device.id, "district": device.district, "tenant": device.tenant}
    return (
        measurement(device.kind) + "".join(f",{tag}={escape(value)}" for tag, value in tags.items() if value)
    ).encode()


def _cells(batch: Columns, quantity: Quantity) -> list[bytes]:
    """One token a reading, `null` where it has none; no token at all when no reading has one."""
    if quantity.form is Form.TEXT:
        words = batch.texts[quantity.field].tolist()
        coded = {word: _NONE if word is None else quoted(word).encode() for word in set(words)}
        return [coded[word] for word in words] if coded.keys() - {None} else []
    values = batch.fields[quantity.field]
    known = np.isfinite(values)
    if not known.any():
        return []
    if quantity.form is Form.NUMBER:
        return _tokens(values)
    choice = (b"f", b"t", _NONE)
    return [choice[i] for i in np.where(known, values != 0.0, 2).tolist()]


def _tokens(values: Floats | Ints) -> list[bytes]:
    """Numbers as text, NaN as `null`; a float always has a point or an exponent and reads back as the same float."""
    if not len(values):
        return []
    return orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def _plain(value: float | int | bool | str) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    return quoted(value)
