"""Commands in the made-up city: the real desk over a database of its own, and lamps that answer, or do not."""

import asyncio
import atexit
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

import orjson

from citywarden.commands.desk import CommandDesk
from citywarden.commands.ledger import Ledger
from citywarden.model.command import Answer, CommandResult, Wish
from citywarden.model.device import DeviceKey
from citywarden.model.message import parse_topic
from citywarden.serve.tables import open_database
from tests.console.fakes import KINDS, MINUTE_MS, City

DEAF = frozenset({"SL-0007"})
"""Lamps that never answer."""


@dataclass
class Lamps:
    """What came down to the lamps, and their way of answering: heard at once, done a round later."""

    desk: CommandDesk
    came: list[CommandResult] = field(default_factory=list)

    async def take(self, topic: str, payload: bytes, _timeout_s: float) -> None:
        where = parse_topic(topic)
        assert where is not None
        key = DeviceKey(where.tenant, where.kind, where.device)
        if key.id not in DEAF:
            self.came.append(CommandResult(key, orjson.loads(payload)["id"], Answer.ACKNOWLEDGED))

    async def go_round(self) -> None:
        """What was heard a round ago is done; what is due is sent and heard."""
        done = [CommandResult(one.device, one.id, Answer.DONE) for one in self.came]
        self.came.clear()
        await self.desk.hear(done)
        await self.desk.go_round(self.take)
        await self.desk.hear(self.came)


def commands_of(city: City) -> Lamps:
    """Lamps of a city, with a little that was told to two of them before."""
    folder = Path(mkdtemp(prefix="cw-commands-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    known = {device.key: device for device in city.devices}
    ledger = Ledger(open_database(f"sqlite:///{folder / 'commands.sqlite'}"))
    lamps = Lamps(CommandDesk(ledger, KINDS, known.get, city.clock))
    asyncio.run(_history(lamps, city))
    return lamps


async def _history(lamps: Lamps, city: City) -> None:
    now_ms = city.clock.ms
    deaf, good = DeviceKey("sz", "streetlight", "SL-0007"), DeviceKey("sz", "streetlight", "SL-0111")
    city.clock.ms = now_ms - 90 * MINUTE_MS
    for key in (deaf, good):
        await lamps.desk.send(Wish(key, "on", {"for_min": 60}), "陈志明")
    for _ in range(2):
        await lamps.go_round()
    city.clock.ms = now_ms - 40 * MINUTE_MS
    await lamps.desk.send(Wish(good, "dim", {"pct": 30, "for_min": 15}), "李慧")
    await lamps.desk.send(Wish(deaf, "dim", {"pct": 30}, 120), "李慧")
    await lamps.go_round()
    await lamps.desk.hear([CommandResult(good, one.id, Answer.FAILED, "driver does not answer") for one in lamps.came])
    lamps.came.clear()
    city.clock.ms = now_ms
