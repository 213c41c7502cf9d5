"""The live picture: the newest value of everything, in memory, and the stream of what has just changed.

Fed by the rule side of the pipeline, so it is ahead of the store; read by the console and the event stream.
Used from one event loop only.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from citywarden.columns import Columns, Floats, Ints, Reading, values_at
from citywarden.model.alert import Alert
from citywarden.model.case import Case
from citywarden.model.device import Device, DeviceKey
from citywarden.model.kind import Kind, Kinds
from citywarden.model.work import TaskReport
from citywarden.seating import Places, room_for

QUEUE_LIMIT = 1000
"""Changes a slow listener may fall behind before the oldest are dropped and it is told so."""


@dataclass(frozen=True, slots=True)
class Lagged:
    """The listener was too slow and `lost` changes were dropped; it should read the whole picture again."""

    lost: int


Change = Reading | Alert | TaskReport | Case | Lagged


class Listener:
    """One reader of the stream: iterate it, or take what is there with `drain`. Without `readings` it hears none."""

    def __init__(self, readings: bool = True) -> None:
        self.readings = readings
        self._queue: deque[Change] = deque()
        self._lost = 0
        self._ready = asyncio.Event()

    def put(self, change: Change) -> None:
        if len(self._queue) >= QUEUE_LIMIT:
            self._queue.popleft()
            self._lost += 1
        self._queue.append(change)
        self._ready.set()

    def drain(self) -> list[Change]:
        """All waiting changes, oldest first; a `Lagged` stands first when some were dropped."""
        changes: list[Change] = [Lagged(self._lost)] if self._lost else []
        changes.extend(self._queue)
        self._queue.clear()
        self._lost = 0
        self._ready.clear()
        return changes

    async def __aiter__(self) -> AsyncIterator[Change]:
        while True:
            await self._ready.wait()
            for change in self.drain():
                yield change


class _Table:
    """Newest values of one kind, one slot per device."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.slots: dict[DeviceKey, int] = {}
        self.devices: list[Device] = []
        self._places = Places()
        self.ts_ms: Ints = np.zeros(0, np.int64)
        self.fields: dict[str, Floats] = {q.field: np.zeros(0) for q in kind.numeric}
        self.texts: dict[str, list[str | None]] = {q.field: [] for q in kind.texts}

    def slot(self, device: Device) -> int:
        slot = self.slots.get(device.key)
        if slot is None:
            slot = self.slots[device.key] = len(self.devices)
            self.devices.append(device)
            for column in self.texts.values():
                column.append(None)
            if slot >= len(self.ts_ms):
                more = room_for(slot + 1) - len(self.ts_ms)
                self.ts_ms = np.append(self.ts_ms, np.zeros(more, np.int64))
                self.fields = {name: np.append(c, np.full(more, np.nan)) for name, c in self.fields.items()}
        else:
            self.devices[slot] = device
        return slot

    def update(self, batch: Columns) -> None:
        if batch.seats is not None:
            place = self._places.find(batch.seats, lambda i: self.slot(batch.devices[i]))
        else:
            place = np.fromiter(map(self.slot, batch.devices), np.int64, len(batch.devices))
        slots = place[batch.device]
        newer = batch.ts_ms >= self.ts_ms[slots]
        if not newer.all():
            batch, slots = batch.take(newer), slots[newer]
        self.ts_ms[slots] = batch.ts_ms
        for name, column in batch.fields.items():
            known = ~np.isnan(column)
            self.fields[name][slots[known]] = column[known]
        for name, words in batch.texts.items():
            for i in np.flatnonzero(words != None):  # noqa: E711 (element-wise on an object array)
                self.texts[name][slots[i]] = words[i]

    def reading(self, slot: int) -> Reading:
        ts_ms = int(self.ts_ms[slot])
        return Reading(self.devices[slot], ts_ms, ts_ms, values_at(self.kind, self.fields, self.texts, slot))


class Live:
    """Newest value per device and field, and listeners that are told of every change."""

    def __init__(self, kinds: Kinds) -> None:
        self._tables = {name: _Table(kind) for name, kind in kinds.items()}
        self._listeners: set[Listener] = set()
        self._presence: dict[DeviceKey, tuple[bool, int]] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of all kinds."""
        return tuple(self._tables)

    def seed(self, batch: Columns) -> None:
        """Fill in what was known before (from the store, at start) without telling anyone."""
        self._tables[batch.kind.name].update(batch)

    def update(self, batch: Columns) -> None:
        """Take in a batch of readings and tell the listeners, newest reading per device only."""
        self._tables[batch.kind.name].update(batch)
        if len(batch) and any(listener.readings for listener in self._listeners):
            last = np.flatnonzero(np.append(batch.device[1:] != batch.device[:-1], True))
            for i in last:
                self.tell(batch.row(int(i)))

    def tell(self, change: Change) -> None:
        """Pass an alert, a task report or a reading to every listener."""
        reading = isinstance(change, Reading)
        for listener in self._listeners:
            if listener.readings or not reading:
                listener.put(change)

    def tell_all(self, changes: Iterable[Change]) -> None:
        """Pass several, in order."""
        for change in changes:
            self.tell(change)

    @contextmanager
    def listen(self, readings: bool = True, listener: Listener | None = None) -> Iterator[Listener]:
        """A listener that hears every change (or all but readings, which cost the most) until the block ends; one of
        the caller's own, if it has one.
        """
        listener = listener or Listener(readings)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def note_presence(self, key: DeviceKey, online: bool, at_ms: int) -> None:
        """A device, or its broker on its behalf, has said that it is online or offline."""
        if at_ms >= self._presence.get(key, (False, 0))[1]:
            self._presence[key] = (online, at_ms)

    def presence(self, key: DeviceKey) -> bool | None:
        """What was said last; None when it never was."""
        said = self._presence.get(key)
        return None if said is None else said[0]

    def latest(self, kind: str) -> list[Reading]:
        """Newest known value of every field, one reading per device that ever sent."""
        table = self._tables[kind]
        return [table.reading(slot) for slot in range(len(table.devices))]

    def of(self, key: DeviceKey) -> Reading | None:
        """Newest known values of one device."""
        table = self._tables.get(key.kind)
        slot = None if table is None else table.slots.get(key)
        return None if table is None or slot is None else table.reading(slot)

    def columns(self, kind: str) -> Mapping[str, Floats]:
        """The numeric newest values as columns, `ts_ms` among them; index i is `devices(kind)[i]`. Copies."""
        table = self._tables[kind]
        n = len(table.devices)
        return {name: c[:n].copy() for name, c in table.fields.items()} | {"ts_ms": table.ts_ms[:n].astype(np.float64)}

    def texts(self, kind: str) -> Mapping[str, tuple[str | None, ...]]:
        """The newest texts, None where never sent; in the order of `devices(kind)`."""
        return {name: tuple(column) for name, column in self._tables[kind].texts.items()}

    def devices(self, kind: str) -> tuple[Device, ...]:
        """Devices that ever sent, in the order of `columns`."""
        return tuple(self._tables[kind].devices)
