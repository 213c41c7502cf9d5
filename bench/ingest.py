"""Draining a queue from MQTT into InfluxDB: Citywarden with its log and every rule on, and Telegraf with neither.

    publisher -> Mosquitto (two persistent sessions, consumers away) -> gate -> consumer -> influxd

Each consumer is a process of its own, up, connected and idle before its gate opens. CPU is what the operating system
counted for it from there until every message is in the database (and judged) and it is idle again.
`scripts/bench ingest [--json] [--messages N] [--devices N] [--rounds N]`
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvloop

from bench.parts import telegraf
from bench.parts.broker import FastPublisher, Gate, make_old_session, make_session
from bench.parts.process import SAMPLE_S, BenchError, Meter, consumer, says, server
from bench.parts.programs import demand
from bench.parts.traffic import PROBE_FIELDS, TENANT, Spoken, register, speak, town
from citywarden.cli.running import wall_ms
from citywarden.settings import load
from fleet.city import City
from tests.brokers import Mosquitto
from tests.influx import Influxd, influxd

CLIENT_ID = "bench-citywarden"
COUNT_S = 0.1
STALL_S = 20.0
"""Nothing new for so long: what is missing is lost."""

BACKLOG_S = 200
"""The queue holds the messages of the last 200 s: less than after which a vehicle without data counts as offline."""

STATION_S = 1.5
"""A consumer has been connected so long before it is asked to be idle."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one consumer used for all messages. `stored`: rows in the database in the end."""

    stored: int
    cpu_s: float
    wall_s: float
    peak_rss_mb: float


@dataclass(frozen=True, slots=True)
class Scene:
    """What a round has: folder, broker, database, the city and its messages."""

    folder: Path
    broker: Mosquitto
    influx: Influxd
    city: City
    messages: Sequence[Spoken]


async def prepare(folder: Path, influx: Influxd, count: int, devices: int) -> Scene:
    """A broker with the same messages queued for both consumers."""
    now_ms = wall_ms()
    begin_ms = now_ms - BACKLOG_S * 1000
    place = town(devices, begin_ms)
    messages = await speak(place, begin_ms, count, count / BACKLOG_S)
    broker = Mosquitto(folder)
    await broker.start()
    await make_session(broker.endpoint, CLIENT_ID)
    await make_old_session(broker.endpoint, telegraf.CLIENT_ID)
    async with FastPublisher(broker.endpoint) as publisher:
        await publisher.fill([(one.topic, one.payload) for one in messages])
    return Scene(folder, broker, influx, place, messages)


async def ours(scene: Scene) -> Cost:
    """`citywarden serve` with every default rule and the city's plan."""
    bucket = scene.influx.make_bucket()
    config, data, output = (scene.folder / name for name in ("citywarden.toml", "data", "citywarden.output"))
    plan = scene.folder / "plan.geojson"
    plan.write_text(scene.city.plan_text, "utf-8")
    async with Gate(scene.broker.endpoint) as gate, AsyncExitStack() as stack:
        config.write_text(
            f'tenant = "{TENANT}"\n'
            f'[mqtt]\nurl = "mqtt://127.0.0.1:{gate.endpoint.port}"\nclient_id = "{CLIENT_ID}"\n'
            f'[store]\nurl = "{scene.influx.url(bucket)}"\ntoken = "{scene.influx.token}"\n'
            f'[fleet]\nplan = "{plan}"\n',
            "utf-8",
        )
        register(load(config, {}, data), scene.city.devices)
        process = await stack.enter_async_context(consumer(server(config, data), output))
        await says(process, output, "is up")
        return await drain(scene, bucket, gate, Meter(process.pid))


async def theirs(scene: Scene, program: str) -> Cost:
    """Telegraf's mqtt_consumer into influxdb_v2."""
    bucket = scene.influx.make_bucket()
    config, output = scene.folder / "telegraf.conf", scene.folder / "telegraf.output"
    async with Gate(scene.broker.endpoint) as gate:
        config.write_text(
            telegraf.configuration(gate.endpoint.port, scene.influx.base, scene.influx.token, bucket), "utf-8"
        )
        async with consumer((program, "--config", str(config)), output) as process:
            return await drain(scene, bucket, gate, Meter(process.pid))


async def drain(scene: Scene, bucket: str, gate: Gate, meter: Meter) -> Cost:
    """Open the gate of a consumer that is up, and watch until all is stored and it is idle again."""
    wanted = len(scene.messages)
    try:
        async with asyncio.timeout(60):
            await gate.connected.wait()
    except TimeoutError:
        raise BenchError("the consumer did not connect to the broker") from None
    await asyncio.sleep(STATION_S)
    _, before = await meter.idle()
    gate.release()
    begin_s = asyncio.get_running_loop().time()
    await until(lambda: gate.acknowledged, wanted, meter)
    async with httpx.AsyncClient(headers={"Authorization": f"Token {scene.influx.token}"}, timeout=60) as client:
        stored, grown_s = 0, meter.read().at_s
        while stored < wanted and meter.read().at_s - grown_s < STALL_S:
            await asyncio.sleep(COUNT_S)
            if (now := await rows(client, scene.influx, bucket)) > stored:
                stored, grown_s = now, meter.read().at_s
    stored_s = meter.read().at_s
    quiet, after = await meter.idle()
    return Cost(
        stored, after.cpu_s - before.cpu_s, max(stored_s, quiet.at_s) - begin_s, meter.peak_bytes / 2**20
    )  # fmt: skip


async def until(count: Callable[[], int], wanted: int, meter: Meter) -> None:
    """Until so many are counted, or no more come."""
    seen, grown_s = 0, meter.read().at_s
    while seen < wanted and meter.read().at_s - grown_s < STALL_S:
        await asyncio.sleep(SAMPLE_S)
        if (now := count()) > seen:
            seen, grown_s = now, meter.read().at_s


async def rows(client: httpx.AsyncClient, influx: Influxd, bucket: str) -> int:
    """How many readings of the four kinds the bucket has."""
    asked = ";".join(f'SELECT count("{field}") FROM "{kind}"' for kind, field in PROBE_FIELDS.items())
    answer = await client.get(f"{influx.base}/query", params={"db": bucket, "q": asked})
    answer.raise_for_status()
    series = (one for result in answer.json()["results"] for one in result.get("series", ()))
    return sum(int(one["values"][0][1]) for one in series)


async def measure(influx: Influxd, count: int, devices: int, program: str | None) -> tuple[Cost, Cost | None]:
    """One round: both consumers one after the other, each with the same queue."""
    with tempfile.TemporaryDirectory() as folder:
        scene = await prepare(Path(folder), influx, count, devices)
        try:
            return await ours(scene), None if program is None else await theirs(scene, program)
        finally:
            await scene.broker.stop()


def summary(count: int, rounds: Sequence[tuple[Cost, Cost | None]]) -> dict[str, float | None]:
    """The contract's line: medians over the rounds; `lost`: the worst round, of either consumer."""
    mine = [one for one, _ in rounds]
    other = [one for _, one in rounds if one is not None]

    def middle(costs: Sequence[Cost], figure: Callable[[Cost], float]) -> float | None:
        return statistics.median(map(figure, costs)) if costs else None

    def ratio(ours: float | None, theirs: float | None) -> float | None:
        return None if ours is None or not theirs else round(ours / theirs, 3)

    def rounded(value: float | None, digits: int = 2) -> float | None:
        return None if value is None else round(value, digits)

    cpu_us, wall_s = middle(mine, lambda c: c.cpu_s / count * 1e6), middle(mine, lambda c: c.wall_s)
    their_cpu_us, their_wall_s = middle(other, lambda c: c.cpu_s / count * 1e6), middle(other, lambda c: c.wall_s)
    return {
        "messages": count,
        "lost": max(count - one.stored for one in mine),
        "cpu_us_per_message": rounded(cpu_us),
        "wall_s": rounded(wall_s),
        "telegraf_cpu_us_per_message": rounded(their_cpu_us),
        "telegraf_wall_s": rounded(their_wall_s),
        "cpu_ratio": ratio(cpu_us, their_cpu_us),
        "wall_ratio": ratio(wall_s, their_wall_s),
        "peak_rss_mb": rounded(max(one.peak_rss_mb for one in mine), 1),
    }


def show(count: int, mine: Cost, other: Cost | None) -> str:
    """A round as a table."""
    lines = [f"{'':12} {'CPU us/msg':>11} {'wall s':>8} {'msg/s':>9} {'peak MB':>8} {'lost':>6}"]
    for name, cost in (("citywarden", mine), ("telegraf", other)):
        if cost is None:
            lines.append(f"{name:12} not here")
            continue
        lines.append(
            f"{name:12} {cost.cpu_s / count * 1e6:11.1f} {cost.wall_s:8.2f} {count / cost.wall_s:9,.0f} "
            f"{cost.peak_rss_mb:8.0f} {count - cost.stored:6}"
        )
    if other is not None:
        lines.append(f"{'ratio':12} {mine.cpu_s / other.cpu_s:11.2f} {mine.wall_s / other.wall_s:8.2f}")
    return "\n".join(lines)


def main() -> None:
    """Run and print a table; with --json its last line is the contract's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    demand()
    program = telegraf.find_telegraf()
    found = []
    say = sys.stderr if given.json else sys.stdout
    with tempfile.TemporaryDirectory() as folder, influxd(Path(folder)) as influx:
        for _ in range(given.rounds):
            try:
                found.append(uvloop.run(measure(influx, given.messages, given.devices, program)))
            except BenchError as error:
                sys.exit(f"bench ingest: {error}")
            print(show(given.messages, *found[-1]), f"load {os.getloadavg()[0]:.1f}", sep="\n", file=say, flush=True)
    result = summary(given.messages, found)
    if given.json:
        print(json.dumps(result))
    sys.exit(1 if result["lost"] else 0)


if __name__ == "__main__":
    main()
