"""Numbered readings and gas leaks, published for as long as a run lasts."""

import asyncio
from dataclasses import dataclass

from citywarden.cli.running import wall_ms
from citywarden.model.device import Device
from ingest.publisher import Publisher

TENANT = "t"
LAMPS = 50
LEAKS = 5000
BEAT_S = 0.05
MOST_AT_ONCE = 1000
CLEAR_AFTER = 4
"""Leaks later, an even one is over."""


def devices() -> list[Device]:
    """All that will speak."""
    lamps = [Device(TENANT, "streetlight", f"L{i:03}", lat=22.54, lon=114.06) for i in range(LAMPS)]
    back = [Device(TENANT, "streetlight", f"B{i:03}", lat=22.54, lon=114.06) for i in range(LAMPS)]
    return lamps + back + [Device(TENANT, "gas", leak_name(i), lat=22.54, lon=114.06) for i in range(LEAKS)]


def leak_name(number: int) -> str:
    return f"leak-{number % LEAKS:04}"


@dataclass(slots=True)
class Mark:
    """How far the traffic has come: numbers and leaks below are on their way, or there. `at_ms`: by devices' clocks."""

    number: int
    leak: int
    at_ms: int


class Traffic:
    """Lamps that each send `energy_kwh` = the next number, and every `leak_s` a gas detector that leaks.

    `ahead_ms`: by how much the devices' clocks differ from this machine's. Even leaks from `clear_from` on end.
    """

    def __init__(self, publisher: Publisher, rate: float, leak_s: float) -> None:
        self._publisher = publisher
        self._rate = rate
        self._leak_s = leak_s
        self._under_way: set[asyncio.Task[None]] = set()
        self._going = asyncio.Event()
        self._going.set()
        self._said_ms = [0] * LAMPS
        self.number = 0
        self.leak = 0
        self.ended: set[int] = set()
        self.ahead_ms = 0
        self.clear_from = 0

    def mark(self) -> Mark:
        return Mark(self.number, self.leak, self.now_ms())

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        begin_s, leak_due_s, spoken = loop.time(), loop.time(), 0
        while True:
            if not self._going.is_set():
                paused_s = loop.time()
                await self._going.wait()
                begin_s += loop.time() - paused_s
            due = int((loop.time() - begin_s) * self._rate) - spoken
            for _ in range(min(due, MOST_AT_ONCE)):
                self._lamp()
            spoken += due
            if loop.time() >= leak_due_s:
                leak_due_s = loop.time() + self._leak_s
                self._leak()
            await asyncio.sleep(BEAT_S)

    async def pause(self) -> Mark:
        """Stop, and wait until the broker has taken everything."""
        self._going.clear()
        while self._under_way:
            await asyncio.wait(set(self._under_way))
        return self.mark()

    def go_on(self) -> None:
        self._going.set()

    def speak_once(self) -> None:
        """One lamp, while the others are silent."""
        self._lamp()

    def _lamp(self) -> None:
        n, self.number = self.number, self.number + 1
        lamp, now_ms = n % LAMPS, self.now_ms()
        last_ms = self._said_ms[lamp]
        # A lamp says each thing at a time of its own, or the later one would be the same reading.
        self._said_ms[lamp] = now_ms if now_ms > last_ms or now_ms < last_ms - 60_000 else last_ms + 1
        self.say("streetlight", f"L{lamp:03}", b'{"ts": %d, "energy_kwh": %d}' % (self._said_ms[lamp], n))

    def back_fill(self, messages: int, items: int, begin_ms: int) -> None:
        """Arrays of old readings, each with numbers of its own."""
        for _ in range(messages):
            first, self.number = self.number, self.number + items
            lines = (b'{"ts": %d, "energy_kwh": %d}' % (begin_ms + n, n) for n in range(first, first + items))
            self.say("streetlight", f"B{first // items % LAMPS:03}", b"[" + b",".join(lines) + b"]")

    def now_ms(self) -> int:
        """By the devices' clocks."""
        return wall_ms() + self.ahead_ms

    def _leak(self) -> None:
        n, self.leak = self.leak, self.leak + 1
        self._methane(n, 60.0)
        over = n - CLEAR_AFTER
        if over >= self.clear_from and over % 2 == 0:
            self.ended.add(over)
            self._methane(over, 1.0)

    def _methane(self, number: int, lel_pct: float) -> None:
        self.say("gas", leak_name(number), b'{"ts": %d, "methane_lel_pct": %g}' % (self.now_ms(), lel_pct))

    def say(self, kind: str, device: str, payload: bytes) -> None:
        """Publish something; `pause` waits for it."""
        task = asyncio.create_task(self._publisher.publish(f"city/{TENANT}/{kind}/{device}/telemetry", payload))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
