"""How the cost of a whole server grows with its devices: CPU a message and memory, from 1,000 to 100,000 of them.

Each size has its own simulated city with a plan for its vehicles, registered before the server starts; a device
speaks equally often in all of them, and its last message is equally old when the drain begins. Messages wait in
Mosquitto and are drained into a real influxd, twice: first until each device, of which the server has not heard before,
has spoken, then so many as `--messages` says. CPU and memory are those of the server's process as the operating system
counts them, until it is idle; what is stored is counted then, because counting takes the database seconds in which
the server would be charged for waiting. What it uses when it waits is a figure of its own.
`scripts/bench growth [--json] [--messages N] [--sizes 1000,10000,100000] [--rounds N] [--no-plan]`
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import httpx
import uvloop

from bench.ingest import STALL_S, rows, until
from bench.parts.broker import FastPublisher, Gate, make_session
from bench.parts.process import BenchError, Meter, consumer, says, server
from bench.parts.traffic import TENANT, Spoken, register, speak, town
from citywarden.cli.running import wall_ms
from citywarden.settings import load
from fleet.city import City
from tests.brokers import MOSQUITTO, Mosquitto
from tests.influx import HOW, Influxd, find_influxd, influxd

CLIENT_ID = "bench-growth"
EVERY_S = 4.0
"""A device speaks so often on average."""

FIRST = 3
"""So many messages a device are surely enough that each has spoken."""

LATE_S = 20.0
PREPARE_MS = 1.1
"""The city's last message is so old when the drain begins. Making a city and starting its server takes some time for
each device, so its messages lie that much ahead, and the drain waits for them.
"""

WAITING_S = 5.0
START_S = 600.0
PATIENCE_S = 120.0
"""A server with a large plan takes its time to come up, and to be idle once it has."""


@dataclass(frozen=True, slots=True)
class Poured:
    """What the server used for some messages, from the opening of the gate until all are stored and it is idle."""

    messages: int
    lost: int
    cpu_s: float
    wall_s: float

    @property
    def us(self) -> float:
        """CPU a message."""
        return self.cpu_s / self.messages * 1e6


@dataclass(frozen=True, slots=True)
class Grown:
    """A server of one size. `idle_mb`: resident, up and connected, before its first message. `waiting_ms`: CPU it uses
    in a second without messages, between the two drains.

    `late_s`: how long after the city's last message the drain began, at least LATE_S; past some minutes vehicles count
    as missing, and the figures are those of a city full of alerts.
    """

    devices: int
    vehicles: int
    tasks: int
    start_s: float
    late_s: float
    idle_mb: float
    peak_mb: float
    waiting_ms: float
    first: Poured
    later: Poured


async def measure(influx: Influxd, devices: int, messages: int, with_plan: bool) -> Grown:
    """A server with so many devices, from its start to the last message."""
    count = FIRST * devices + messages
    begin_ms = wall_ms() + round(devices * PREPARE_MS) - round(count / devices * EVERY_S * 1000)
    place = town(devices, begin_ms)
    spoken = await speak(place, begin_ms, count, devices / EVERY_S)
    first = heard(spoken, len(place.devices))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Mosquitto(folder)
        await broker.start()
        try:
            await make_session(broker.endpoint, CLIENT_ID)
            return await run(
                influx, folder, broker, place, (spoken[:first], spoken[first : first + messages]), with_plan
            )
        finally:
            await broker.stop()


def heard(spoken: Sequence[Spoken], devices: int) -> int:
    """After how many messages every device has spoken. Raises BenchError when one never does."""
    known: set[str] = set()
    for count, one in enumerate(spoken, 1):
        known.add(one.topic)
        if len(known) == devices:
            return count
    raise BenchError(f"{len(known)} of {devices} devices have spoken")


async def run(
    influx: Influxd, folder: Path, broker: Mosquitto, place: City, lots: tuple[Sequence[Spoken], Sequence[Spoken]],
    with_plan: bool,
) -> Grown:  # fmt: skip
    """Start the server and give it one lot after the other."""
    loop, bucket, tasks = asyncio.get_running_loop(), influx.make_bucket(), len(place.behaviours) if with_plan else 0
    config, data, output = (folder / name for name in ("citywarden.toml", "data", "citywarden.output"))
    async with Gate(broker.endpoint) as gate, AsyncExitStack() as stack:
        config.write_text(configuration(influx, bucket, gate.endpoint.port, plan_of(place, folder, with_plan)), "utf-8")
        register(load(config, {}, data), place.devices)
        begin_s = loop.time()
        process = await stack.enter_async_context(consumer(server(config, data), output))
        await says(process, output, "is up", START_S)
        start_s, meter = loop.time() - begin_s, Meter(process.pid)
        await fill(broker, lots[0])
        async with asyncio.timeout(PATIENCE_S):
            await gate.connected.wait()
        await meter.idle(PATIENCE_S)
        await asyncio.sleep(LATE_S - (wall_ms() - lots[1][-1].at_ms) / 1000)
        idle_mb, late_s = meter.rss_bytes / 2**20, (wall_ms() - lots[1][-1].at_ms) / 1000
        first = await pour(influx, bucket, gate, meter, (0, len(lots[0])))
        gate.hold()
        waiting_ms = await waiting(meter)
        await fill(broker, lots[1])
        later = await pour(influx, bucket, gate, meter, (len(lots[0]), len(lots[1])))
        return Grown(
            len(place.devices), len(place.drivers), tasks, start_s, late_s, idle_mb, peak_mb(process.pid, meter),
            waiting_ms, first, later,
        )  # fmt: skip


def plan_of(place: City, folder: Path, with_plan: bool) -> Path | None:
    """The city's plan as a file."""
    if not with_plan:
        return None
    plan = folder / "plan.geojson"
    plan.write_text(place.plan_text, "utf-8")
    return plan


def configuration(influx: Influxd, bucket: str, port: int, plan: Path | None) -> str:
    """Of `citywarden serve`, with every default rule."""
    lines = [
        f'tenant = "{TENANT}"',
        f'[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\nclient_id = "{CLIENT_ID}"',
        f'[store]\nurl = "{influx.url(bucket)}"\ntoken = "{influx.token}"',
    ]
    if plan is not None:
        lines.append(f'[fleet]\nplan = "{plan}"')
    return "\n".join([*lines, ""])


async def fill(broker: Mosquitto, lot: Sequence[Spoken]) -> None:
    """Put messages into the waiting session."""
    async with FastPublisher(broker.endpoint) as publisher:
        await publisher.fill([(one.topic, one.payload) for one in lot])


async def waiting(meter: Meter) -> float:
    """Milliseconds of CPU a second that it uses without messages."""
    _, begin = await meter.idle(PATIENCE_S)
    await asyncio.sleep(WAITING_S)
    end = meter.read()
    return (end.cpu_s - begin.cpu_s) / (end.at_s - begin.at_s) * 1000


async def pour(influx: Influxd, bucket: str, gate: Gate, meter: Meter, lot: tuple[int, int]) -> Poured:
    """Open the gate of an idle server until the `lot` (stored before, new messages) is stored and it is idle again."""
    loop, before, wanted = asyncio.get_running_loop(), lot[0], lot[1]
    _, begin = await meter.idle(PATIENCE_S)
    gate.release()
    begin_s = loop.time()
    await until(lambda: gate.acknowledged - before, wanted, meter)
    stored, grown_s = -1, loop.time()
    async with httpx.AsyncClient(headers={"Authorization": f"Token {influx.token}"}, timeout=60) as client:
        while stored < wanted and loop.time() - grown_s < STALL_S:
            quiet, end = await meter.idle(PATIENCE_S)
            if (now := await rows(client, influx, bucket) - before) > stored:
                stored, grown_s = now, loop.time()
    return Poured(wanted, wanted - stored, end.cpu_s - begin.cpu_s, quiet.at_s - begin_s)


def peak_mb(pid: int, meter: Meter) -> float:
    """The most that was ever resident, its start included where the system says so."""
    try:
        text = Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return meter.peak_bytes / 2**20
    known = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(known["VmHWM"].split()[0]) / 1024


def summary(grown: Sequence[Grown]) -> dict[str, object]:
    """All figures, and the growth of CPU a message (`later`) from the smallest to the largest."""
    small, large = grown[0], grown[-1]
    return {
        "sizes": [
            {
                **{key: value for key, value in asdict(one).items() if key not in ("first", "later")},
                "start_s": round(one.start_s, 1),
                "late_s": round(one.late_s, 1),
                "idle_mb": round(one.idle_mb, 1),
                "peak_mb": round(one.peak_mb, 1),
                "waiting_ms": round(one.waiting_ms, 1),
                "first_us": round(one.first.us, 2),
                "later_us": round(one.later.us, 2),
                "lost": one.first.lost + one.later.lost,
            }
            for one in grown
        ],
        "growth": round(large.later.us / small.later.us, 3),
        "lost": sum(one.first.lost + one.later.lost for one in grown),
    }


HEAD = (
    f"{'devices':>8} {'vehicles':>8} {'tasks':>7} {'start s':>8} {'late s':>7} {'idle MB':>8} {'peak MB':>8} "
    f"{'waits ms/s':>10} "
    f"{'first us/msg':>13} {'later us/msg':>13} {'lost':>5} {'load':>5}"
)


def row(one: Grown, busy: float) -> str:
    """A size as a row of the table; `busy`: the machine's load."""
    return (
        f"{one.devices:8,} {one.vehicles:8,} {one.tasks:7,} {one.start_s:8.1f} {one.late_s:7.0f} "
        f"{one.idle_mb:8.0f} {one.peak_mb:8.0f} {one.waiting_ms:10.0f} {one.first.us:13.1f} {one.later.us:13.1f} "
        f"{one.first.lost + one.later.lost:5} {busy:5.1f}"
    )


def middle(rounds: Sequence[Grown]) -> Grown:
    """Of several rounds of one size the one whose `later` messages cost neither much nor little, with every loss."""
    chosen = sorted(rounds, key=lambda one: one.later.us)[len(rounds) // 2]
    return replace(
        chosen,
        first=replace(chosen.first, lost=sum(one.first.lost for one in rounds)),
        later=replace(chosen.later, lost=sum(one.later.lost for one in rounds)),
        peak_mb=max(one.peak_mb for one in rounds),
    )


def sizes(text: str) -> list[int]:
    """Numbers of devices, ascending. Raises ValueError."""
    found = sorted({int(word) for word in text.split(",")})
    if found[0] < 4:
        raise ValueError("a city has at least 4 devices")
    return found


def main() -> None:
    """Run and print a table; with --json its last line is one of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--sizes", type=sizes, default=[1000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=1, help="all sizes so often, the rounds in the middle count")
    parser.add_argument("--no-plan", action="store_true", help="no work is planned for the vehicles")
    given = parser.parse_args()
    if MOSQUITTO is None or find_influxd() is None:
        sys.exit("needs Mosquitto: apt-get install mosquitto" if MOSQUITTO is None else HOW)
    say = sys.stderr if given.json else sys.stdout
    print(HEAD, file=say, flush=True)
    grown: dict[int, list[Grown]] = {devices: [] for devices in given.sizes}
    with tempfile.TemporaryDirectory() as folder, influxd(Path(folder)) as influx:
        for devices in given.sizes * given.rounds:
            try:
                one = uvloop.run(measure(influx, devices, given.messages, not given.no_plan))
            except (BenchError, TimeoutError) as error:
                sys.exit(f"bench growth: {str(error) or 'the server does not come to rest'}")
            grown[devices].append(one)
            print(row(one, os.getloadavg()[0]), file=say, flush=True)
    found = summary([middle(rounds) for rounds in grown.values()])
    print(f"later us/msg, the largest by the smallest: {found['growth']}", file=say)
    if given.json:
        print(json.dumps(found))
    sys.exit(1 if found["lost"] else 0)


if __name__ == "__main__":
    main()
