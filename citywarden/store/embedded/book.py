"""What the writing thread remembers of the file: numbers of devices and districts, newest times, counters."""
# ruff: noqa: S608 (names in the SQL are quoted and come from the kinds, values are parameters)

from collections.abc import Sequence
from operator import attrgetter

import numpy as np

from citywarden.columns import Ints
from citywarden.model.device import Device, DeviceKey
from citywarden.model.kind import Kinds
from citywarden.store.embedded.file import Connection
from citywarden.store.embedded.tables import folded, marked, readings

_KEY = attrgetter("tenant", "kind", "id")
_DISTRICT = attrgetter("district")

NEVER = np.iinfo(np.int64).min


class Book:
    """A mirror of the dimension tables, read again after each opening. `newest[n]`: newest time of device number n.

    `unfolded`: readings per kind that the table of newest values does not know yet.
    A reading newer than its device's newest is new for sure, so only the others are looked up in the readings.
    """

    def __init__(self, connection: Connection, kinds: Kinds) -> None:
        rows = connection.execute("SELECT number, tenant, kind, name FROM _store.device").fetchall()
        self._devices: dict[tuple[str, str, str], int] = {
            (tenant, kind, name): number for number, tenant, kind, name in rows
        }
        self._districts = {
            str(name): int(number)
            for number, name in connection.execute("SELECT number, name FROM _store.district").fetchall()
        }
        self.newest: Ints = np.full(len(self._devices), NEVER, np.int64)
        self._batch: dict[str, int] = {}
        self.unfolded: dict[str, int] = {}
        for kind in kinds.values():
            known = connection.execute(f"SELECT device, ts FROM ({folded(kind)})").fetchnumpy()
            self.newest[known["device"]] = known["ts"]
            table, mark = readings(kind.name), marked(kind)
            rows = connection.execute(
                f"SELECT greatest(max(batch), {mark}), count(*) FILTER (batch > {mark}) FROM {table}"
            ).fetchall()
            self._batch[kind.name], self.unfolded[kind.name] = rows[0]

    def next_batch(self, kind: str) -> int:
        """The number for a new write."""
        self._batch[kind] += 1
        return self._batch[kind]

    def enter(self, connection: Connection, devices: Sequence[Device]) -> tuple[Ints, Ints]:
        """Numbers of the devices and of their districts, both in the order given; new ones are written."""
        found = list(map(self._devices.get, map(_KEY, devices)))
        if None in found:
            strangers = {d.key for d, number in zip(devices, found, strict=True) if number is None}
            self._add_devices(connection, sorted(strangers))
            found = list(map(self._devices.get, map(_KEY, devices)))
        names = list(map(_DISTRICT, devices))
        for name in sorted(set(names) - self._districts.keys()):
            self._districts[name] = len(self._districts)
            connection.execute("INSERT INTO _store.district VALUES (?, ?)", [self._districts[name], name])
        return np.array(found, np.int64), np.array(list(map(self._districts.get, names)), np.int64)

    def _add_devices(self, connection: Connection, keys: Sequence[DeviceKey]) -> None:
        first = len(self._devices)
        self._devices.update((key, first + i) for i, key in enumerate(keys))
        self.newest = np.append(self.newest, np.full(len(keys), NEVER, np.int64))
        columns: dict[str, object] = {"number": np.arange(first, first + len(keys))}
        columns |= {
            name: np.array(column, object)
            for name, column in zip(DeviceKey._fields, zip(*keys, strict=True), strict=True)
        }
        connection.register("strangers", columns)
        connection.execute("INSERT INTO _store.device SELECT number, tenant, kind, id FROM strangers")
        connection.unregister("strangers")
