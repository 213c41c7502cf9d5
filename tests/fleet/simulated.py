"""A simulated city on a fake clock: everything it publishes is kept, and nothing waits."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from citywarden.model.message import RawMessage
from fleet.city import City
from fleet.incidents import IsNight
from fleet.playback import Publish
from fleet.simulator import Doors, Simulator, Summary
from tests.builders import KINDS


def by_day(lat: float, lon: float, ms: int) -> bool:
    return False


@dataclass
class Stage:
    """The outside world of a simulator: messages as the server would receive them, time as it passes."""

    city: City
    now_ms: int
    messages: list[RawMessage] = field(default_factory=list)

    def doors(self, is_night: IsNight = by_day, publish: Publish | None = None) -> Doors:
        return Doors(publish or self.publish, lambda: self.now_ms, self.sleep, is_night)

    async def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        self.messages.append(RawMessage(topic, payload, self.now_ms, retain))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.now_ms += max(1, round(seconds * 1000))

    def telemetry(self, device: str) -> list[dict[str, float]]:
        """Every reading of a device, in order of sending."""
        found: list[dict[str, float]] = []
        for message in self.messages:
            if message.topic.split("/")[3:] == [device, "telemetry"]:
                value = orjson.loads(message.payload)
                found += value if isinstance(value, list) else [value]
        return found


def simulate(
    city: City,
    seconds: float,
    rate: float | None = None,
    history: bool = True,
    is_night: IsNight = by_day,
    late_ms: int = 0,
    meanwhile: Callable[[Stage, Simulator], None] = lambda stage, simulator: None,
) -> tuple[Stage, Simulator, Summary]:
    """Run a city for so many seconds, from `late_ms` after its start on; `meanwhile` is called before."""
    stage = Stage(city, city.start_ms + late_ms)
    simulator = Simulator(city, KINDS, stage.doors(is_night), rate, history)
    meanwhile(stage, simulator)
    return stage, simulator, asyncio.run(simulator.run(seconds))
