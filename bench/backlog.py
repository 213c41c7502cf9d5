"""A server that starts with millions of messages in its log: how soon it answers, what it needs, how fast it drains.

The log is filled directly (streetlights of one city, as if the store and the rules had been away), then
`citywarden serve` starts on it with embedded parts and is watched until it has passed everything, or for so long.
Where it has, it is stopped and the numbers in its store are counted against those in the log.
`scripts/bench backlog [--json] [--messages N] [--seconds S] [--write]`
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb
import httpx

from bench.parts.pages import write_block
from bench.parts.process import BenchError, Meter, consumer, said, server
from bench.parts.traffic import TENANT, register
from citywarden.cli.running import wall_ms
from citywarden.log.sqlite import SqliteLog
from citywarden.model.device import Device
from citywarden.model.message import RawMessage
from citywarden.settings import load

LAMPS = 1000
BATCH = 5000
ANSWER_S = 600.0
LOOK_S = 0.5

Result = dict[str, float | None]
"""Figures by name; `lost` and `twice` are None where it did not come to the end."""


async def fill(path: Path, messages: int, begin_ms: int) -> None:
    """A log with so many messages that nobody has read."""
    log = await SqliteLog.open(path)
    topics = [f"city/{TENANT}/streetlight/L{i:04}/telemetry" for i in range(LAMPS)]
    for first in range(0, messages, BATCH):
        await log.append([
            RawMessage(topics[n % LAMPS], b'{"ts": %d, "on": false, "power_w": 0.4, "energy_kwh": %d}'
                       % (begin_ms + n, n), begin_ms + n)
            for n in range(first, min(messages, first + BATCH))
        ])  # fmt: skip
    await log.close()


async def run(folder: Path, messages: int, seconds: float) -> Result:
    """Fill, start, watch."""
    config, data, output = folder / "citywarden.toml", folder / "data", folder / "output"
    config.write_text(f'tenant = "{TENANT}"\n', "utf-8")
    register(load(config, {}, data), [Device(TENANT, "streetlight", f"L{i:04}") for i in range(LAMPS)])
    begin_s = time.monotonic()
    await fill(data / "log.sqlite", messages, wall_ms() - messages - 3_600_000)
    filled_s, size = time.monotonic() - begin_s, (data / "log.sqlite").stat().st_size
    command = [*server(config, data), "--mqtt-port", "0"]
    begin_s = time.monotonic()
    async with consumer(command, output) as process, httpx.AsyncClient(timeout=ANSWER_S) as client:
        meter = Meter(process.pid)
        url = await address(output, begin_s)
        first = (await client.get(f"{url}/healthz")).json()["figures"]
        answer_s = time.monotonic() - begin_s
        passed, judged, at_s = float(first["stored"]), _judged(first, messages), time.monotonic()
        began_s, judged_s, before = at_s, at_s, (passed, judged)
        while at_s - began_s < seconds and min(passed, judged) < messages:
            await asyncio.sleep(LOOK_S)
            meter.read()
            figures = (await client.get(f"{url}/healthz")).json()["figures"]
            at_s = time.monotonic()
            if judged < messages:
                judged_s = at_s
            passed, judged = float(figures["stored"]), _judged(figures, messages)
        span_s = at_s - began_s
    done = min(passed, judged) >= messages
    rows, numbers = await asyncio.to_thread(_books, data / "store.duckdb") if done else (0, 0)
    return {
        "messages": messages,
        "log_mb": round(size / 2**20, 1),
        "fill_s": round(filled_s, 1),
        "first_answer_s": round(answer_s, 2),
        "watched_s": round(span_s, 1),
        "stored": passed,
        "judged": judged,
        "stored_per_s": round((passed - before[0]) / span_s),
        "judged_per_s": round((judged - before[1]) / max(LOOK_S, judged_s - began_s)),
        "peak_rss_mb": round(meter.peak_bytes / 2**20, 1),
        "lost": messages - numbers if done else None,
        "twice": rows - numbers if done else None,
        "load": round(os.getloadavg()[0], 1),
    }


def _books(store: Path) -> tuple[int, int]:
    """(rows, different numbers) in the store of a server that has ended."""
    with duckdb.connect(store, read_only=True) as connection:
        found = connection.execute("SELECT count(*), count(DISTINCT energy_kwh) FROM streetlight").fetchone()
    assert found is not None
    return int(found[0]), int(found[1])


def _judged(figures: dict[str, float], messages: int) -> float:
    return messages - float(figures.get("backlog_rules", messages))


async def address(output: Path, begin_s: float) -> str:
    """Where the server is, once it says so."""
    while time.monotonic() - begin_s < ANSWER_S:
        for line in said(output).splitlines():
            if "is up" in line:
                return line.split("console ")[1].split(",")[0].strip()
        await asyncio.sleep(0.02)
    raise BenchError(f"no answer after {ANSWER_S:.0f} s: {said(output)[-2000:]}")


def table(results: Sequence[Result]) -> str:
    """For docs/reliability.md."""
    head = (
        "| messages in the log | log, MB | first answer after, s | judged, /s | stored, /s | all of it after, s | "
        "lost | twice | peak memory, MB | load of the machine |\n|---|---|---|---|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(map(_line, results))


def _line(r: Result) -> str:
    whole = "not watched so long" if r["lost"] is None else f"{r['watched_s']:,.0f}"
    lost, twice = ("" if r[name] is None else f"{r[name]:,.0f}" for name in ("lost", "twice"))
    return (
        f"| {r['messages']:,.0f} | {r['log_mb']:,.0f} | {r['first_answer_s']} | {r['judged_per_s']:,.0f} | "
        f"{r['stored_per_s']:,.0f} | {whole} | {lost} | {twice} | {r['peak_rss_mb']:.0f} | {r['load']} |"
    )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    parser.add_argument("--messages", type=int, action="append", help="may be given several times")
    parser.add_argument("--seconds", type=float, default=7200.0, help="watch the drain for at most so long")
    given = parser.parse_args()
    results: list[Result] = []
    for messages in given.messages or [10_000_000]:
        with tempfile.TemporaryDirectory(prefix="cw-backlog-") as name:
            try:
                results.append(asyncio.run(run(Path(name), messages, given.seconds)))
            except BenchError as error:
                sys.exit(f"bench backlog: {error}")
        print(results[-1], file=sys.stderr)
    shown = table(results)
    print(shown, file=sys.stderr if given.json else sys.stdout)
    if given.write:
        write_block(Path("docs/reliability.md"), "backlog", shown)
    if given.json:
        print(json.dumps(results))
    sys.exit(1 if any(one["lost"] or one["twice"] for one in results) else 0)


if __name__ == "__main__":
    main()
