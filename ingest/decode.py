"""Raw messages to readings in columns, dead letters and changes of status. Pure: no I/O, no clock.

topic --> route (cached) --> telemetry, event --> JSON --> items of a kind --> Checks --> Columns
                         --> status           --> StatusChange
                         --> command          --> counted
          whatever does not fit anywhere --> DeadLetter with its reason
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from citywarden.columns import Bools, Columns, Ints
from citywarden.log.contract import Slice
from citywarden.model.credential import is_claim_topic
from citywarden.model.device import Device, DeviceKey
from citywarden.model.inputs import PROFILE_NAME, Inputs, inputs_of
from citywarden.model.kind import Kinds
from citywarden.model.message import MAX_PAYLOAD_BYTES, Channel, DeadLetter, Reject, parse_topic
from ingest import positions
from ingest.checks import Checks, Gathered, Item
from ingest.payload import Refused, parse, shorten

MAX_ROUTES = 200_000
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
    kept, which were received before. `commands`: messages to devices and their answers. `unknown_devices`: dead
    letters for that reason.
    """

    columns: tuple[Columns, ...]
    dead: tuple[DeadLetter, ...]
    statuses: tuple[StatusChange, ...]
    unknown_fields: Mapping[tuple[str, str], int]
    retained: int = 0
    commands: int = 0
    unknown_devices: int = 0


@dataclass(frozen=True, slots=True)
class _Route:
    """Where a topic leads. `refused` when no message on it can be taken, whoever sent it."""

    channel: Channel | None
    key: DeviceKey
    refused: Refused | None = None


@dataclass(slots=True)
class _Batch:
    """Items of one kind as they are found: item, place of its device, index of its message, item number or -1.

    `inputs`: places of devices whose model has names of its own.
    """

    checks: Checks
    devices: list[Device]
    rows: list[tuple[Item, int, int, int]]
    inputs: dict[int, Inputs] = field(default_factory=dict)


class Decoder:
    """Decodes slices. `lookup` is asked once per slice and topic, so a change of the registry counts at once."""

    def __init__(self, kinds: Kinds, lookup: Lookup) -> None:
        self._checks = {name: Checks(kind) for name, kind in kinds.items()}
        self._lookup = lookup
        self._routes: dict[str, _Route] = {}
        self._names: set[tuple[str, str]] = set()

    def decode(self, part: Slice) -> Decoded:
        """Decode a slice; never raises, whatever the bytes are."""
        return _Decoding(self, part).run()

    def checks(self, kind: str) -> Checks:
        return self._checks[kind]

    def lookup(self, key: DeviceKey) -> Device | None:
        return self._lookup(key)

    def route(self, topic: str) -> _Route:
        """Where a topic leads, remembered."""
        route = self._routes.get(topic)
        if route is None:
            if len(self._routes) >= MAX_ROUTES:
                self._routes.clear()
            route = self._routes[topic] = self._find_route(topic)
        return route

    def _find_route(self, topic: str) -> _Route:
        address = parse_topic(topic)
        if address is None and is_claim_topic(topic):
            # Answered elsewhere; what is secret in it is sealed.
            return _Route(Channel.COMMAND, DeviceKey("", "", ""))
        if address is None:
            detail = f"{shorten(topic, 120)}: expected city/tenant/kind/device/channel"
            return _Route(None, DeviceKey("", "", ""), Refused(Reject.BAD_TOPIC, detail))
        key = DeviceKey(address.tenant, address.kind, address.device)
        if address.kind not in self._checks and address.channel not in (Channel.COMMAND, Channel.COMMAND_RESULT):
            known = ", ".join(self._checks)
            refused = Refused(Reject.UNKNOWN_KIND, f"{shorten(address.kind)}: expected one of {known}")
            return _Route(address.channel, key, refused)
        return _Route(address.channel, key)

    def name(self, kind: str, field: str) -> tuple[str, str]:
        """The name an unknown field is counted under."""
        name = (kind, field[:64])
        if name not in self._names:
            if len(self._names) >= MAX_NAMES:
                return (kind, OTHER_NAMES)
            self._names.add(name)
        return name


_TELEMETRY = (Channel.TELEMETRY, Channel.EVENT)
_Target = tuple[_Batch | None, int, _Route, Refused | None]


class _Decoding:
    """The work on one slice."""

    def __init__(self, decoder: Decoder, part: Slice) -> None:
        self._decoder = decoder
        self._part = part
        self._batches: dict[str, _Batch] = {}
        self._targets: dict[str, _Target] = {}
        self._dead: list[DeadLetter] = []
        self._statuses: list[StatusChange] = []
        self._unknown: Counter[tuple[str, str]] = Counter()
        self._retained = self._commands = self._unknown_devices = 0

    def run(self) -> Decoded:
        targets = self._targets
        for i, (topic, payload, _, retained) in enumerate(self._part.messages):
            batch, place, _, _ = targets.get(topic) or self._target(topic)
            if batch is None or retained or len(payload) > MAX_PAYLOAD_BYTES:
                self._special(i)
                continue
            value = parse(payload)
            if type(value) is dict:
                batch.rows.append((value, place, i, -1))
            else:
                self._others(batch, place, i, value)
        received_ms = np.fromiter((m.received_ms for m in self._part.messages), np.int64, len(self._part.messages))
        columns = tuple(
            positions.place(self._columns(batch, received_ms)) for batch in self._batches.values() if batch.rows
        )
        self._dead.sort(key=lambda letter: (letter.offset, letter.item))
        return Decoded(
            tuple(one for one in columns if len(one)),
            tuple(self._dead),
            tuple(self._statuses),
            dict(self._unknown),
            self._retained,
            self._commands,
            self._unknown_devices,
        )

    def _target(self, topic: str) -> _Target:
        """Where messages of a topic go in this slice: a batch and the place of the device in it, or nowhere."""
        route = self._decoder.route(topic)
        device: Device | None = None
        refused = route.refused
        if refused is None and route.channel not in (Channel.COMMAND, Channel.COMMAND_RESULT):
            device = self._decoder.lookup(route.key)
            if device is None:
                refused = Refused(Reject.UNKNOWN_DEVICE, f"{_name(route.key)}: expected a registered device")
            elif not device.enabled:
                refused = Refused(Reject.DISABLED_DEVICE, f"{_name(route.key)}: disabled in the registry")
        target: _Target = (None, 0, route, refused)
        if device is not None and refused is None and route.channel in _TELEMETRY:
            batch = self._batches.get(route.key.kind)
            if batch is None:
                batch = self._batches[route.key.kind] = _Batch(self._decoder.checks(route.key.kind), [], [])
            target = (batch, len(batch.devices), route, None)
            if PROFILE_NAME in device.profile and (inputs := inputs_of(device.profile[PROFILE_NAME])) is not None:
                batch.inputs[len(batch.devices)] = inputs
            batch.devices.append(device)
        self._targets[topic] = target
        return target

    def _special(self, i: int) -> None:
        """A message that is no plain telemetry."""
        message = self._part.messages[i]
        _, _, route, refused = self._targets[message.topic]
        if route.channel in (Channel.COMMAND, Channel.COMMAND_RESULT):
            self._commands += 1
        elif message.retained and route.channel in _TELEMETRY:
            self._retained += 1
        elif refused is not None:
            self._unknown_devices += refused.reason is Reject.UNKNOWN_DEVICE
            self._refuse(i, -1, refused)
        elif len(message.payload) > MAX_PAYLOAD_BYTES:
            detail = f"payload of {len(message.payload)} bytes, expected at most {MAX_PAYLOAD_BYTES}"
            self._refuse(i, -1, Refused(Reject.OVERSIZE, detail))
        else:
            self._status(i, route.key)

    def _status(self, i: int, key: DeviceKey) -> None:
        message = self._part.messages[i]
        device = self._decoder.lookup(key)
        if device is not None and message.payload in (b"online", b"offline"):
            self._statuses.append(StatusChange(device, message.payload == b"online", message.received_ms))
        else:
            given = shorten(message.payload[:60].decode("utf-8", "replace"))
            self._refuse(i, -1, Refused(Reject.WRONG_TYPE, f"status: {given}, expected online or offline"))

    def _others(self, batch: _Batch, place: int, i: int, value: object) -> None:
        """A payload that is no object: an array of them, or refused."""
        if isinstance(value, Refused):
            self._refuse(i, -1, value)
        elif isinstance(value, list) and value:
            for k, item in enumerate(value):
                if isinstance(item, dict):
                    batch.rows.append((item, place, i, k))
                else:
                    self._refuse(i, k, batch.checks.check(item, 0))
        elif isinstance(value, list):
            self._refuse(i, -1, Refused(Reject.EMPTY, "payload: an empty array, expected objects in it"))
        else:
            self._refuse(i, -1, batch.checks.check(value, 0))

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

    def _columns(self, batch: _Batch, received_ms: Ints) -> Columns:
        """The batch as columns sorted by (device, time), without what its checks refuse."""
        items, places, indices, numbers = zip(*batch.rows, strict=True)
        if inputs := batch.inputs:
            items = tuple(
                inputs[place].apply(item) if place in inputs else item
                for item, place in zip(items, places, strict=True)
            )
        received = received_ms[np.array(indices)]
        found = batch.checks.gather(items, received)
        good = np.ones(len(items), np.bool_)
        for row in np.flatnonzero(found.suspect).tolist():
            item, number = items[row], numbers[row]
            refused = batch.checks.check(item, int(received[row]), 1 if number < 0 else 2)
            if refused is not None:
                good[row] = False
                self._refuse(indices[row], number, refused)
            else:
                names = (self._decoder.name(batch.checks.kind.name, n) for n in batch.checks.unknown(item))
                self._unknown.update(names)
        return _arrange(batch, np.array(places), received, found, good)


def _name(key: DeviceKey) -> str:
    return f"{shorten(key.id)} of kind {key.kind}, tenant {shorten(key.tenant)}"


def _arrange(batch: _Batch, places: Ints, received_ms: Ints, found: Gathered, good: Bools) -> Columns:
    """Columns of the good rows; a device that sent on two topics has two places and becomes one."""
    keep = np.flatnonzero(good)
    known = {batch.devices[place].key: batch.devices[place] for place in np.unique(places[keep]).tolist()}
    ordered = sorted(known)
    rank_of = {key: rank for rank, key in enumerate(ordered)}
    rank = np.fromiter((rank_of.get(device.key, -1) for device in batch.devices), np.int32, len(batch.devices))
    device = rank[places[keep]]
    order = np.lexsort((found.ts_ms[keep], device))
    rows = keep[order]
    given = found.ts_given[rows]
    return Columns(
        batch.checks.kind,
        tuple(known[key] for key in ordered),
        device[order],
        found.ts_ms[rows],
        received_ms[rows],
        {name: column[rows] for name, column in found.fields.items()},
        {name: column[rows] for name, column in found.texts.items()},
        None if given.all() else given,
    )
