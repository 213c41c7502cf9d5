"""The simulated city speaks: history first, then live, every device when it is due.

`publish`, the clock and the sleep are passed in, so the same code runs against a broker and in a test.
"""

import asyncio
import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from types import MappingProxyType

import orjson

from citywarden.model.device import Device, DeviceKey
from citywarden.model.kind import Kinds
from citywarden.model.message import Address, Channel, parse_topic
from fleet.city import City
from fleet.incidents import Incident, IsNight, acts_for, round_at, stage
from fleet.obedience import Obedience
from fleet.playback import Publish, Sleep
from fleet.senders import Item, Recorded, Sender, Thing, Turns, Vehicle, interval_of

ARRAY_BYTES = 160 * 1024
"""Back-fill arrays stay below this, well inside the contract's 256 KiB."""

TOGETHER = 200
"""Messages on their way to the broker at a time."""

NAP_S = 0.2
"""Longest sleep, so that `stop` is heard soon."""

STAGE_AHEAD_MS = 30_000
"""The next round's incidents are handed out this long before it begins."""

GOLDEN = 0.618034
"""Multiples of it, taken modulo 1, spread evenly however many there are."""

STATUS_EVERY = 10
"""Every tenth device announces itself with a retained status."""

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Doors:
    """How the simulator reaches the world: the broker, the time (ms since 1970), waiting (s), and the sun."""

    publish: Publish
    clock_ms: Clock
    sleep: Sleep
    is_night: IsNight


@dataclass(frozen=True, slots=True)
class Summary:
    """What has been published, by kind: telemetry messages, the readings in them; and status messages in all."""

    published: Mapping[str, int]
    readings: Mapping[str, int]
    statuses: int

    @property
    def messages(self) -> int:
        """Telemetry messages of all kinds."""
        return sum(self.published.values())

    @property
    def items(self) -> int:
        """Readings of all kinds: what a store that lost nothing holds."""
        return sum(self.readings.values())


@dataclass(slots=True)
class _Ledger:
    published: Counter[str] = field(default_factory=Counter)
    readings: Counter[str] = field(default_factory=Counter)
    statuses: int = 0


class Simulator:
    """Publishes what the devices of a city say. One instance runs once.

    `rate`: messages per second in all; None: every device as often as its profile says.
    """

    def __init__(self, city: City, kinds: Kinds, doors: Doors, rate: float | None = None, history: bool = True) -> None:
        self._city = city
        self._doors = doors
        self._history = history
        self._acts = acts_for(kinds)
        self._ledger = _Ledger()
        self._slots = asyncio.Semaphore(TOGETHER)
        self._stopping = False
        self._round = -1
        night = _daylight(doors.is_night)
        pace = _pace(city.devices, kinds, rate)
        self.obedience = Obedience()
        self._senders = list(_senders(city, kinds, night, pace, self.obedience))
        self._by_key = {sender.device.key: sender for sender in self._senders}
        self._turns = {sender.device.key: sender.turns for sender in self._senders}
        self.incidents: tuple[Incident, ...] = ()

    @property
    def published(self) -> Mapping[str, int]:
        """Telemetry messages published so far, by kind."""
        return MappingProxyType(self._ledger.published)

    @property
    def readings(self) -> Mapping[str, int]:
        """Readings in them, by kind."""
        return MappingProxyType(self._ledger.readings)

    def summary(self) -> Summary:
        """The ledger as it stands."""
        ledger = self._ledger
        return Summary(dict(ledger.published), dict(ledger.readings), ledger.statuses)

    async def take(self, topic: str, payload: bytes) -> None:
        """A message on a command topic: the device answers, and reports at once how it is now. Raises what `publish`
        raises.
        """
        address = parse_topic(topic)
        sender = self._by_key.get(DeviceKey(address.tenant, address.kind, address.device)) if address else None
        if sender is None or self._stopping:
            return
        now_ms = self._doors.clock_ms()
        for where, answer in self.obedience.take(topic, payload, now_ms):
            await self._doors.publish(where, answer, False)
        if (item := sender.speak(now_ms)) is not None:
            await self._slots.acquire()
            await self._deliver(sender.device.key, orjson.dumps(item), 1)

    def stop(self) -> None:
        """End `run` after the messages that are on their way: then the ledger is exact."""
        self._stopping = True

    async def run(self, seconds: float | None = None) -> Summary:
        """Publish until `stop`, or until `seconds` of live messages have passed; returns the ledger.

        Raises what `publish` raises.
        """
        self._stage(self._doors.clock_ms())
        try:
            async with asyncio.TaskGroup() as group:
                await self._announce()
                if self._history:
                    await self._tell_history(group)
                begin_ms = self._doors.clock_ms()
                await self._live(group, begin_ms, None if seconds is None else begin_ms + round(seconds * 1000))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return self.summary()

    async def _announce(self) -> None:
        for sender in self._senders[::STATUS_EVERY]:
            key = sender.device.key
            await self._doors.publish(_topic(key, Channel.STATUS), b"online", True)
            self._ledger.statuses += 1

    async def _tell_history(self, group: asyncio.TaskGroup) -> None:
        """The morning so far, vehicles first; arrays, one device after another, a breath after each."""
        for sender in sorted(self._senders, key=lambda s: s.device.kind != "vehicle"):
            if self._stopping:
                return
            for payload, count in pack(sender.history(self._doors.clock_ms())):
                await self._send(group, sender.device.key, payload, count)
            await self._doors.sleep(0.001)

    async def _live(self, group: asyncio.TaskGroup, begin_ms: int, end_ms: int | None) -> None:
        heap = self._line_up(begin_ms)
        while not self._stopping:
            now_ms = self._doors.clock_ms()
            if end_ms is not None and now_ms >= end_ms:
                return
            self._stage(now_ms)
            due_ms, place = heap[0]
            if due_ms > now_ms:
                await self._doors.sleep(min(NAP_S, (due_ms - now_ms) / 1000.0))
                continue
            sender = self._senders[place]
            if (item := sender.speak(now_ms)) is not None:
                await self._send(group, sender.device.key, orjson.dumps(item), 1)
            heapq.heapreplace(heap, (sender.due_ms, place))

    def _line_up(self, begin_ms: int) -> list[tuple[int, int]]:
        """First turns as a heap of (due, place); consecutive devices lie far apart within their intervals."""
        for place, sender in enumerate(self._senders):
            sender.line_up(begin_ms, place * GOLDEN % 1.0)
        heap = [(sender.due_ms, place) for place, sender in enumerate(self._senders)]
        heapq.heapify(heap)
        return heap

    def _stage(self, now_ms: int) -> None:
        """Hand out the incidents of the round that plays, and of the next one shortly before it begins."""
        number = round_at(self._city.start_ms, now_ms + STAGE_AHEAD_MS)
        if number == self._round:
            return
        self._round = number
        fresh = stage(
            self._city.devices, self._acts, self._city.seed, number, self._city.start_ms, self._doors.is_night
        )
        self.incidents = (*(i for i in self.incidents if i.end_ms > now_ms), *fresh)
        for turns in self._turns.values():
            turns.incidents = ()
        for incident in self.incidents:
            played = self._turns[incident.device]
            played.incidents = (*played.incidents, incident)

    async def _send(self, group: asyncio.TaskGroup, key: DeviceKey, payload: bytes, count: int) -> None:
        """Put a message on its way; waits only when too many are. It counts once the broker has it."""
        await self._slots.acquire()
        group.create_task(self._deliver(key, payload, count))

    async def _deliver(self, key: DeviceKey, payload: bytes, count: int) -> None:
        try:
            await self._doors.publish(_topic(key, Channel.TELEMETRY), payload, False)
        finally:
            self._slots.release()
        self._ledger.published[key.kind] += 1
        self._ledger.readings[key.kind] += count


def pack(items: Iterator[Item]) -> Iterator[tuple[bytes, int]]:
    """Items as JSON arrays of less than `ARRAY_BYTES`, with the number of items in each."""
    parts: list[bytes] = []
    size = 0
    for item in items:
        text = orjson.dumps(item)
        if parts and size + len(text) >= ARRAY_BYTES:
            yield b"[" + b",".join(parts) + b"]", len(parts)
            parts, size = [], 0
        parts.append(text)
        size += len(text) + 1
    if parts:
        yield b"[" + b",".join(parts) + b"]", len(parts)


def _senders(
    city: City, kinds: Kinds, night: Callable[[Device, int], bool], pace: float, obedience: Obedience
) -> Iterator[Sender]:
    for device in city.devices:
        kind = kinds[device.kind]
        rng = Random(f"{city.seed} {device.kind} {device.id}")
        turns = Turns(interval_of(device, kind) * pace)
        if device.id in city.recorded and device.kind == "vehicle":
            yield Recorded(device, city.recorded[device.id], turns)
        elif device.kind == "vehicle":
            yield Vehicle(device, kind, city.drivers[device.id], rng, turns)
        else:
            yield Thing(device, kind, night, rng, turns, obedience)


def _pace(devices: Sequence[Device], kinds: Kinds, rate: float | None) -> float:
    """By what to multiply every interval so that all devices together send `rate` messages a second."""
    if rate is None:
        return 1.0
    natural = sum(1.0 / interval_of(device, kinds[device.kind]) for device in devices)
    return natural / rate


def _daylight(is_night: IsNight) -> Callable[[Device, int], bool]:
    """`is_night` asked once a minute and 0.1 degree, which is all the sun needs."""

    @lru_cache(maxsize=4096)
    def asked(lat: float, lon: float, minute: int) -> bool:
        return is_night(lat, lon, minute * 60_000)

    def night(device: Device, ts_ms: int) -> bool:
        return asked(round(device.lat or 0.0, 1), round(device.lon or 0.0, 1), ts_ms // 60_000)

    return night


def _topic(key: DeviceKey, channel: Channel) -> str:
    return Address(key.tenant, key.kind, key.id, channel).topic
