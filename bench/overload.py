"""More than the server can take, for a while; and consumers that do not keep up.

    this program -- R msg/s --> Mosquitto -> citywarden serve -> influxd
                                                 |-> webhook (this program)
                                                 +-> event stream (this program)

First what it can take: so many messages judged and stored as fast as it goes; in turns without and with slow
consumers (a webhook that takes 2 s, twenty listeners of the event stream that never read). Then `--times` as much is
offered for `--seconds` to a server whose log has a bound, while somebody looks at pages; then nothing more comes, and
it is watched until everything is stored and the books are made up from the numbers of the readings.
`scripts/bench overload [--json] [--times T] [--seconds S] [--messages N] [--log-mb M] [--nice N] [--write]`

The server runs at a low priority: publisher, broker and database are on the same machine, and without that they could
hardly offer three times of what it takes.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil

from bench.parts.broker import WINDOW, FastPublisher
from bench.parts.overloadpage import table
from bench.parts.pages import write_block
from bench.parts.programs import demand
from bench.parts.watching import Seen, look, watch
from citywarden.cli.running import wall_ms
from citywarden.model.device import Device
from tests.brokers import Mosquitto
from tests.faults.children import Influx, Server
from tests.faults.dispatcher import Dispatcher
from tests.faults.flood import Lamps, deaf_listener, figures, flooded
from tests.faults.traffic import TENANT

LAMPS = 1000
LEAKS = 100
NOTE_BYTES = 200
DEAF = 20
SLOW_S = 2.0
ROUNDS = 2
BEAT_S, CALM_S = 0.05, 15.0
PATIENCE_S = 1200.0
RULES = ("ingest.behind", "log.stalled")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    times: float
    seconds: float
    messages: int
    log_mb: int
    nice: int


@dataclass(slots=True)
class Stage:
    """What a run stands on."""

    folder: Path
    influx: Influx
    broker: Mosquitto
    dispatcher: Dispatcher
    nice: int
    number: int = 0

    @contextlib.asynccontextmanager
    async def server(self, lamps: Lamps, more: str = "") -> AsyncIterator[Server]:
        """A new server with a session of its own."""
        self.number += 1
        folder = self.folder / f"server-{self.number}"
        folder.mkdir()
        leaks = [Device(TENANT, "gas", leak(i), lat=22.54, lon=114.06) for i in range(LEAKS)]
        config = (
            f'client_id = "overload-{self.number}"\n'
            f'[store]\nurl = "influxdb://127.0.0.1:{self.influx.port}/city/city"\ntoken = "{self.influx.token}"\n'
            f'[[alerts.targets]]\nname = "dispatch"\nurl = "{self.dispatcher.url}"\n{more}'
        )
        async with flooded(folder, self.broker.port, config, [*lamps.devices(), *leaks], self.nice) as found:
            yield found


def leak(number: int) -> str:
    return f"leak-{number:03}"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a server takes. `cpu_us`: of its own a message, which a busy machine does not change as much as the rate."""

    per_s: float
    cpu_us: float


async def capacity(stage: Stage, messages: int, lamps: Lamps, slow: bool) -> Taken:
    """Messages that are judged and stored while more are always there. `slow`: with slow consumers."""
    stage.dispatcher.delay_s = SLOW_S if slow else 0.0
    async with contextlib.AsyncExitStack() as stack:
        found = await stack.enter_async_context(stage.server(lamps))
        for _ in range(DEAF if slow else 0):
            await stack.enter_async_context(deaf_listener(found.url))
        publisher = await stack.enter_async_context(FastPublisher(stage.broker.endpoint))
        loop = asyncio.get_running_loop()
        process = psutil.Process(found.pid)
        begin_s, begin_cpu_s, part = loop.time(), sum(process.cpu_times()[:2]), max(1, messages // LEAKS)
        for i in range(LEAKS):
            body = b'{"ts": %d, "methane_lel_pct": 60}' % wall_ms()
            publisher.send([*lamps.next(part), (f"city/{TENANT}/gas/{leak(i)}/telemetry", body)])
            await publisher.settled(WINDOW)
        wanted = LEAKS * (part + 1)
        await passed(found, wanted)
        used_s = sum(process.cpu_times()[:2]) - begin_cpu_s
        return Taken(wanted / (loop.time() - begin_s), used_s / wanted * 1e6)


async def passed(found: Server, count: int) -> None:
    """Until so many messages are stored, and judged."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            now = await figures(found.url)
            if now["stored"] >= count and now.get("backlog_rules", 1) == 0:
                return
            await asyncio.sleep(0.1)


async def offer(publisher: FastPublisher, lamps: Lamps, rate: float, seconds: float) -> tuple[float, float]:
    """Publish at this rate whether or not anybody keeps up; returns (sent a second, s until the broker had all)."""
    loop = asyncio.get_running_loop()
    begin_s, first = loop.time(), lamps.said
    while (past_s := loop.time() - begin_s) < seconds:
        due = int(past_s * rate) - (lamps.said - first)
        # Many messages take long to make: page looks go on between the parts.
        for size in [500] * (due // 500) + [due % 500]:
            publisher.send(lamps.next(size))
            await asyncio.sleep(0)
        await asyncio.sleep(BEAT_S)
    sent_per_s = (lamps.said - first) / (loop.time() - begin_s)
    await publisher.settled()
    return sent_per_s, loop.time() - begin_s


async def overload(stage: Stage, wanted: Wanted, can_take: float) -> dict[str, object]:
    """Offer too much, then wait until all of it is stored."""
    stage.dispatcher.delay_s = 0.0
    stage.dispatcher.messages.clear()
    lamps, seen, after = Lamps(LAMPS, NOTE_BYTES, said=LAMPS * 1_000_000), Seen(), Seen()
    first, loop = lamps.said, asyncio.get_running_loop()
    async with (
        stage.server(lamps, f"[log]\nmax_mb = {wanted.log_mb}\n") as found,
        FastPublisher(stage.broker.endpoint) as publisher,
    ):
        rest_mb, calm = psutil.Process(found.pid).memory_info().rss / 2**20, Seen()
        beside = [asyncio.create_task(look(found.url, calm))]
        await asyncio.sleep(CALM_S)
        await _end(beside)
        beside = [asyncio.create_task(watch(found, publisher, seen)), asyncio.create_task(look(found.url, seen))]
        offered_per_s, broker_s = await offer(publisher, lamps, wanted.times * can_take, wanted.seconds)
        await _end(beside)
        beside = [asyncio.create_task(watch(found, publisher, after))]
        begin_s, count = loop.time(), lamps.said - first
        await passed(found, count)
        drained_s = loop.time() - begin_s
        await _told(stage.dispatcher, "resolved")
        await _end(beside)
    rows, numbers = await _books(stage.influx, first, lamps.said)
    told = {(one.rule, one.status) for one in stage.dispatcher.messages}
    return {
        "offered_per_s": round(offered_per_s), "offered": count, "seconds": wanted.seconds,
        "broker_had_all_s": round(broker_s, 1),
        "rss_rest_mb": round(rest_mb), "rss_peak_mb": round(max(seen.rss_mb + after.rss_mb)),
        "log_max_mb": wanted.log_mb, "log_peak_mb": round(max(seen.log_mb + after.log_mb), 1),
        "in_log_peak": max(seen.in_log + after.in_log), "in_broker_peak": max(seen.in_broker + after.in_broker),
        "lag_peak_s": round(max(seen.lag_s + after.lag_s), 1),
        "looks_at_rest": len(calm.looks_s), "look_at_rest_s": _spread(calm.looks_s),
        "looks": len(seen.looks_s), "look_s": _spread(seen.looks_s),
        "signs": {name: round(max(seen.signs.get(name, 0.0), after.signs.get(name, 0.0)), 1) for name in RULES},
        "alerts": {name: [status for status in ("firing", "resolved") if (name, status) in told] for name in RULES},
        "drained_s": round(drained_s, 1), "lost": count - numbers, "twice": rows - numbers,
        "load": round(statistics.median(seen.load), 1),
    }  # fmt: skip


def _spread(times_s: list[float]) -> list[float]:
    """Median, 95 %, longest."""
    return [round(float(one), 3) for one in (*np.percentile(times_s, (50, 95)), max(times_s))]


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _told(dispatcher: Dispatcher, status: str) -> None:
    """Until every alert of the server that was raised has come to this status too, or for a while."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(60):
            while True:
                told = {(one.rule, one.status) for one in dispatcher.messages}
                if all((rule, status) in told for rule, how in told if how == "firing"):
                    return
                await asyncio.sleep(0.2)


async def _books(influx: Influx, first: int, end: int) -> tuple[int, int]:
    """(rows, different numbers) in InfluxDB."""
    rows, numbers, step = 0, 0, 200_000
    headers = {"Authorization": f"Token {influx.token}"}
    async with httpx.AsyncClient(base_url=influx.base, headers=headers, timeout=120) as client:
        for begin in range(first, end, step):
            which = f"energy_kwh >= {begin} AND energy_kwh < {min(end, begin + step)}"
            asked = f"SELECT energy_kwh FROM streetlight WHERE {which}"
            answer = await client.get("/query", params={"db": "city", "q": asked, "epoch": "ms"})
            answer.raise_for_status()
            found = [int(row[1]) for one in answer.json()["results"][0].get("series", ()) for row in one["values"]]
            rows, numbers = rows + len(found), numbers + len(set(found))
    return rows, numbers


async def run(wanted: Wanted) -> dict[str, object]:
    """The whole benchmark."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cw-overload-")))
        for name in ("influx", "mqtt"):
            (folder / name).mkdir()
        influx, broker = Influx(folder / "influx"), Mosquitto(folder / "mqtt")
        stack.push_async_callback(influx.kill)
        await influx.start()
        await broker.start()
        stack.push_async_callback(broker.stop)
        stage = Stage(folder, influx, broker, await stack.enter_async_context(Dispatcher()), wanted.nice)
        taken: dict[bool, list[Taken]] = {False: [], True: []}
        lamps = Lamps(LAMPS, NOTE_BYTES)
        for number in range(2 * ROUNDS):
            slow = number % 2 == 1
            taken[slow].append(one := await capacity(stage, wanted.messages, lamps, slow))
            said = "with slow consumers" if slow else "by itself"
            load = os.getloadavg()[0]
            print(f"takes {one.per_s:,.0f} msg/s {said}, {one.cpu_us:.0f} us each, load {load:.1f}", file=sys.stderr)
        can_take = statistics.median(one.per_s for one in taken[False])
        return {
            "can_take_per_s": round(can_take),
            "with_slow_consumers_per_s": round(statistics.median(one.per_s for one in taken[True])),
            "cpu_us": round(statistics.median(one.cpu_us for one in taken[False])),
            "with_slow_consumers_cpu_us": round(statistics.median(one.cpu_us for one in taken[True])),
            "times": wanted.times, **await overload(stage, wanted, can_take),
        }  # fmt: skip


def main() -> None:
    """Run and print; exit 1 when something was lost or stored twice, or nobody was told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    parser.add_argument("--times", type=float, default=3.0, help="of what it can take (default %(default)g)")
    parser.add_argument("--seconds", type=float, default=60.0, help="for so long (default %(default)g)")
    parser.add_argument("--messages", type=int, default=100_000, help="to measure what it can take (%(default)s)")
    parser.add_argument("--log-mb", type=int, default=16, help="the log's bound (default %(default)s)")
    parser.add_argument("--nice", type=int, default=10, help="priority of the server (default %(default)s)")
    given = parser.parse_args()
    demand()
    result = asyncio.run(run(Wanted(given.times, given.seconds, given.messages, given.log_mb, given.nice)))
    shown = table(result)
    print(shown, file=sys.stderr if given.json else sys.stdout)
    if given.write:
        write_block(Path("docs/reliability.md"), "overload", shown)
    if given.json:
        print(json.dumps(result))
    alerts = result["alerts"]
    assert isinstance(alerts, dict)
    sys.exit(0 if result["lost"] == 0 and result["twice"] == 0 and any(alerts.values()) else 1)


if __name__ == "__main__":
    main()
