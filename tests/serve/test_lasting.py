"""What a server remembers does not grow with the alerts that came and went: what has ended is rows, not memory."""

import asyncio
import gc
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from citywarden.cli.running import wall_ms
from citywarden.model.message import RawMessage
from citywarden.sections import AlertsSettings, Settings, TargetSettings
from citywarden.serve.clock import steady_ms
from citywarden.serve.judge import RULES_CONSUMER
from citywarden.serve.prepare import prepare
from citywarden.serve.server import Options, Running, running
from ingest.pipeline import STORE_CONSUMER
from tests.builders import device

DETECTORS = 60
CYCLES = 14
"""Turns of all detectors up and down."""

LOOKS = (5, 6, 12, 13)
"""After which of them it is looked at: when everything that is bounded has reached its bound, and at the end."""

BETWEEN_MS = 5 * 60_000
"""By so much the server's clock is moved ahead after each: for some it is flapping, and hours go by."""

OURS = ("citywarden.", "ingest.", "rules.", "dashboards.", "fleet.")


class Hurried:
    """The machine's clocks, moved ahead."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def wall_ms(self) -> int:
        return wall_ms() + self.ahead_ms

    def steady_ms(self) -> int:
        return steady_ms() + self.ahead_ms


@asynccontextmanager
async def taker() -> AsyncIterator[str]:
    """The address of somebody who takes every webhook and keeps none."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def say(server: Running, clock: Hurried, lel_pct: float) -> None:
    """All detectors, until their alerts are as they should be and everything is told, stored and saved."""
    stamp_ms = clock.wall_ms()
    body = b'{"ts": %d, "methane_lel_pct": %g}' % (stamp_ms, lel_pct)
    topics = [f"city/t/gas/G{n}/telemetry" for n in range(DETECTORS)]
    await server.log.append([RawMessage(topic, body, stamp_ms) for topic in topics])
    wanted = DETECTORS if lel_pct > 50 else 0
    async with asyncio.timeout(60):
        while len(await server.desk.open()) != wanted:
            await asyncio.sleep(0.01)
        end = await server.log.end()
        while server.judge.progress.position != end or await server.log.saved(STORE_CONSUMER) != end:
            await asyncio.sleep(0.01)
    assert await server.courier.drain(60)
    await server.judge.save()
    await server.log.trim((RULES_CONSUMER, STORE_CONSUMER))
    clock.ahead_ms += BETWEEN_MS


def remembered(server: Running) -> tuple[Counter[str], int]:
    """How many objects of each type of ours there are, and how much lists, dictionaries, sets and queues hold
    together, but for the delays of the last thousands of deliveries.
    """
    gc.collect()
    everything = gc.get_objects()
    kinds = [type(one) for one in everything]
    ours = Counter(kind.__qualname__ for kind in kinds if str(kind.__module__).startswith(OURS))
    held = sum(len(one) for one in everything if type(one) in (list, dict, set, deque) and one is not everything)
    return ours, held - len(server.courier.latencies_ms)


async def test_alerts_that_ended_are_not_remembered(tmp_path: Path) -> None:
    clock = Hurried()
    seen: list[tuple[Counter[str], int]] = []
    async with taker() as address:
        target = TargetSettings(name="dispatch", url=address)
        settings = Settings(tenant="t", data=tmp_path / "data", alerts=AlertsSettings(targets=(target,)))
        options = Options(port=0, steady_ms=clock.steady_ms)
        async with running(prepare(settings), options, clock.wall_ms) as server:
            server.registry.add([device("gas", f"G{n}") for n in range(DETECTORS)])
            for cycle in range(CYCLES):
                await say(server, clock, 60.0)
                await say(server, clock, 1.0)
                if cycle in LOOKS:
                    seen.append(remembered(server))
            raised, told = server.desk.desk.counters.raised, server.desk.desk.counters.delivered
    assert raised == CYCLES * DETECTORS
    assert told >= raised // 4
    early, late = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    for kind in set().union(*(ours for ours, _ in late)):
        assert min(ours[kind] for ours, _ in late) < max(ours[kind] for ours, _ in early) + 2 * DETECTORS, kind
    more = min(held for _, held in late) - max(held for _, held in early)
    assert more < (LOOKS[-2] - LOOKS[1]) * DETECTORS
