"""The server before a real InfluxDB that is away at first: alerts come at once, readings when it is back."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from citywarden.alerts.receiver import Receiver
from citywarden.cli.running import wall_ms
from citywarden.sections import AlertsSettings, Settings, StoreSettings, TargetSettings
from citywarden.serve.examination import examine
from citywarden.serve.prepare import prepare
from citywarden.serve.readiness import NAME
from citywarden.serve.server import Options, Running, running
from ingest.publisher import Publisher
from tests.brokers import free_port
from tests.builders import device
from tests.influx import Influxd
from tests.serve.conftest import SECRET


@asynccontextmanager
async def door(port: int, behind: int) -> AsyncIterator[None]:
    """Connections to `port` lead to `behind` while the block runs; before and after they are refused."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", behind)
        await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))

    server = await asyncio.start_server(lead, "127.0.0.1", port)
    async with server:
        yield


async def test_a_store_that_is_away_delays_no_alert_and_loses_nothing(influx: Influxd, tmp_path: Path) -> None:
    port, receiver = free_port(), Receiver(SECRET, wall_ms)
    async with receiver.listen() as address:
        settings = Settings(
            tenant="t",
            data=tmp_path,
            store=StoreSettings(
                url=f"influxdb://127.0.0.1:{port}/city/{influx.make_bucket()}", token=SecretStr(influx.token)
            ),
            alerts=AlertsSettings(targets=(TargetSettings(name="d", url=address, secret=SecretStr(SECRET)),)),
        )
        async with (
            running(prepare(settings), Options(port=0), wall_ms) as server,
            Publisher(server.broker) as publisher,
        ):
            server.registry.put([device("gas", f"G{i}") for i in range(10)])
            began_ms = wall_ms()
            for i in range(100):
                body = json.dumps({"ts": began_ms - i * 100, "methane_lel_pct": 60.0 if i == 0 else 1.0})
                await publisher.publish(f"city/t/gas/G{i % 10}/telemetry", body)
            async with asyncio.timeout(60):
                while not receiver.count:
                    await asyncio.sleep(0.02)
            assert server.drain.stored == 0, "the alert waits for no store"
            async with asyncio.timeout(60):
                while server.vitals.health().ok:
                    await asyncio.sleep(0.02)
            assert server.drain.stored == 0
            health = server.vitals.health()
            assert "cannot be reached" in health.components[NAME] and "citywarden_store_set_up 0.0" in metrics(server)
            async with door(port, influx.port), asyncio.timeout(90):
                while NAME in server.vitals.health().components:
                    await asyncio.sleep(0.1)
                assert "citywarden_store_set_up 1.0" in metrics(server)
                while server.drain.stored < 100 or not server.vitals.health().ok:
                    await asyncio.sleep(0.1)
                assert await server.store.count("gas") == 100
                while not await server.store.points("alert", began_ms - 60_000, wall_ms() + 1000):
                    await asyncio.sleep(0.1)
                checks = {check.name: check for check in await examine(settings)}
                assert checks["store"].ok, checks["store"]


def metrics(server: Running) -> str:
    return server.vitals.exposition().decode()
