"""A batch of readings of one kind as numpy columns: what the store writes and the rules judge."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from citywarden.model.device import Device, DeviceKey
from citywarden.model.kind import Form, JsonScalar, Kind

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Reading:
    """One decoded reading. `ts_ms`: device (event) time, or receive time when `ts_given` is False."""

    device: Device
    ts_ms: int
    received_ms: int
    values: Mapping[str, JsonScalar]
    ts_given: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """n readings of one kind, sorted by (device, ts_ms). Arrays are read-only by convention.

    `device`: shape (n,), index into `devices`. `ts_ms`, `received_ms`: int64 (n,), ms since 1970 UTC.
    `fields[name]`: float64 (n,), NaN where the message lacked the field; flags are 0.0 / 1.0.
    `texts[name]`: object (n,), None where lacking. Every quantity of the kind is present as a key.
    """

    kind: Kind
    devices: tuple[Device, ...]
    device: Indices
    ts_ms: Ints
    received_ms: Ints
    fields: Mapping[str, Floats]
    texts: Mapping[str, NDArray[np.object_]]
    ts_given: Bools | None = None
    """Where False, the message had no time of its own and `ts_ms` is the receive time. None: all had one."""

    def __len__(self) -> int:
        return len(self.ts_ms)

    def row(self, i: int) -> Reading:
        """Reading `i` with only the values it has, in the kind's own types."""
        values = values_at(self.kind, self.fields, self.texts, i)
        given = self.ts_given is None or bool(self.ts_given[i])
        return Reading(self.devices[self.device[i]], int(self.ts_ms[i]), int(self.received_ms[i]), values, given)

    def rows(self) -> Iterable[Reading]:
        return (self.row(i) for i in range(len(self)))

    def take(self, index: NDArray[np.int64] | Bools) -> "Columns":
        """The readings at `index` (positions in ascending order, or a mask); devices stay as they are."""
        return Columns(
            self.kind,
            self.devices,
            self.device[index],
            self.ts_ms[index],
            self.received_ms[index],
            {name: column[index] for name, column in self.fields.items()},
            {name: column[index] for name, column in self.texts.items()},
            None if self.ts_given is None else self.ts_given[index],
        )


def values_at(
    kind: Kind, fields: Mapping[str, Floats], texts: Mapping[str, Sequence[str | None] | NDArray[np.object_]], i: int
) -> dict[str, JsonScalar]:
    """What row `i` of a kind's columns has, in the kind's own types; what is lacking (NaN, None) is left out."""
    values: dict[str, JsonScalar] = {}
    for quantity in kind.quantities:
        if quantity.form is Form.TEXT:
            if (word := texts[quantity.field][i]) is not None:
                values[quantity.field] = word
        elif not np.isnan(value := fields[quantity.field][i]):
            values[quantity.field] = bool(value) if quantity.form is Form.FLAG else float(value)
    return values


def from_readings(kind: Kind, readings: Sequence[Reading]) -> Columns:
    """Columns of readings in any order; a stable sort by (device key, ts) keeps later duplicates later."""
    devices: dict[DeviceKey, Device] = {}
    for reading in readings:
        devices[reading.device.key] = reading.device
    ordered = sorted(devices)
    place = {key: i for i, key in enumerate(ordered)}
    device = np.fromiter((place[r.device.key] for r in readings), np.int32, len(readings))
    ts_ms = np.fromiter((r.ts_ms for r in readings), np.int64, len(readings))
    order = np.lexsort((ts_ms, device))
    received = np.fromiter((r.received_ms for r in readings), np.int64, len(readings))
    nan = float("nan")
    fields = {
        q.field: np.fromiter((r.values.get(q.field, nan) for r in readings), np.float64, len(readings))[order]
        for q in kind.numeric
    }
    texts = {}
    for q in kind.texts:
        column = np.empty(len(readings), object)
        column[:] = [r.values.get(q.field) for r in readings]
        texts[q.field] = column[order]
    given = np.fromiter((r.ts_given for r in readings), np.bool_, len(readings))
    return Columns(
        kind,
        tuple(devices[key] for key in ordered),
        device[order],
        ts_ms[order],
        received[order],
        fields,
        texts,
        None if given.all() else given[order],
    )


def concat(parts: Sequence[Columns]) -> Columns:
    """Several batches of one kind as one, sorted anew; a device known twice is taken as the last batch knows it."""
    if len(parts) == 1:
        return parts[0]
    devices: dict[DeviceKey, Device] = {d.key: d for part in parts for d in part.devices}
    ordered = sorted(devices)
    place = {key: i for i, key in enumerate(ordered)}
    device = np.concatenate(
        [np.fromiter((place[d.key] for d in p.devices), np.int32, len(p.devices))[p.device] for p in parts]
    )
    ts_ms = np.concatenate([p.ts_ms for p in parts])
    order = np.lexsort((ts_ms, device))
    first = parts[0]
    return Columns(
        first.kind,
        tuple(devices[key] for key in ordered),
        device[order],
        ts_ms[order],
        np.concatenate([p.received_ms for p in parts])[order],
        {name: np.concatenate([p.fields[name] for p in parts])[order] for name in first.fields},
        {name: np.concatenate([p.texts[name] for p in parts])[order] for name in first.texts},
        None if all(p.ts_given is None for p in parts) else np.concatenate([_given(p) for p in parts])[order],
    )


def _given(part: Columns) -> Bools:
    return np.ones(len(part), np.bool_) if part.ts_given is None else part.ts_given
