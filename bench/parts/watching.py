"""A server that is watched from outside: what it needs, what waits, what it says, how long its pages take."""

import asyncio
import contextlib
import os
from dataclasses import dataclass, field

import httpx
import psutil

from bench.parts.broker import FastPublisher
from tests.faults.children import Server
from tests.faults.flood import PAGES, look_s

SAMPLE_S, LOOK_S = 1.0, 0.25


@dataclass(slots=True)
class Seen:
    """What was seen of the server, every second or so."""

    rss_mb: list[float] = field(default_factory=list)
    log_mb: list[float] = field(default_factory=list)
    in_log: list[float] = field(default_factory=list)
    in_broker: list[float] = field(default_factory=list)
    lag_s: list[float] = field(default_factory=list)
    looks_s: list[float] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    signs: dict[str, float] = field(default_factory=dict)
    """The largest value of each sign on /metrics."""


async def watch(found: Server, publisher: FastPublisher, seen: Seen) -> None:
    """Until cancelled."""
    process = psutil.Process(found.pid)
    async with httpx.AsyncClient(base_url=found.url, timeout=60) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                body = (await client.get("/healthz")).json()["figures"]
                seen.in_broker.append(max(0.0, publisher.acknowledged - body["messages"]))
                seen.in_log.append(max(body.get("backlog_rules", 0.0), body.get("backlog_store", 0.0)))
                seen.lag_s.append(body["ingest_lag_ms"] / 1000)
                for name, value in signs((await client.get("/metrics")).text).items():
                    seen.signs[name] = max(value, seen.signs.get(name, 0.0))
            seen.rss_mb.append(process.memory_info().rss / 2**20)
            seen.log_mb.append(sum(file.stat().st_size for file in found.data.glob("log.sqlite*")) / 2**20)
            seen.load.append(os.getloadavg()[0])
            await asyncio.sleep(SAMPLE_S)


def signs(metrics: str) -> dict[str, float]:
    """The figures behind the server's own alerts, from the text of /metrics."""
    head = 'citywarden_server_sign{rule="'
    lines = (line.removeprefix(head).split('"} ') for line in metrics.splitlines() if line.startswith(head))
    return {name: float(value) for name, value in lines}


async def look(url: str, seen: Seen) -> None:
    """Somebody who looks at one page after the other, until cancelled."""
    async with httpx.AsyncClient(timeout=60) as client:
        while True:
            for page in ("/", *PAGES, "/api/v1/alerts?limit=100"):
                with contextlib.suppress(httpx.HTTPError):
                    seen.looks_s.append(await look_s(client, url + page))
                await asyncio.sleep(LOOK_S)
