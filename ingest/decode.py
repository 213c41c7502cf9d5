"""Raw messages to readings in columns, dead letters and changes of status. Pure: no I/O, no clock.

topic --> route (cached) --> telemetry, event --> JSON --> items of a kind --> Checks --> Columns
                         --> status           --> StatusChange
                         --> command          --> counted
          whatever does not fit anywhere --> DeadLetter with its reason
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np

from citywarden.columns import Columns, Ints, ordered
from citywarden.log.contract import Slice
from citywarden.model.command import CommandResult
from citywarden.model.device import Device, DeviceKey
from citywarden.model.inputs import PROFILE_NAME, Inputs, inputs_of
from citywarden.model.kind import Kind, Kinds
from citywarden.model.message import MAX_PAYLOAD_BYTES, Channel, DeadLetter, Reject
from citywarden.seating import Seating
from ingest import positions
from ingest.checks import Checks, Gathered, Item
from ingest.payload import Refused, parse_all, shorten
from ingest.results import parse_result
from ingest.routes import MAX_ROUTES, READINGS, Route, Routes

MAX_KINDS = 256
MAX_NAMES = 256
"""Distinct unknown fields counted by name; further ones are counted together."""
OTHER_NAMES = "(other)"

SLICE_BYTES, OBJECT_BYTES = 1000, 600
"""What a decoded slice takes beside its columns, and a dead letter or an answer beside its payload."""

MIN_OUTDATED = 1000
"""So many devices may change before all get new numbers."""

Lookup = Callable[[DeviceKey], Device | None]


class Changes(Protocol):
    """What tells of changed devices."""

    def drain(self) -> tuple[Iterable[Device], Iterable[DeviceKey]]:
        """(devices now different, keys gone) since the last call."""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A device said, or its broker on its behalf, that it is online or offline."""

    device: Device
    online: bool
    received_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What was in a slice: every message is in `columns` or `dead` (arrays: each item), `statuses`, or counted.

    `first`, `end`: offsets of the first message and after the last. `oldest_ms`, `newest_ms`: when these two came.
    `unknown_fields`: (kind, field) -> how often, in accepted items. `retained`: telemetry and events the broker had
    kept, which were received before. `commands`: messages to devices; `results`: their answers. `unknown_devices`: dead
    letters for that reason.
    """

    partition: int
    first: int
    end: int
    oldest_ms: int
    newest_ms: int
    columns: tuple[Columns, ...]
    dead: tuple[DeadLetter, ...]
    statuses: tuple[StatusChange, ...]
    unknown_fields: Mapping[tuple[str, str], int]
    retained: int = 0
    commands: int = 0
    unknown_devices: int = 0
    results: tuple[CommandResult, ...] = ()

    @property
    def nbytes(self) -> int:
        """Memory it takes, roughly."""
        others = len(self.dead) + len(self.statuses) + len(self.results)
        return (
            SLICE_BYTES
            + sum(batch.nbytes for batch in self.columns)
            + sum(len(letter.payload) for letter in self.dead)
            + OBJECT_BYTES * others
        )


class Decoder:
    """Decodes slices. `lookup` is asked once per slice and topic, so a change of the registry counts at once; once per
    topic only after `follow`.
    """

    def __init__(self, kinds: Kinds, lookup: Lookup) -> None:
        self.checks = tuple(Checks(kind) for kind in kinds.values())
        self.lookup = lookup
        self.routes = Routes(kinds)
        self.seating = Seating()
        self.places: dict[str, int] = {}
        """By topic the number of the device whose readings it brings, times MAX_KINDS, plus the number of its kind."""
        self.inputs: dict[int, Inputs] = {}
        """By number, of devices whose model has names of its own."""
        self._kinds = {name: number for number, name in enumerate(kinds)}
        self._changes: Changes | None = None
        self._names: set[tuple[str, str]] = set()

    def follow(self, changes: Changes) -> None:
        """From now on remember what `lookup` said until `changes` says that it is another."""
        self._changes = changes

    def expect(self, devices: Iterable[Device]) -> None:
        """Devices that are going to speak, as `lookup` gives them: what their first message costs is less then."""
        self.seating.seat_all(devices)

    def begin(self) -> None:
        """Forget of topics what may be so no more."""
        if self._changes is None:
            self.places.clear()
        else:
            changed, gone = self._changes.drain()
            for key in (*(device.key for device in changed), *gone):
                for channel in READINGS:
                    self.places.pop(f"city/{key.tenant}/{key.kind}/{key.id}/{channel}", None)
        if len(self.places) > MAX_ROUTES or self.seating.outdated > max(MIN_OUTDATED, len(self.seating) // 4):
            self.places.clear()
            self.inputs.clear()
            self.seating = Seating()

    def seat(self, topic: str, device: Device) -> int:
        """The place of a topic that brings the device's readings."""
        number = self.seating.seat(device)
        if PROFILE_NAME in device.profile and (inputs := inputs_of(device.profile[PROFILE_NAME])) is not None:
            self.inputs[number] = inputs
        place = self.places[topic] = number * MAX_KINDS + self._kinds[device.kind]
        return place

    def decode(self, part: Slice) -> Decoded:
        """Decode a slice; never raises, whatever the bytes are."""
        return _Decoding(self, part).run()

    def name(self, kind: str, field: str) -> tuple[str, str]:
        """The name an unknown field is counted under."""
        name = (kind, field[:64])
        if name not in self._names:
            if len(self._names) >= MAX_NAMES:
                return (kind, OTHER_NAMES)
            self._names.add(name)
        return name


@dataclass(slots=True)
class _Items:
    """JSON objects of one kind, as they came: number of the device, index of the message, number of the item in it or
    -1 where the message is the item.
    """

    values: Sequence[Item]
    devices: Ints
    indices: Ints
    numbers: Ints


class _Decoding:
    """The work on one slice."""

    def __init__(self, decoder: Decoder, part: Slice) -> None:
        self._decoder = decoder
        self._part = part
        self._aside: dict[str, tuple[Route, Refused | None]] = {}
        self._dead: list[DeadLetter] = []
        self._statuses: list[StatusChange] = []
        self._results: list[CommandResult] = []
        self._unknown: Counter[tuple[str, str]] = Counter()
        self._retained = self._commands = self._unknown_devices = 0

    def run(self) -> Decoded:
        self._decoder.begin()
        columns = self._readings() if self._part.messages else ()
        self._dead.sort(key=lambda letter: (letter.offset, letter.item))
        messages = self._part.messages
        return Decoded(
            self._part.partition,
            self._part.first,
            self._part.end,
            messages[0].received_ms if messages else 0,
            messages[-1].received_ms if messages else 0,
            tuple(one for one in columns if len(one)),
            tuple(self._dead),
            tuple(self._statuses),
            dict(self._unknown),
            self._retained,
            self._commands,
            self._unknown_devices,
            tuple(self._results),
        )

    def _readings(self) -> Sequence[Columns]:
        topics, payloads, received, retained = zip(*self._part.messages, strict=True)
        places = self._places(topics)
        plain = places >= 0
        if any(retained):
            plain &= ~np.array(retained, np.bool_)
        if max(map(len, payloads)) > MAX_PAYLOAD_BYTES:
            plain &= np.array([len(payload) <= MAX_PAYLOAD_BYTES for payload in payloads], np.bool_)
        for i in np.flatnonzero(~plain).tolist():
            self._special(i)
        received_ms = np.array(received, np.int64)
        kinds, devices = places % MAX_KINDS, places // MAX_KINDS
        mine = [np.flatnonzero(plain & (kinds == number)) for number in range(len(self._decoder.checks))]
        found = []
        for number in sorted((i for i, rows in enumerate(mine) if len(rows)), key=lambda i: int(mine[i][0])):
            checks, rows = self._decoder.checks[number], mine[number]
            items = self._items(checks, rows, devices[rows], [payloads[i] for i in rows.tolist()])
            if len(items.values):
                found.append(positions.place(self._columns(checks, items, received_ms)))
        return found

    def _places(self, topics: Sequence[str]) -> Ints:
        """The place of each topic, -1 for one whose messages bring no readings now."""
        found = list(map(self._decoder.places.get, topics))
        if None in found:
            fresh = dict.fromkeys(topic for topic, place in zip(topics, found, strict=True) if place is None)
            for topic in fresh:
                fresh[topic] = self._place(topic)
            found = [fresh[topic] if place is None else place for topic, place in zip(topics, found, strict=True)]
        return np.array(found, np.int64)

    def _place(self, topic: str) -> int:
        route = self._decoder.routes.find(topic)
        if route.readings and (known := self._decoder.lookup(route.key)) is not None and known.enabled:
            return self._decoder.seat(topic, known)
        refused = route.refused
        if refused is None and not route.command:
            device = self._decoder.lookup(route.key)
            if device is None:
                refused = Refused(Reject.UNKNOWN_DEVICE, f"{_name(route.key)}: expected a registered device")
            elif not device.enabled:
                refused = Refused(Reject.DISABLED_DEVICE, f"{_name(route.key)}: disabled in the registry")
        self._aside[topic] = (route, refused)
        return -1

    def _special(self, i: int) -> None:
        """A message that is no plain telemetry."""
        message = self._part.messages[i]
        route, refused = self._aside.get(message.topic) or (self._decoder.routes.find(message.topic), None)
        if route.channel is Channel.COMMAND_RESULT and route.refused is None:
            self._result(i, route.key)
        elif route.command and route.refused is None:
            self._commands += 1
        elif message.retained and route.channel in (Channel.TELEMETRY, Channel.EVENT):
            self._retained += 1
        elif refused is not None:
            self._unknown_devices += refused.reason is Reject.UNKNOWN_DEVICE
            self._refuse(i, -1, refused)
        elif len(message.payload) > MAX_PAYLOAD_BYTES:
            detail = f"payload of {len(message.payload)} bytes, expected at most {MAX_PAYLOAD_BYTES}"
            self._refuse(i, -1, Refused(Reject.OVERSIZE, detail))
        else:
            self._status(i, route.key)

    def _result(self, i: int, key: DeviceKey) -> None:
        message, device = self._part.messages[i], self._decoder.lookup(key)
        if device is None or not device.enabled:
            unknown = device is None
            self._unknown_devices += unknown
            reason = Reject.UNKNOWN_DEVICE if unknown else Reject.DISABLED_DEVICE
            self._refuse(i, -1, Refused(reason, f"{_name(key)}: answers a command"))
            return
        found = parse_result(message.payload, key, message.received_ms)
        if isinstance(found, Refused):
            self._refuse(i, -1, found)
        else:
            self._results.append(found)

    def _status(self, i: int, key: DeviceKey) -> None:
        message = self._part.messages[i]
        device = self._decoder.lookup(key)
        if device is not None and message.payload in (b"online", b"offline"):
            self._statuses.append(StatusChange(device, message.payload == b"online", message.received_ms))
        else:
            given = shorten(message.payload[:60].decode("utf-8", "replace"))
            self._refuse(i, -1, Refused(Reject.WRONG_TYPE, f"status: {given}, expected online or offline"))

    def _items(self, checks: Checks, mine: Ints, devices: Ints, payloads: Sequence[bytes]) -> _Items:
        """The items of the messages `mine` (indices) of one kind; what is none is refused."""
        values = parse_all(payloads)
        if set(map(type, values)) <= {dict}:
            return _Items(cast(list[Item], values), devices, mine, np.full(len(mine), -1, np.int64))
        rows: list[tuple[Item, int, int, int]] = []
        for value, device, i in zip(values, devices.tolist(), mine.tolist(), strict=True):
            if isinstance(value, dict):
                rows.append((value, device, i, -1))
            elif isinstance(value, list) and value:
                for k, item in enumerate(value):
                    if isinstance(item, dict):
                        rows.append((item, device, i, k))
                    else:
                        self._refuse(i, k, checks.check(item, 0))
            elif isinstance(value, list):
                self._refuse(i, -1, Refused(Reject.EMPTY, "payload: an empty array, expected objects in it"))
            else:
                self._refuse(i, -1, value if isinstance(value, Refused) else checks.check(value, 0))
        items = [item for item, _, _, _ in rows]
        at = np.array([row[1:] for row in rows], np.int64).reshape(-1, 3)
        return _Items(items, at[:, 0], at[:, 1], at[:, 2])

    def _refuse(self, i: int, item: int, why: Refused | None) -> None:
        assert why is not None
        part, message = self._part, self._part.messages[i]
        self._dead.append(
            DeadLetter(
                part.partition,
                part.first + i,
                item,
                message.topic,
                message.payload[:MAX_PAYLOAD_BYTES],
                message.received_ms,
                why.reason,
                why.detail,
            )
        )

    def _columns(self, checks: Checks, items: _Items, received_ms: Ints) -> Columns:
        """The items as columns sorted by (device, time), without what the checks refuse."""
        values, received = items.values, received_ms[items.indices]
        if inputs := self._decoder.inputs:
            values = [
                inputs[device].apply(item) if device in inputs else item
                for item, device in zip(values, items.devices.tolist(), strict=True)
            ]
        found = checks.gather(values, received)
        good = np.ones(len(values), np.bool_)
        for row in np.flatnonzero(found.suspect).tolist():
            item, number = values[row], int(items.numbers[row])
            refused = checks.check(item, int(received[row]), 1 if number < 0 else 2)
            if refused is not None:
                good[row] = False
                self._refuse(int(items.indices[row]), number, refused)
            else:
                names = (self._decoder.name(checks.kind.name, n) for n in checks.unknown(item))
                self._unknown.update(names)
        return self._arrange(checks.kind, items.devices, received, found, np.flatnonzero(good))

    def _arrange(self, kind: Kind, numbers: Ints, received_ms: Ints, found: Gathered, keep: Ints) -> Columns:
        """Columns of the rows to keep, sorted; only devices that have one."""
        order, device, seats = ordered(self._decoder.seating, numbers[keep], found.ts_ms[keep])
        rows = keep[order]
        given = found.ts_given[rows]
        return Columns(
            kind,
            seats.seating.devices(seats.numbers),
            device,
            found.ts_ms[rows],
            received_ms[rows],
            {name: column[rows] for name, column in found.fields.items()},
            {name: column[rows] for name, column in found.texts.items()},
            None if given.all() else given,
            seats,
        )


def _name(key: DeviceKey) -> str:
    return f"{shorten(key.id)} of kind {key.kind}, tenant {shorten(key.tenant)}"
