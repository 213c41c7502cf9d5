"""The whole stack of real processes, with doors between them, a city that speaks and a dispatcher that listens.

city -> Mosquitto -> line -> citywarden serve -> write door -> influxd
                                   |-> PostgreSQL
                                   +-> webhook receiver
"""

import asyncio
import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from citywarden.database import connect
from citywarden.model.device import Device
from citywarden.serve.prepare import default_rules
from citywarden.serve.tables import open_database
from ingest.publisher import Publisher
from ingest.registry import Registry
from tests.faults import ledger
from tests.faults.children import Broker, Database, Influx, Server
from tests.faults.dispatcher import Dispatcher
from tests.faults.doors import Line, WriteDoor
from tests.faults.ledger import Count
from tests.faults.traffic import TENANT, Mark, Traffic, devices

SECRET = "whsec_bm90IGEgc2VjcmV0IGF0IGFsbA=="
LOG_MB = 96
LOOK_S = 0.1
TRIES = 5


@dataclass(slots=True)
class Scene:
    """Everything there is in a run."""

    folder: Path
    config: Path
    broker: Broker
    line: Line
    influx: Influx
    door: WriteDoor
    database: Database
    server: Server
    dispatcher: Dispatcher
    traffic: Traffic
    engine: Engine
    client: httpx.AsyncClient
    log_folder: Path

    async def books(self, span: tuple[Mark, Mark]) -> Count:
        """The books of a span as they stand now; whoever keeps them is asked again where he does not answer."""
        for _ in range(TRIES):
            with contextlib.suppress(httpx.HTTPError, OperationalError):
                return await self._look(span)
            await asyncio.sleep(1.0)
        return await self._look(span)

    async def _look(self, span: tuple[Mark, Mark]) -> Count:
        rows = await ledger.stored(self.client, *span)
        known = await asyncio.to_thread(ledger.alerts, self.engine)
        dead = await asyncio.to_thread(ledger.dead, self.engine)
        return ledger.count(span, self.traffic.ended, rows, known, ledger.told(self.dispatcher.messages), dead)

    async def settled(self, span: tuple[Mark, Mark], timeout_s: float) -> float | None:
        """Until everything of a span has arrived; the s that took, or None when it did not."""
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        while (look_s := loop.time()) - begin_s < timeout_s:
            with contextlib.suppress(httpx.HTTPError, OperationalError):
                if (await self._look(span)).complete:
                    return look_s - begin_s
            # Looking costs the machine something too.
            await asyncio.sleep(max(LOOK_S, 2 * (loop.time() - look_s)))
        return None

    @property
    def offset(self) -> Path:
        """The file with the ms by which the wall clock of a `clocked` server is wrong."""
        return self.folder / "offset"

    def another(self, name: str, data: Path | None = None) -> Server:
        """One more server of the same configuration."""
        return Server(self.config, data or self.folder / name, self.folder / f"{name}.output")

    async def set_up(self, clocked: bool) -> None:
        """Have the right kind of server running: one whose wall clock can be set, or the plain command."""
        if self.server.clocked == clocked and self.server.alive:
            return
        await self.server.stop()
        self.server.be_clocked(self.offset if clocked else None)
        await self.server.start()


@contextlib.asynccontextmanager
async def scene(rate: float, leak_s: float, extra: Sequence[tuple[str, str, str]] = ()) -> AsyncIterator[Scene]:
    """A running stack; the city speaks until the block ends. `extra`: (tenant, kind, id) of more devices."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cw-faults-", ignore_cleanup_errors=True)))
        places = [folder / name for name in ("mqtt", "influx", "pg", "data", "log")]
        make_folders(folder, places)
        stack.enter_context(small_disk(places[4]))
        broker, influx, database = Broker(places[0]), Influx(places[1]), Database(places[2])
        for child in (broker, influx, database):
            stack.push_async_callback(child.kill)
        await database.make()
        await asyncio.gather(broker.start(), influx.start(), database.start())
        line = await stack.enter_async_context(Line(broker.port))
        door = await stack.enter_async_context(WriteDoor(influx.port))
        dispatcher = await stack.enter_async_context(Dispatcher())
        config, rules = folder / "citywarden.toml", folder / "rules.yaml"
        rules.write_text(rules_but_for_silence(), "utf-8")
        config.write_text(
            f'tenant = "{TENANT}"\n[mqtt]\nurl = "mqtt://127.0.0.1:{line.port}"\nkeep_alive_s = 5\n'
            f'[store]\nurl = "influxdb://127.0.0.1:{door.port}/city/city"\ntoken = "{influx.token}"\n'
            f'[database]\nurl = "{database.url}"\n[rules]\nfile = "{rules}"\n'
            f'[log]\npath = "{places[4] / "log.sqlite"}"\nreserve_mb = 0\n'
            f'[[alerts.targets]]\nname = "dispatch"\nurl = "{dispatcher.url}"\nsecret = "{SECRET}"\n'
        )
        engine = open_database(database.url)
        Registry(engine).add([*devices(), *(Device(*one) for one in extra)])
        engine.dispose()
        engine = connect(database.url)
        stack.callback(engine.dispose)
        headers = {"Authorization": f"Token {influx.token}"}
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=influx.base, headers=headers, timeout=30))
        publisher = await stack.enter_async_context(Publisher(broker.endpoint, "city", in_flight=2000))
        traffic = Traffic(publisher, rate, leak_s)
        (folder / "offset").write_text("0")
        server = Server(config, places[3], folder / "server.output")
        stack.push_async_callback(server.kill)
        await server.start()
        speaking = asyncio.create_task(traffic.run())
        stack.push_async_callback(_cancelled, speaking)
        yield Scene(
            folder, config, broker, line, influx, door, database, server, dispatcher, traffic, engine, client, places[4]
        )  # fmt: skip


def rules_but_for_silence() -> str:
    """The default rules, patient with silence: most detectors here speak once, and that is not what is tried."""
    return re.sub(r"(?m)^(\s+no_data:).*$", r"\1 100h", default_rules().partition("\ntests:")[0])


def make_folders(folder: Path, places: Sequence[Path]) -> None:
    """Open to other users: PostgreSQL may be one."""
    folder.chmod(0o755)
    for place in places:
        place.mkdir()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of LOG_MB where we may mount one; otherwise the folder stays what it is."""
    mounted = False
    if os.geteuid() == 0:
        command = ["mount", "-t", "tmpfs", "-o", f"size={LOG_MB}m", "tmpfs", str(folder)]
        mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)
