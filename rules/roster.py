"""What is known of every device of one kind, one slot each: newest values, profile numbers, window histories."""

from collections.abc import Iterable, Sequence

import numpy as np
import orjson

from citywarden.columns import Floats, Ints
from citywarden.coordinates import CRS, to_wgs84
from citywarden.model.device import Device, DeviceKey
from citywarden.model.kind import Form, Kind
from citywarden.seating import Places, Seats, room_for
from rules.evaluation import Words
from rules.expression import FieldRef, Node, ProfileRef, WindowRef
from rules.history import History, Key
from rules.night import cell
from rules.rulebook import Rule
from rules.summary import placeholders

NEVER_MS = -(1 << 60)
"""Earlier than any time."""

ProfileKey = tuple[str, Form]


class Roster:
    """Columns over slots. Slots of forgotten devices are used again."""

    def __init__(self, kind: Kind, rules: Sequence[Rule]) -> None:
        nodes = [node for rule in rules for level in rule.levels for node in level.nodes]
        fields = _fields_read(kind, rules, nodes)
        self.kind = kind
        self.devices: list[Device | None] = []
        self.slot_of: dict[DeviceKey, int] = {}
        self._names: bytes | None = None
        self._places = Places()
        self._free: list[int] = []
        self.enrolled = 0
        self.interval_ms: Ints = np.zeros(0, np.int64)
        self.cell: Ints = np.zeros(0, np.int64)
        self.watched_ms: Ints = np.zeros(0, np.int64)
        self.newest_ms: Ints = np.zeros(0, np.int64)
        self.number: dict[str, Floats] = {q.field: np.zeros(0) for q in kind.numeric if q.field in fields}
        self.text: dict[str, Words] = {q.field: np.zeros(0, object) for q in kind.texts if q.field in fields}
        self.value_ms: dict[str, Ints] = {name: np.zeros(0, np.int64) for name in (*self.number, *self.text)}
        windows = sorted({(n.function, n.field, n.span_ms) for n in nodes if isinstance(n, WindowRef)})
        self.histories: dict[Key, History] = {key: History(key, 0) for key in windows}
        self.first_ms: dict[str, Ints] = {
            field: np.zeros(0, np.int64) for function, field, _ in windows if function == "changes"
        }
        self.profile: dict[ProfileKey, Floats | Words] = {
            (n.name, n.form): _empty_profile(n.form, 0) for n in nodes if isinstance(n, ProfileRef)
        }
        self.located = {"lat", "lon"} <= fields
        """The position comes with the readings, not from the registry."""

    @property
    def room(self) -> int:
        """How many slots the columns have."""
        return len(self.newest_ms)

    def slots(self, devices: Sequence[Device], now_ms: int, seats: Seats | None = None) -> Ints:
        """The slot of each device, watched from `now_ms` on if not yet; changed facts are taken over. `seats`: their
        numbers, where they have some.
        """
        if len(devices) > self.room:
            self._grow(room_for(len(devices)))
        if seats is not None:
            slots = self._places.find(seats, lambda i: self._take_in(devices[i]))
        else:
            slots = np.array(list(map(self._take_in, devices)), np.int64)
        unwatched = slots[self.watched_ms[slots] == NEVER_MS]
        self.watched_ms[unwatched] = now_ms
        self.enrolled += len(unwatched)
        return slots

    def _take_in(self, device: Device) -> int:
        key = device.key
        slot = self.slot_of.get(key)
        if slot is None:
            slot = self._free.pop() if self._free else len(self.devices)
            if slot == len(self.devices):
                self.devices.append(None)
                if slot >= self.room:
                    self._grow(room_for(slot + 1))
            self.slot_of[key] = slot
            self._names = None
        known = self.devices[slot]
        if known is not device:
            self.devices[slot] = device
            if known != device:
                self._write_facts(slot, device)
        return slot

    def _write_facts(self, slot: int, device: Device) -> None:
        interval_s = _typed(device.profile.get("interval_s"), Form.NUMBER)
        usable = isinstance(interval_s, int | float) and interval_s > 0
        self.interval_ms[slot] = round(float(interval_s if usable and interval_s else self.kind.interval_s) * 1000)
        lat, lon = position(device)
        self.cell[slot] = cell(lat, lon)
        for (name, form), column in self.profile.items():
            value = _typed(device.profile.get(name), form)
            column[slot] = value if form is Form.TEXT or value is not None else np.nan

    def _grow(self, room: int) -> None:
        def longer(column: Ints, fill: int) -> Ints:
            return np.append(column, np.full(room - len(column), fill, np.int64))

        self.interval_ms, self.cell = longer(self.interval_ms, 0), longer(self.cell, -1)
        self.watched_ms, self.newest_ms = longer(self.watched_ms, NEVER_MS), longer(self.newest_ms, NEVER_MS)
        more = room - len(next(iter(self.number.values()), np.zeros(room)))
        self.number = {name: np.append(column, np.full(more, np.nan)) for name, column in self.number.items()}
        self.text = {
            name: np.append(column, np.full(room - len(column), None, object)) for name, column in self.text.items()
        }
        self.value_ms = {name: longer(column, NEVER_MS) for name, column in self.value_ms.items()}
        self.first_ms = {name: longer(column, NEVER_MS) for name, column in self.first_ms.items()}
        for history in self.histories.values():
            history.grow(room)
        for key, column in self.profile.items():
            longer_column = _empty_profile(key[1], room)
            longer_column[: len(column)] = column
            self.profile[key] = longer_column

    def forget(self, keys: Iterable[DeviceKey]) -> Ints:
        """Free the slots of devices; gives the slots."""
        self._names = None
        gone = [slot for key in keys if (slot := self.slot_of.pop(key, None)) is not None]
        for slot in gone:
            self.devices[slot] = None
        slots = np.array(gone, np.int64)
        self._places.forget(slots)
        self._free.extend(gone)
        for column in (self.watched_ms, self.newest_ms, *self.value_ms.values(), *self.first_ms.values()):
            column[slots] = NEVER_MS
        for number in self.number.values():
            number[slots] = np.nan
        for text in self.text.values():
            text[slots] = None
        for history in self.histories.values():
            history.clear(slots)
        return slots

    def names(self) -> bytes:
        """Tenants and ids of the devices in the order of `slot_of`, as JSON; made anew only when some came or went."""
        if self._names is None:
            tenants, ids = [key.tenant for key in self.slot_of], [key.id for key in self.slot_of]
            self._names = orjson.dumps({"tenant": tenants, "id": ids})
        return self._names

    def device(self, slot: int) -> Device:
        """The device of a slot in use."""
        device = self.devices[slot]
        if device is None:
            raise KeyError(slot)
        return device


def position(device: Device) -> tuple[float, float]:
    """Latitude and longitude in degrees of WGS-84, NaN where the device has none."""
    if device.lat is None or device.lon is None:
        return np.nan, np.nan
    if device.crs in ("wgs84", "cgcs2000") or device.crs not in CRS:
        return device.lat, device.lon
    lat, lon = to_wgs84(device.lat, device.lon, device.crs)
    return float(lat), float(lon)


def _typed(value: float | str | bool | None, form: Form) -> float | str | bool | None:
    """The value when it is of that form, else None."""
    if value is None or isinstance(value, bool):
        return value if form is Form.FLAG else None
    return value if isinstance(value, str) is (form is Form.TEXT) and form is not Form.FLAG else None


def _empty_profile(form: Form, size: int) -> Floats | Words:
    return np.full(size, None, object) if form is Form.TEXT else np.full(size, np.nan)


def _fields_read(kind: Kind, rules: Sequence[Rule], nodes: Sequence[Node]) -> frozenset[str]:
    """Fields some rule of the kind reads or shows; positions always, where the kind has them."""
    read = {n.name if isinstance(n, FieldRef) else n.field for n in nodes if isinstance(n, FieldRef | WindowRef)}
    shown = {name for rule in rules for text in rule.summary.values() for name in placeholders(text)}
    return frozenset(q.field for q in kind.quantities if q.field in read | shown | {"lat", "lon"})
