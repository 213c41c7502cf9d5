"""Raw messages to readings in columns, dead letters and changes of status. Pure: no I/O, no clock.

topic --> route (cached) --> telemetry, event --> JSON --> items of a kind --> Checks --> Columns
                         --> status           --> StatusChange
                         --> command          --> counted
          whatever does not fit anywhere --> DeadLetter with its reason
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from citywarden.columns import Columns, Indices, Ints
from citywarden.log.contract import Slice
from citywarden.model.command import CommandResult
from citywarden.model.device import Device, DeviceKey
from citywarden.model.inputs import PROFILE_NAME, Inputs, inputs_of
from citywarden.model.kind import Kinds
from citywarden.model.message import MAX_PAYLOAD_BYTES, Channel, DeadLetter, Reject
from ingest import positions
from ingest.checks import Checks, Gathered, Item
from ingest.payload import Refused, parse_all, shorten
from ingest.results import parse_result
from ingest.routes import Route, Routes

MAX_KINDS = 256
MAX_NAMES = 256
"""Distinct unknown fields counted by name; further ones are counted together."""
OTHER_NAMES = "(other)"

Lookup = Callable[[DeviceKey], Device | None]


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A device said, or its broker on its behalf, that it is online or offline."""

    device: Device
    online: bool
    received_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What was in a slice: every message is in `columns` or `dead` (arrays: each item), `statuses`, or counted.

    `unknown_fields`: (kind, field) -> how often, in accepted items. `retained`: telemetry and events the broker had
    kept, which were received before. `commands`: messages to devices; `results`: their answers. `unknown_devices`: dead
    letters for that reason.
    """

    columns: tuple[Columns, ...]
    dead: tuple[DeadLetter, ...]
    statuses: tuple[StatusChange, ...]
    unknown_fields: Mapping[tuple[str, str], int]
    retained: int = 0
    commands: int = 0
    unknown_devices: int = 0
    results: tuple[CommandResult, ...] = ()


@dataclass(slots=True)
class _Batch:
    """The devices of one kind in a slice, in the order they spoke. `twins`: one may be there twice.

    `inputs`: places of devices whose model has names of its own.
    """

    checks: Checks
    number: int
    devices: list[Device] = field(default_factory=list)
    inputs: dict[int, Inputs] = field(default_factory=dict)
    twins: bool = False


class Decoder:
    """Decodes slices. `lookup` is asked once per slice and topic, so a change of the registry counts at once."""

    def __init__(self, kinds: Kinds, lookup: Lookup) -> None:
        self.checks = {name: Checks(kind) for name, kind in kinds.items()}
        self.lookup = lookup
        self.routes = Routes(self.checks)
        self._names: set[tuple[str, str]] = set()

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
    """JSON objects of one kind, as they came: place of the device in its batch, index of the message, number of the
    item in it or -1 where the message is the item.
    """

    values: Sequence[Item]
    places: Ints
    indices: Ints
    numbers: Ints


class _Decoding:
    """The work on one slice. A topic's place: its device's in the batch, times MAX_KINDS, plus the batch's number."""

    def __init__(self, decoder: Decoder, part: Slice) -> None:
        self._decoder = decoder
        self._part = part
        self._batches: dict[str, _Batch] = {}
        self._aside: dict[str, tuple[Route, Refused | None]] = {}
        self._dead: list[DeadLetter] = []
        self._statuses: list[StatusChange] = []
        self._results: list[CommandResult] = []
        self._unknown: Counter[tuple[str, str]] = Counter()
        self._retained = self._commands = self._unknown_devices = 0

    def run(self) -> Decoded:
        columns = self._readings() if self._part.messages else ()
        self._dead.sort(key=lambda letter: (letter.offset, letter.item))
        return Decoded(
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
        place_of = dict.fromkeys(topics, -1)
        for topic in place_of:
            place_of[topic] = self._place(topic)
        places = np.array([place_of[topic] for topic in topics], np.int64)
        plain = places >= 0
        if any(retained):
            plain &= ~np.array(retained, np.bool_)
        if max(map(len, payloads)) > MAX_PAYLOAD_BYTES:
            plain &= np.array([len(payload) <= MAX_PAYLOAD_BYTES for payload in payloads], np.bool_)
        for i in np.flatnonzero(~plain).tolist():
            self._special(i)
        received_ms = np.array(received, np.int64)
        found = []
        for batch in self._batches.values():
            mine = np.flatnonzero(plain & (places % MAX_KINDS == batch.number))
            items = self._items(batch, mine, places[mine] // MAX_KINDS, [payloads[i] for i in mine.tolist()])
            if len(items.values):
                found.append(positions.place(self._columns(batch, items, received_ms)))
        return found

    def _place(self, topic: str) -> int:
        """The place of the topic's device in this slice, -1 for a topic whose messages bring no readings now."""
        route = self._decoder.routes.find(topic)
        if route.readings and (known := self._decoder.lookup(route.key)) is not None and known.enabled:
            return self._seat(route, known)
        refused = route.refused
        if refused is None and not route.command:
            device = self._decoder.lookup(route.key)
            if device is None:
                refused = Refused(Reject.UNKNOWN_DEVICE, f"{_name(route.key)}: expected a registered device")
            elif not device.enabled:
                refused = Refused(Reject.DISABLED_DEVICE, f"{_name(route.key)}: disabled in the registry")
        self._aside[topic] = (route, refused)
        return -1

    def _seat(self, route: Route, device: Device) -> int:
        """A place for the device in the batch of its kind."""
        kind = route.key.kind
        batch = self._batches.get(kind)
        if batch is None:
            batch = self._batches[kind] = _Batch(self._decoder.checks[kind], len(self._batches))
        place = len(batch.devices)
        if PROFILE_NAME in device.profile and (inputs := inputs_of(device.profile[PROFILE_NAME])) is not None:
            batch.inputs[place] = inputs
        if route.twin:
            batch.twins = True
        batch.devices.append(device)
        return place * MAX_KINDS + batch.number

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

    def _items(self, batch: _Batch, mine: Ints, places: Ints, payloads: Sequence[bytes]) -> _Items:
        """The items of a batch's messages `mine` (indices); what is none is refused."""
        values = parse_all(payloads)
        if set(map(type, values)) <= {dict}:
            return _Items(cast(list[Item], values), places, mine, np.full(len(mine), -1, np.int64))
        rows: list[tuple[Item, int, int, int]] = []
        for value, place, i in zip(values, places.tolist(), mine.tolist(), strict=True):
            if isinstance(value, dict):
                rows.append((value, place, i, -1))
            elif isinstance(value, list) and value:
                for k, item in enumerate(value):
                    if isinstance(item, dict):
                        rows.append((item, place, i, k))
                    else:
                        self._refuse(i, k, batch.checks.check(item, 0))
            elif isinstance(value, list):
                self._refuse(i, -1, Refused(Reject.EMPTY, "payload: an empty array, expected objects in it"))
            else:
                self._refuse(i, -1, value if isinstance(value, Refused) else batch.checks.check(value, 0))
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

    def _columns(self, batch: _Batch, items: _Items, received_ms: Ints) -> Columns:
        """The items as columns sorted by (device, time), without what the checks refuse."""
        values, received = items.values, received_ms[items.indices]
        if inputs := batch.inputs:
            values = [
                inputs[place].apply(item) if place in inputs else item
                for item, place in zip(values, items.places.tolist(), strict=True)
            ]
        found = batch.checks.gather(values, received)
        good = np.ones(len(values), np.bool_)
        for row in np.flatnonzero(found.suspect).tolist():
            item, number = values[row], int(items.numbers[row])
            refused = batch.checks.check(item, int(received[row]), 1 if number < 0 else 2)
            if refused is not None:
                good[row] = False
                self._refuse(int(items.indices[row]), number, refused)
            else:
                names = (self._decoder.name(batch.checks.kind.name, n) for n in batch.checks.unknown(item))
                self._unknown.update(names)
        return _arrange(batch, items.places, received, found, np.flatnonzero(good))


def _name(key: DeviceKey) -> str:
    return f"{shorten(key.id)} of kind {key.kind}, tenant {shorten(key.tenant)}"


def _arrange(batch: _Batch, places: Ints, received_ms: Ints, found: Gathered, keep: Ints) -> Columns:
    """Columns of the rows to keep, sorted; only devices that have one."""
    used = np.flatnonzero(np.bincount(places[keep], minlength=len(batch.devices)))
    devices, rank = _ranked(batch, used.tolist())
    device = rank[places[keep]]
    order = np.lexsort((found.ts_ms[keep], device))
    rows = keep[order]
    given = found.ts_given[rows]
    return Columns(
        batch.checks.kind,
        devices,
        device[order],
        found.ts_ms[rows],
        received_ms[rows],
        {name: column[rows] for name, column in found.fields.items()},
        {name: column[rows] for name, column in found.texts.items()},
        None if given.all() else given,
    )


def _ranked(batch: _Batch, used: Sequence[int]) -> tuple[tuple[Device, ...], Indices]:
    """The devices at the used places, each once, in the order of their keys; for each place which of them it is."""
    devices = batch.devices
    keys = {place: devices[place].key for place in used}
    ordered = sorted(used, key=keys.__getitem__)
    rank = np.full(len(devices), -1, np.int32)
    if batch.twins:
        number = {key: i for i, key in enumerate(dict.fromkeys(keys[place] for place in ordered))}
        rank[ordered] = [number[keys[place]] for place in ordered]
        return tuple({keys[place]: devices[place] for place in ordered}.values()), rank
    rank[ordered] = np.arange(len(ordered))
    return tuple(map(devices.__getitem__, ordered)), rank
