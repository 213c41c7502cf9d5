"""kill -9 of the server in a stream of numbered messages: every number is in the store, once."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from citywarden.columns import Floats
from citywarden.log.sqlite import SqliteLog
from citywarden.store.embedded import EmbeddedStore
from ingest.publisher import Publisher
from tests.brokers import Mosquitto, needs_mosquitto
from tests.builders import KINDS

MESSAGES = 50_000
BEGIN_MS = 1_790_000_000_000
"""September 2026: in the past whenever this runs."""

LAMPS = 50


@asynccontextmanager
async def server(config: Path, data: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`citywarden serve` as a process of its own, once it says that it is up; killed at the end if it still runs."""
    command = ("-m", "citywarden", "serve", "--config", str(config), "--data", str(data), "--port", "0")
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(180):
            async for line in process.stderr:
                if b"is up" in line:
                    break
        assert process.returncode is None
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def publish(broker: Mosquitto, start: int, stop: int) -> None:
    async with Publisher(broker.endpoint) as publisher:
        for first in range(start, stop, 500):
            await asyncio.gather(
                *(
                    publisher.publish(
                        f"city/t/streetlight/L{n % LAMPS}/telemetry",
                        b'{"ts": %d, "energy_kwh": %d}' % (BEGIN_MS + n, n),
                    )
                    for n in range(first, min(stop, first + 500))
                )
            )


async def stored(data: Path) -> Floats:
    store = await EmbeddedStore.open(data / "store.duckdb", KINDS)
    try:
        return (await store.window("streetlight", BEGIN_MS, BEGIN_MS + MESSAGES)).fields["energy_kwh"]
    finally:
        await store.close()


@needs_mosquitto
async def test_every_number_is_in_the_store_once(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    config, data = tmp_path / "citywarden.toml", tmp_path / "data"
    config.write_text(
        f'tenant = "t"\n[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n[registry]\nunknown_devices = "register"\n'
    )
    try:
        async with server(config, data) as process:
            publishing = asyncio.create_task(publish(broker, 0, MESSAGES))
            await asyncio.sleep(1.5)
            process.kill()
            await process.wait()
        async with server(config, data) as process:
            await asyncio.sleep(1.0)
            process.kill()
            await process.wait()
        await publishing
        async with server(config, data) as process:
            await settled(data, MESSAGES)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(60):
                assert await process.wait() == 0
    finally:
        await broker.stop()
    numbers = await stored(data)
    assert len(numbers) == MESSAGES
    assert np.array_equal(np.sort(numbers), np.arange(MESSAGES))


async def settled(data: Path, messages: int) -> None:
    """Until the store's offset has passed at least `messages` messages and is at the end of the log."""
    log = await SqliteLog.open(data / "log.sqlite")
    try:
        async with asyncio.timeout(300):
            while True:
                end, saved = await log.end(), await log.saved("store")
                if dict(end) == dict(saved) and sum(end.values()) >= messages:
                    return
                await asyncio.sleep(0.2)
    finally:
        await log.close()
