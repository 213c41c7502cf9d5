"""From publish to the webhook's arrival, under load and with every default rule on.

    simulated city, R msg/s ---+
    gas detectors that leak ---+-> Mosquitto -> citywarden serve -> webhook -> this program

A leak's clock starts when its reading is handed to the socket, and stops when the alert's body has been read. The
same once more with InfluxDB configured and away. The store of the first run is the embedded one.
`scripts/bench latency [--json] [--rate R] [--alerts N] [--seconds S]`
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import uvloop

from bench.parts.broker import FastPublisher
from bench.parts.process import BenchError, Meter, consumer, says, server
from bench.parts.programs import demand
from bench.parts.traffic import TENANT, Spoken, register, speak, town
from citywarden.cli.running import wall_ms
from citywarden.model.device import Device
from citywarden.settings import load
from tests.brokers import Mosquitto, free_port

WARM_UP_S, COOL_DOWN_S = 4, 5
START_S = 20
"""Time to make the messages and to start the server, before the first message is due."""

ARRIVAL_S = 30.0
"""An alert that takes longer than this after the last message did not come."""

BEAT_S = 0.002
RULE = "gas.methane"


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for: messages a second, and leaks spread evenly over so many seconds."""

    rate: int
    alerts: int
    seconds: int
    devices: int


@dataclass(frozen=True, slots=True)
class Result:
    """What one run saw. `delays_ms`: of the leaks that arrived; `rate`: messages a second really published."""

    rate: float
    delays_ms: tuple[float, ...]
    wanted: int
    cpu_share: float


class Receiver:
    """The webhook's target: notes when the first alert of each device came. Answers 204 to everything."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self.seen_s: dict[str, float] = {}
        self.complete = asyncio.Event()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
                body = orjson.loads(await reader.readexactly(size))
                if body["rule"] == RULE and body["status"] == "firing":
                    self.seen_s.setdefault(body["subject"], asyncio.get_running_loop().time())
                    if len(self.seen_s) >= self._wanted:
                        self.complete.set()
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def detectors(count: int) -> list[Device]:
    """The gas detectors that will leak."""
    return [Device(TENANT, "gas", f"leak-{i:03}", lat=22.54, lon=114.06) for i in range(count)]


async def run(load_wanted: Load, store: str) -> Result:
    """One run. `store`: lines of its section in the configuration."""
    receiver = Receiver(load_wanted.alerts)
    listening = await asyncio.start_server(receiver.take, "127.0.0.1", 0)
    port = int(listening.sockets[0].getsockname()[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Mosquitto(folder)
        await broker.start()
        config, data, output = folder / "citywarden.toml", folder / "data", folder / "output"
        begin_ms = wall_ms() + START_S * 1000
        place = town(load_wanted.devices, begin_ms)
        leaks = detectors(load_wanted.alerts)
        plan = folder / "plan.geojson"
        plan.write_text(place.plan_text, "utf-8")
        config.write_text(
            f'tenant = "{TENANT}"\n[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n[fleet]\nplan = "{plan}"\n{store}'
            f'[[alerts.targets]]\nname = "bench"\nurl = "http://127.0.0.1:{port}/"\n',
            "utf-8",
        )
        register(load(config, {}, data), [*place.devices, *leaks])
        seconds = WARM_UP_S + load_wanted.seconds + COOL_DOWN_S
        messages = await speak(place, begin_ms, load_wanted.rate * seconds, load_wanted.rate)
        try:
            async with consumer(server(config, data), output) as process, FastPublisher(broker.endpoint) as publisher:
                await says(process, output, "is up")
                if wall_ms() > begin_ms:
                    raise BenchError(f"the server took longer than {START_S} s to start")
                meter = Meter(process.pid)
                await asyncio.sleep((begin_ms - wall_ms()) / 1000)
                before = meter.read()
                sent_s = await play(publisher, messages, [one.id for one in leaks], load_wanted)
                after = meter.read()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ARRIVAL_S):
                        await receiver.complete.wait()
        finally:
            await broker.stop()
            listening.close()
    delays = tuple(1000 * (receiver.seen_s[one] - at_s) for one, at_s in sent_s.items() if one in receiver.seen_s)
    span_s = after.at_s - before.at_s
    return Result(len(messages) / span_s, delays, len(leaks), (after.cpu_s - before.cpu_s) / span_s)


async def play(
    publisher: FastPublisher, messages: Sequence[Spoken], leaks: Sequence[str], wanted: Load
) -> dict[str, float]:
    """Publish everything when it is due; returns when each leak was published, in s of the loop's clock."""
    loop = asyncio.get_running_loop()
    begin_s, begin_ms = loop.time(), messages[0].at_ms
    sent: dict[str, float] = {}
    done = 0
    while done < len(messages):
        passed_s = loop.time() - begin_s
        first = done
        while done < len(messages) and messages[done].at_ms - begin_ms <= passed_s * 1000:
            done += 1
        publisher.send([(one.topic, one.payload) for one in messages[first:done]])
        due = int((passed_s - WARM_UP_S) / wanted.seconds * len(leaks)) + 1 if passed_s >= WARM_UP_S else 0
        for leak in leaks[len(sent) : due]:
            payload = orjson.dumps({"ts": wall_ms(), "methane_lel_pct": 55.0, "battery_v": 3.6})
            sent[leak] = loop.time()
            publisher.send([(f"city/{TENANT}/gas/{leak}/telemetry", payload)])
        await asyncio.sleep(BEAT_S)
    await publisher.settled()
    return sent


def figures(result: Result) -> dict[str, float]:
    """Percentiles in ms, and how many of the alerts came."""
    found: dict[str, float] = {"rate": round(result.rate), "alerts": result.wanted, "arrived": len(result.delays_ms)}
    if not result.delays_ms:
        return found
    named = {"p50_ms": 50, "p95_ms": 95, "p99_ms": 99, "max_ms": 100}
    return (
        found
        | {name: round(float(np.percentile(result.delays_ms, at)), 1) for name, at in named.items()}
        | {"cpu_share": round(result.cpu_share, 2)}
    )


def main() -> None:
    """Run with the embedded store and with InfluxDB away; print a table, or one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--alerts", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--devices", type=int, default=1000)
    given = parser.parse_args()
    demand(with_influxd=False)
    wanted = Load(given.rate, given.alerts, given.seconds, given.devices)
    away = f'[store]\nurl = "influxdb://127.0.0.1:{free_port()}/city/away"\ntoken = "none"\n'
    found = {}
    for name, store in (("embedded", ""), ("store_away", away)):
        try:
            found[name] = figures(uvloop.run(run(wanted, store)))
        except BenchError as error:
            sys.exit(f"bench latency: {error}")
        shown = "  ".join(f"{key} {value:g}" for key, value in found[name].items())
        print(f"{name:12} {shown}  load {os.getloadavg()[0]:.1f}", file=sys.stderr if given.json else sys.stdout)
    if given.json:
        print(json.dumps(found))
    sys.exit(0 if all(one["arrived"] == one["alerts"] for one in found.values()) else 1)


if __name__ == "__main__":
    main()
