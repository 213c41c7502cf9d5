"""A simulated city's messages, made ahead: the simulator runs on a clock that jumps instead of waiting."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from citywarden.model.device import Device
from citywarden.sections import Settings
from citywarden.serve.tables import open_database
from fleet.city import City, Size, city
from fleet.simulator import Doors, Simulator
from ingest.kinds import all_kinds
from ingest.registry import Registry
from rules.night import is_night

TENANT = "t"
SEED = 7
PROBE_FIELDS = {"streetlight": "power_w", "waterlogging": "depth_cm", "gas": "methane_lel_pct", "vehicle": "lat"}
"""A field that every message of the kind has, to count rows by."""


class Spoken(NamedTuple):
    """A message and when its device sends it."""

    at_ms: int
    topic: str
    payload: bytes


def town(devices: int, now_ms: int) -> City:
    """A city of the four kinds with a plan, the same every time but for the time it is laid around."""
    return city(SEED, now_ms, TENANT, Size.of(devices), with_recorded=False)


async def speak(place: City, begin_ms: int, count: int, rate: float | None = None) -> list[Spoken]:
    """The first `count` telemetry messages from `begin_ms` on, `rate` a second (None: as often as devices report)."""
    spoken: list[Spoken] = []
    now_ms = begin_ms

    async def publish(topic: str, payload: bytes, retain: bool) -> None:
        if not retain:
            spoken.append(Spoken(now_ms, topic, payload))
        if len(spoken) >= count:
            simulator.stop()

    async def sleep(seconds: float) -> None:
        nonlocal now_ms
        await asyncio.sleep(0)
        now_ms += max(1, round(seconds * 1000))

    simulator = Simulator(place, all_kinds(), Doors(publish, lambda: now_ms, sleep, is_night), rate, history=False)
    await simulator.run()
    return spoken[:count]


def register(settings: Settings, devices: Iterable[Device]) -> None:
    """Put devices into the registry of a server that is to be started."""
    settings.data.mkdir(parents=True, exist_ok=True)
    engine = open_database(settings.database_url)
    try:
        Registry(engine).add(devices)
    finally:
        engine.dispose()
