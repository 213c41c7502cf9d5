"""An hour of mixed load with faults from time to time: does anything grow?

The stack of the fault matrix (Mosquitto, influxd, PostgreSQL, the server, all real processes): numbered lamps, gas
leaks, vehicles, somebody who looks at pages, and every minute a fault that leaves the server alive. Memory,
file handles, threads and the log's size are sampled; flat means that a straight line through the samples after the
warm-up rises less than their noise, or less than a small share.
`scripts/bench soak [--minutes N] [--rate R] [--json] [--write]`
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError

from bench.parts.pages import write_block
from citywarden.database import metadata
from tests.faults.harness import Outcome, suffer
from tests.faults.ledger import Count
from tests.faults.scene import Scene, scene
from tests.faults.table import TABLE
from tests.faults.traffic import TENANT, Mark

RATE, LEAK_S = 300.0, 2.0
SAMPLE_S = 5.0
CALM_S = 45.0
WARM_UP_SHARE = 0.3
FAULTS = ("influx-503", "line-reset", "influx-slow", "broker-killed", "influx-reset", "database-killed", "line-silent",
          "influx-killed")  # fmt: skip
ALLOWED = {"rss_mb": 0.06, "handles": 0.05, "threads": 0.05, "log_mb": 0.25}
"""A rise over the whole run of less than this share of the mean is called flat, whatever the noise."""

VEHICLES = 20
TABLES = ("alert", "alert_event", "outbox", "dead_letter", "device", "audit_note")


@dataclass(frozen=True, slots=True)
class Sample:
    """The server at one moment."""

    at_s: float
    rss_mb: float
    handles: int
    threads: int
    log_mb: float
    load: float
    tables: dict[str, int]


@dataclass(frozen=True, slots=True)
class Trend:
    """A straight line through one figure. `rise`: over the time looked at; `noise`: standard deviation around it."""

    figure: str
    first: float
    last: float
    rise: float
    noise: float
    flat: bool


@dataclass(slots=True)
class Soaked:
    """What a run saw."""

    samples: list[Sample] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    calm: list[Count] = field(default_factory=list)
    looks: int = 0
    slow_looks: int = 0


def trend(figure: str, at_s: Sequence[float], values: Sequence[float], allowed: float) -> Trend:
    """Pure: whether a figure stays where it is, by least squares."""
    x, y = np.asarray(at_s, float), np.asarray(values, float)
    slope, start = np.polyfit(x - x[0], y, 1)
    rise = float(slope * (x[-1] - x[0]))
    noise = float(np.std(y - (start + slope * (x - x[0]))))
    flat = rise <= max(2 * noise, allowed * float(np.mean(y)))
    third = max(1, len(y) // 3)
    return Trend(figure, float(np.median(y[:third])), float(np.median(y[-third:])), rise, noise, flat)


def trends(samples: Sequence[Sample]) -> list[Trend]:
    """Of every figure that has to be flat, after the warm-up."""
    begin_s = samples[0].at_s + WARM_UP_SHARE * (samples[-1].at_s - samples[0].at_s)
    warm = [one for one in samples if one.at_s >= begin_s]
    at_s = [one.at_s for one in warm]
    return [trend(name, at_s, [getattr(one, name) for one in warm], share) for name, share in ALLOWED.items()]


def rows(engine: Engine) -> dict[str, int]:
    """How many rows the tables have that grow with what happens."""
    with engine.connect() as connection:
        return {
            name: int(connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one())
            for name in TABLES if name in metadata.tables
        }  # fmt: skip


async def sampling(on: Scene, found: Soaked) -> None:
    begin_s = asyncio.get_running_loop().time()
    while True:
        if (one := await asyncio.to_thread(sample_of, on, begin_s, asyncio.get_running_loop().time())) is not None:
            found.samples.append(one)
        await asyncio.sleep(SAMPLE_S)


def sample_of(on: Scene, begin_s: float, now_s: float) -> Sample | None:
    """As `sample`, outside the event loop."""
    process = psutil.Process(on.server.pid)
    with contextlib.suppress(OperationalError):
        return Sample(
            now_s - begin_s, process.memory_info().rss / 2**20, process.num_fds(), process.num_threads(),
            sum(file.stat().st_size for file in on.log_folder.glob("log.sqlite*")) / 2**20,
            os.getloadavg()[0], rows(on.engine),
        )  # fmt: skip
    return None


async def vehicles(on: Scene) -> None:
    """Vehicles that drive around, a fix a second each."""
    tick = 0
    while True:
        now_ms, tick = on.traffic.now_ms(), tick + 1
        for i in range(VEHICLES):
            lat, lon = 22.54 + 0.01 * np.sin(tick / 60 + i), 114.05 + 0.01 * np.cos(tick / 60 + i)
            body = b'{"ts": %d, "lat": %.6f, "lon": %.6f, "speed_kmh": 20, "ignition": true}' % (now_ms, lat, lon)
            on.traffic.say("vehicle", f"V{i:02}", body)
        await asyncio.sleep(1.0)


async def looking(on: Scene, found: Soaked) -> None:
    """Somebody who looks at pages all the time."""
    loop = asyncio.get_running_loop()
    async with httpx.AsyncClient(timeout=20) as client:
        while True:
            for path in ("/healthz", "/metrics", "/api/v1/alerts?limit=100", "/"):
                begin_s = loop.time()
                with contextlib.suppress(httpx.HTTPError):
                    await client.get(on.server.url + path)
                    found.looks += 1
                    found.slow_looks += loop.time() - begin_s > 1.0
                await asyncio.sleep(1.0)


async def soak(minutes: float, rate: float, found: Soaked) -> None:
    """Run it."""
    loop = asyncio.get_running_loop()
    faults = {fault.name: fault for fault in TABLE}
    async with scene(rate, LEAK_S, extra=[(TENANT, "vehicle", f"V{i:02}") for i in range(VEHICLES)]) as on:
        end_s = loop.time() + minutes * 60
        beside = [asyncio.create_task(work) for work in (sampling(on, found), vehicles(on), looking(on, found))]
        number, begin = 0, on.traffic.mark()
        try:
            while loop.time() < end_s:
                await asyncio.sleep(min(CALM_S, max(1.0, end_s - loop.time())))
                await book(on, begin, found)
                fault = faults[FAULTS[number % len(FAULTS)]]
                outcome = await suffer(on, fault, max(fault.short_s, min(fault.long_s, 10.0)))
                found.outcomes.append(outcome)
                number, begin = number + 1, on.traffic.mark()
                said = "; ".join(outcome.complaints)
                at_s = loop.time() - end_s + minutes * 60
                print(f"{at_s:6.0f} s  {fault.name:16} ok={outcome.ok} {said}", file=sys.stderr)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)


async def book(on: Scene, begin: Mark, found: Soaked) -> None:
    """The books of a calm stretch."""
    end = await on.traffic.pause()
    await on.settled((begin, end), 60.0)
    found.calm.append(await on.books((begin, end)))
    on.traffic.go_on()


def verdict(found: Soaked, minutes: float, rate: float) -> dict[str, object]:
    """All of it as plain values."""
    lines = trends(found.samples)
    counts = [one.count for one in found.outcomes] + found.calm
    clean = all(one.ok for one in found.outcomes) and all(one.clean for one in found.calm)
    return {
        "minutes": minutes,
        "rate": rate,
        "load": [round(load, 1) for load in np.percentile([one.load for one in found.samples], (5, 50, 95))],
        "published": sum(one.published for one in counts),
        "lost": sum(one.lost for one in counts),
        "duplicates": sum(one.duplicates for one in counts),
        "alerts": sum(one.leaks for one in counts),
        "alerts_lost": sum(one.alerts_lost for one in counts),
        "alerts_doubled": sum(one.alerts_doubled for one in counts),
        "faults": len(found.outcomes),
        "looks": found.looks,
        "looks_over_1s": found.slow_looks,
        "tables": {"first": found.samples[0].tables, "last": found.samples[-1].tables},
        "trends": [asdict(line) for line in lines],
        "samples": [asdict(one) for one in found.samples],
        "flat": all(line.flat for line in lines),
        "ok": clean and all(line.flat for line in lines),
    }


def table(result: dict[str, object], lines: Sequence[Trend]) -> str:
    """For docs/reliability.md."""
    names = {"rss_mb": "resident memory, MB", "handles": "file handles", "threads": "threads", "log_mb": "log, MB"}
    out = [
        f"{result['minutes']:g} minutes, {result['rate']:g} readings a second: {result['published']:,} numbered ones, "
        f"{result['alerts']} leaks, "
        f"{result['faults']} faults: lost {result['lost']}, twice {result['duplicates']}, "
        f"alerts lost {result['alerts_lost']}, doubled {result['alerts_doubled']}; "
        f"{result['looks']} looks at pages, {result['looks_over_1s']} of them took over 1 s.",
        "",
        "| figure | first third | last third | rise by the line | noise | |",
        "|---|---|---|---|---|---|",
    ]
    out += [
        f"| {names[one.figure]} | {one.first:.1f} | {one.last:.1f} | {one.rise:+.1f} | {one.noise:.1f} | "
        f"{'flat' if one.flat else '**rises**'} |"
        for one in lines
    ]
    return "\n".join([*out, "", by_time(result)])


def by_time(result: dict[str, object]) -> str:
    """Memory as it went, in tenths of the run, and how busy the machine was."""
    samples, load = result["samples"], result["load"]
    assert isinstance(samples, list) and isinstance(load, list)
    tenths = [samples[min(len(samples) - 1, len(samples) * i // 10)]["rss_mb"] for i in range(11)]
    low, middle, high = load
    return (
        f"Memory at the start and after each tenth of the run, MB: {', '.join(f'{mb:.0f}' for mb in tenths)}. "
        f"{os.cpu_count()} cores, shared; load {low:g} to {high:g}, {middle:g} in the middle."
    )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=RATE, help="numbered readings a second (default %(default)g)")
    given = parser.parse_args()
    found = Soaked()
    asyncio.run(soak(given.minutes, given.rate, found))
    result = verdict(found, given.minutes, given.rate)
    shown = table(result, trends(found.samples))
    print(shown, file=sys.stderr if given.json else sys.stdout)
    if given.write:
        write_block(Path("docs/reliability.md"), "soak", shown)
    if given.json:
        print(json.dumps(result))
    sys.exit(0 if result["ok"] else 1)


if __name__ == "__main__":
    main()
