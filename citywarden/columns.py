"""A batch of readings of one kind as numpy columns: what the store writes and the rules judge."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from citywarden.model.device import Device, DeviceKey
from citywarden.model.kind import Form, JsonScalar, Kind
from citywarden.seating import Seating, Seats

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.int32]
T = TypeVar("T")

ARRAY_BYTES = 200
"""What a column takes beside its values, its place in a dictionary included."""


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
    seats: Seats | None = None
    """The numbers of `devices`, where they have some."""

    def __len__(self) -> int:
        return len(self.ts_ms)

    @property
    def nbytes(self) -> int:
        """Memory it takes, roughly; devices and texts, which others have too, count as references."""
        known = self.device.nbytes + self.ts_ms.nbytes + self.received_ms.nbytes
        values = sum([column.nbytes for column in (*self.fields.values(), *self.texts.values())])
        return known + values + ARRAY_BYTES * (3 + len(self.fields) + len(self.texts)) + 16 * len(self.devices)

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
            self.seats,
        )

    def of_each(self, make: Callable[[Device], T]) -> list[T]:
        """What `make`, a function that lives on, says of each of `devices`, asked once about those with numbers."""
        if self.seats is None:
            return list(map(make, self.devices))
        return self.seats.seating.of_each(make, self.seats.numbers)


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
    keys = sorted(devices)
    place = {key: i for i, key in enumerate(keys)}
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
        tuple(devices[key] for key in keys),
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
    ts_ms = np.concatenate([p.ts_ms for p in parts])
    devices, device, order, seats = _merged(parts, ts_ms)
    first = parts[0]
    return Columns(
        first.kind,
        devices,
        device,
        ts_ms[order],
        np.concatenate([p.received_ms for p in parts])[order],
        {name: np.concatenate([p.fields[name] for p in parts])[order] for name in first.fields},
        {name: np.concatenate([p.texts[name] for p in parts])[order] for name in first.texts},
        None if all(p.ts_given is None for p in parts) else np.concatenate([_given(p) for p in parts])[order],
        seats,
    )


def _merged(parts: Sequence[Columns], ts_ms: Ints) -> tuple[tuple[Device, ...], Indices, Ints, Seats | None]:
    """(devices, device of each row, order of the rows, seats)."""
    seats = [p.seats for p in parts if p.seats is not None]
    if len(seats) == len(parts) and all(one.seating is seats[0].seating for one in seats):
        numbers = np.concatenate([one.numbers[p.device] for one, p in zip(seats, parts, strict=True)])
        order, device, found = ordered(seats[0].seating, numbers, ts_ms)
        return found.seating.devices(found.numbers), device, order, found
    devices: dict[DeviceKey, Device] = {d.key: d for part in parts for d in part.devices}
    keys = sorted(devices)
    place = {key: i for i, key in enumerate(keys)}
    device = np.concatenate(
        [np.fromiter((place[d.key] for d in p.devices), np.int32, len(p.devices))[p.device] for p in parts]
    )
    order = np.lexsort((ts_ms, device))
    return tuple(devices[key] for key in keys), device[order], order, None


def ordered(seating: Seating, numbers: Ints, ts_ms: Ints) -> tuple[Ints, Indices, Seats]:
    """The order by (device, time) of rows that are of the devices with these numbers; in that order the index of each
    row's device; and the devices, each once, as they are known last.
    """
    if not len(numbers):
        return np.zeros(0, np.int64), np.zeros(0, np.int32), Seats(seating, numbers)
    rank = seating.ranks(numbers)
    order = np.lexsort((ts_ms, rank))
    rank = rank[order]
    opens = np.append(True, rank[1:] != rank[:-1])
    newest = np.maximum.reduceat(numbers[order], np.flatnonzero(opens))
    return order, np.cumsum(opens, dtype=np.int32) - np.int32(1), Seats(seating, newest)


def _given(part: Columns) -> Bools:
    return np.ones(len(part), np.bool_) if part.ts_given is None else part.ts_given
