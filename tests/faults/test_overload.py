"""More than the server can take, and consumers that do not keep up."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import create_engine, text

from bench.parts.broker import FastPublisher
from citywarden.cli.running import wall_ms
from tests.brokers import needs_mosquitto
from tests.faults.children import Broker, Influx, Server
from tests.faults.dispatcher import Dispatcher
from tests.faults.doors import WriteDoor, refusal
from tests.faults.flood import PAGES, Lamps, deaf_listener, figures, flooded, look_s
from tests.faults.traffic import LAMPS, TENANT, devices
from tests.influx import HOW, find_influxd

MESSAGES = 70_000
NOTE_BYTES = 300
LOG_MB = 16
"""Less than the messages of this test: the log is full before they are all in it."""

GROWTH_MB = 250
"""What the server may grow by while 70,000 messages lie before its door."""

PATIENCE_S = 300.0


@asynccontextmanager
async def server(folder: Path, more: str) -> AsyncIterator[tuple[Server, Broker]]:
    """A server on Mosquitto with the city's devices."""
    broker = Broker(folder)
    try:
        await broker.start()
        log = f"[log]\nmax_mb = {LOG_MB}\n"
        async with flooded(folder, broker.port, more + log, [*Lamps(LAMPS).devices(), *devices()]) as found:
            yield found, broker
    finally:
        await broker.kill()


async def looks_s(url: str, count: int) -> list[float]:
    """How long pages take."""
    took = []
    async with httpx.AsyncClient(timeout=60) as client:
        for path in PAGES * count:
            took.append(await look_s(client, url + path))
            await asyncio.sleep(0.05)
    return took


@needs_mosquitto
async def test_what_is_too_much_waits_in_the_broker_and_memory_stays_bounded(tmp_path: Path) -> None:
    """InfluxDB takes nothing; the log fills up; the rest stays with Mosquitto until there is room again."""
    if find_influxd() is None:
        pytest.skip(HOW)
    (tmp_path / "influx").mkdir()
    (tmp_path / "server").mkdir()
    influx = Influx(tmp_path / "influx")
    try:
        await influx.start()
        async with WriteDoor(influx.port) as door:

            async def busy(_body: bytes) -> bytes | None:
                return refusal(503, "busy", "Retry-After: 1")

            door.behave(before=busy)
            store = f'[store]\nurl = "influxdb://127.0.0.1:{door.port}/city/city"\ntoken = "{influx.token}"\n'
            async with server(tmp_path / "server", store) as (found, broker):
                await _overload(found, broker, door, influx)
    finally:
        await influx.kill()


async def _overload(found: Server, broker: Broker, door: WriteDoor, influx: Influx) -> None:
    process, lamps = psutil.Process(found.pid), Lamps(LAMPS, NOTE_BYTES)
    before = process.memory_info().rss
    calm = await looks_s(found.url, 5)
    async with FastPublisher(broker.endpoint) as publisher:
        filling = asyncio.create_task(publisher.fill(lamps.next(MESSAGES)))
        under_load = await looks_s(found.url, 10)
        async with asyncio.timeout(PATIENCE_S):
            await filling
            while "mqtt stalled" not in found.said():
                await asyncio.sleep(0.1)
    stalled = await figures(found.url)
    assert stalled["messages"] < MESSAGES, "the rest is not here"
    async with asyncio.timeout(PATIENCE_S):
        while "log.stalled" not in alerts(found.data):
            await asyncio.sleep(0.2)
    waiting = await looks_s(found.url, 5)
    grown_mb = (process.memory_info().rss - before) / 2**20
    log_mb = sum(file.stat().st_size for file in found.data.glob("log.sqlite")) / 2**20
    assert grown_mb < GROWTH_MB
    assert log_mb <= LOG_MB
    assert statistics.median(under_load + waiting) < max(0.5, 10 * statistics.median(calm))
    door.behave()
    async with httpx.AsyncClient(
        base_url=influx.base, headers={"Authorization": f"Token {influx.token}"}, timeout=60
    ) as client:
        async with asyncio.timeout(PATIENCE_S):
            while await stored(client) < MESSAGES or "log.stalled" in alerts(found.data):
                await asyncio.sleep(0.2)
        assert await stored(client) == MESSAGES


async def stored(client: httpx.AsyncClient) -> int:
    asked = "SELECT count(energy_kwh) FROM streetlight"
    answer = (await client.get("/query", params={"db": "city", "q": asked})).json()["results"][0]
    return int(answer["series"][0]["values"][0][1]) if "series" in answer else 0


def alerts(data: Path) -> set[str]:
    """Rules of the server's own open alerts."""
    engine = create_engine(f"sqlite:///{data / 'citywarden.sqlite'}")
    try:
        with engine.connect() as connection:
            asked = text("SELECT rule FROM alert WHERE kind = 'server' AND status <> 'resolved'")
            return set(connection.execute(asked).scalars())
    finally:
        engine.dispose()


@needs_mosquitto
async def test_a_webhook_that_hangs_and_a_stream_nobody_reads_slow_nothing(tmp_path: Path) -> None:
    """The same 10,000 messages and 100 leaks, with and without: ingestion takes about as long."""
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()
    async with Dispatcher() as dispatcher:
        target = f'[[alerts.targets]]\nname = "d"\nurl = "{dispatcher.url}"\n'
        good_s, good_mb = await _ingest(tmp_path / "good", target, 0, lambda: len(dispatcher.messages) >= 100)
        assert len(dispatcher.messages) == 100
        dispatcher.hanging = True
        bad_s, bad_mb = await _ingest(tmp_path / "bad", target, 20, lambda: dispatcher.asked > 100)
        assert len(dispatcher.messages) == 100
    assert bad_s < 3.0 * good_s + 8.0, (good_s, bad_s)
    assert bad_mb < good_mb + 60, "listeners that do not read cost a bounded queue each"


async def _ingest(folder: Path, more: str, deaf: int, told: Callable[[], bool]) -> tuple[float, float]:
    """(s, MB) it takes to judge and store everything, with so many readers of the stream that do not read.

    The memory is measured when the dispatcher is `told`.
    """
    async with contextlib.AsyncExitStack() as stack:
        found, broker = await stack.enter_async_context(server(folder, more))
        for _ in range(deaf):
            await stack.enter_async_context(deaf_listener(found.url))
        process, lamps = psutil.Process(found.pid), Lamps(LAMPS, NOTE_BYTES)
        before, begin_s = process.memory_info().rss, time.monotonic()
        leaks = [
            (f"city/{TENANT}/gas/leak-{i:04}/telemetry", b'{"ts": %d, "methane_lel_pct": 60}' % wall_ms())
            for i in range(100)
        ]
        async with FastPublisher(broker.endpoint) as publisher:
            for part in range(10):
                await publisher.fill(lamps.next(1000) + leaks[part * 10 : part * 10 + 10])
        async with asyncio.timeout(PATIENCE_S):
            while (now := await figures(found.url))["stored"] < 10_100 or now["open_alerts"] < 100:
                await asyncio.sleep(0.05)
            took_s = time.monotonic() - begin_s
            while not told():
                await asyncio.sleep(0.05)
        return took_s, (process.memory_info().rss - before) / 2**20
