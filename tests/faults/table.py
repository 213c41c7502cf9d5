"""The faults, one row each: what is done to a running stack, and what has to come of it.

Of every row it is demanded that nothing is lost, nothing stored twice, no alert lost or doubled. A deed does its
fault, mends it, and returns complaints: what should have been said or refused, and was not.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.children import Child
from tests.faults.doors import Cut, Reset, refusal
from tests.faults.scene import Scene
from tests.faults.traffic import Mark

HOUR_MS = 3_600_000
POISON_LEAKS = 3
FOR_EVER = 1 << 60
QUIET_S = 30.0
ALONE_S = 0.3
SECOND = "does a second server use the"

Deed = Callable[[Scene, float], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`what`, `expected`: for people. `long_s`, `short_s`: how long it lasts. `dead`: dead letters it has to make.
    `clocked`: needs a server whose wall clock can be set."""

    name: str
    what: str
    expected: str
    deed: Deed
    long_s: float = 10.0
    short_s: float = 1.0
    dead: int = 0
    clocked: bool = False


def unless(held: bool, complaint: str) -> list[str]:
    return [] if held else [complaint]


async def says(child: Child, words: str, since: int, timeout_s: float = 60.0) -> bool:
    """Whether it says so in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while words not in child.said(since):
                await asyncio.sleep(0.05)
            return True
    return False


def killed(which: Callable[[Scene], Child]) -> Deed:
    """kill -9, away for a while, started again."""

    async def deed(scene: Scene, hold_s: float) -> list[str]:
        child = which(scene)
        await child.kill()
        await asyncio.sleep(hold_s)
        await child.start()
        return []

    return deed


async def server_killed_twice(scene: Scene, hold_s: float) -> list[str]:
    """kill -9, and once more while it catches up."""
    await scene.server.kill()
    await asyncio.sleep(hold_s)
    await scene.server.spawn()
    await asyncio.sleep(1.5)
    await scene.server.kill()
    await scene.server.start()
    return []


async def stopped(scene: Scene, hold_s: float) -> list[str]:
    """SIGTERM under load."""
    loop = asyncio.get_running_loop()
    begin_s = loop.time()
    code = await scene.server.stop()
    took_s = loop.time() - begin_s
    await asyncio.sleep(hold_s)
    await scene.server.start()
    return unless(code == 0, f"exit code {code}") + unless(took_s < 10, f"took {took_s:.1f} s to stop")


async def influx_slow(scene: Scene, hold_s: float) -> list[str]:
    """Every write takes 2 s."""

    async def slowly(_body: bytes) -> bytes | None:
        await asyncio.sleep(2.0)
        return None

    scene.door.behave(before=slowly)
    await asyncio.sleep(hold_s)
    scene.door.behave()
    return []


async def influx_busy(scene: Scene, hold_s: float) -> list[str]:
    """503 with Retry-After to every write."""

    async def busy(_body: bytes) -> bytes | None:
        return refusal(503, "overloaded", "Retry-After: 1")

    scene.door.behave(before=busy)
    await asyncio.sleep(hold_s)
    scene.door.behave()
    return []


async def influx_refuses(scene: Scene, hold_s: float) -> list[str]:
    """422 to every request that carries one of a few readings; the others are stored."""
    first = scene.traffic.number
    chosen = [b"energy_kwh=%d" % (first + 10 * i) for i in range(POISON_LEAKS)]
    refused: set[bytes] = set()

    async def picky(body: bytes) -> bytes | None:
        found = [one for one in chosen if any(one + end in body for end in (b",", b" ", b".0,", b".0 "))]
        refused.update(found)
        return refusal(422, "unacceptable") if found else None

    scene.door.behave(before=picky)
    await asyncio.sleep(hold_s)
    async with asyncio.timeout(60):
        while len(refused) < len(chosen):
            await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)
    scene.door.behave()
    return []


async def influx_resets(scene: Scene, hold_s: float) -> list[str]:
    """Half of the writes are reset before, half after InfluxDB has written them."""
    count = 0

    async def early(_body: bytes) -> bytes | None:
        nonlocal count
        count += 1
        if count % 2:
            raise Reset
        return None

    async def late(_body: bytes) -> bytes | None:
        raise Reset

    scene.door.behave(before=early, after=late)
    await asyncio.sleep(hold_s)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(60):
            while count < 2:
                await asyncio.sleep(0.05)
    scene.door.behave()
    return unless(count >= 2, "no write was tried")


def fill(file: Path) -> None:
    """Make a file as large as its disk has room for."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (1 << 20, 4096):
            with contextlib.suppress(OSError):
                while True:
                    os.write(handle, bytes(size))
    finally:
        os.close(handle)


async def disk_full(scene: Scene, hold_s: float) -> list[str]:
    """The log's disk is filled to the last byte, and what the log's own files have left with arrays of a day ago."""
    begin, loop = scene.server.size(), asyncio.get_running_loop()
    ballast, begin_s, said = scene.log_folder / "ballast", loop.time(), False
    begin_ms = scene.traffic.now_ms() - 24 * HOUR_MS
    while not said and loop.time() - begin_s < 60:
        fill(ballast)
        scene.traffic.back_fill(20, 100, begin_ms)
        said = await says(scene.server, "mqtt stalled", begin, 0.1)
    await asyncio.sleep(hold_s)
    ballast.unlink()
    return unless(said, "nobody was told that the log cannot be written")


async def line_silent(scene: Scene, hold_s: float) -> list[str]:
    """Packets between server and broker are lost, in silence."""
    begin = scene.server.size()
    scene.line.cut(Cut.SILENT)
    await asyncio.sleep(hold_s)
    said = hold_s < 8 or await says(scene.server, "no answer to a ping", begin, 5.0)
    scene.line.cut(Cut.NONE)
    return unless(said, "the dead connection was not noticed")


async def line_reset(scene: Scene, hold_s: float) -> list[str]:
    """Connections between server and broker are reset."""
    scene.line.cut(Cut.RESET)
    await asyncio.sleep(hold_s)
    scene.line.cut(Cut.NONE)
    return []


def clock_jumps(hours: float, devices_too: bool = False) -> Deed:
    """The wall clock under the server jumps, and back; with all devices it stays there (the machine was asleep)."""

    async def deed(scene: Scene, hold_s: float) -> list[str]:
        jump_ms = round(hours * HOUR_MS)
        if devices_too:
            # Nobody speaks to a machine that is asleep, and what was said before is old when it wakes up.
            end = await scene.traffic.pause()
            await scene.settled((Mark(max(0, end.number - 3000), max(0, end.leak - 100), end.at_ms), end), QUIET_S)
        scene.offset.write_text(str(jump_ms))
        scene.traffic.ahead_ms = jump_ms if devices_too else 0
        if devices_too:
            # The first one to be heard is alone, and its message is no thing of the future either.
            scene.traffic.speak_once()
            await asyncio.sleep(ALONE_S)
        scene.traffic.go_on()
        await asyncio.sleep(hold_s)
        if not devices_too:
            scene.offset.write_text("0")
        return []

    return deed


async def back_fill(scene: Scene, hold_s: float) -> list[str]:
    """Arrays of a day ago, and kill -9 in the middle of them."""
    begin_ms = scene.traffic.now_ms() - 24 * HOUR_MS
    for _ in range(4):
        scene.traffic.back_fill(20, 100, begin_ms)
        await asyncio.sleep(hold_s / 4)
    await scene.server.kill()
    scene.traffic.back_fill(20, 100, begin_ms)
    await scene.server.start()
    return []


async def same_client_id(scene: Scene, hold_s: float) -> list[str]:
    """A second server with a data folder of its own and the same client id."""
    begin, mark = scene.server.size(), scene.traffic.mark()
    scene.traffic.clear_from = FOR_EVER
    config = scene.folder / "second.toml"
    text = scene.config.read_text()
    config.write_text("\n".join(line for line in text.splitlines() if not line.startswith("path = ")))
    second = scene.another("second")
    second.command[second.command.index(str(scene.config))] = str(config)
    try:
        await second.start()
        said = await says(scene.server, SECOND, begin)
        await asyncio.sleep(hold_s)
        both = await says(second, SECOND, 0, 20.0)
        await scene.settled((mark, scene.traffic.mark()), 20.0)
        await second.stop()
        scene.traffic.clear_from = scene.traffic.leak
    finally:
        await second.kill()
    return unless(said, "the first did not say that it was taken over") + unless(both, "the second did not say so")


async def same_folder(scene: Scene, hold_s: float) -> list[str]:
    """A second server on the same data folder."""
    second = scene.another("twin", scene.server.data)
    await second.spawn()
    assert second.process is not None
    try:
        async with asyncio.timeout(60):
            code = await second.process.wait()
    finally:
        await second.kill()
    await asyncio.sleep(hold_s)
    return unless(code == 1, f"exit code {code}") + unless(
        "another server (process" in second.said(), f"it said: {second.said()[-300:]}"
    )


async def interrupted(scene: Scene, hold_s: float) -> list[str]:
    """SIGTERM, and again at once."""
    assert scene.server.process is not None
    scene.server.process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        scene.server.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        code = await scene.server.process.wait()
    await asyncio.sleep(hold_s)
    await scene.server.start()
    return unless(code in (0, 143), f"exit code {code}")


TABLE = (
    Fault("server-killed", "kill -9 of the server, and again while it catches up",
          "goes on where its log is", server_killed_twice, 5, 0.2),
    Fault("server-stopped", "SIGTERM under load", "exit 0 within 10 s", stopped, 5, 0.2),
    Fault("server-hurried", "SIGTERM twice", "leaves at once", interrupted, 5, 0.1),
    Fault("broker-killed", "kill -9 of Mosquitto", "connects again, the session is resumed",
          killed(lambda s: s.broker), 10, 0.5),
    Fault("influx-killed", "kill -9 of influxd, back after the time", "alerts at once, readings when it is back",
          killed(lambda s: s.influx), 60, 3),
    Fault("influx-slow", "every write to InfluxDB takes 2 s", "alerts at once", influx_slow, 60, 3),
    Fault("influx-503", "InfluxDB answers 503, Retry-After 1", "waits as told", influx_busy, 30, 1.5),
    Fault("influx-422", "InfluxDB refuses three readings for good (422)", "three dead letters, all else stored",
          influx_refuses, 10, 0.5, dead=POISON_LEAKS),
    Fault("influx-reset", "connections to InfluxDB are reset before or after the write", "nothing twice",
          influx_resets, 30, 2),
    Fault("database-killed", "kill -9 of PostgreSQL, back after the time", "alerts when it is back, each once",
          killed(lambda s: s.database), 60, 1.5),
    Fault("disk-full", "the log's disk is full to the last byte", "nothing is acknowledged; the broker keeps it",
          disk_full, 30, 1),
    Fault("line-silent", "packets between server and broker vanish", "noticed within the keep-alive time",
          line_silent, 30, 1.5),
    Fault("line-reset", "connections to the broker are reset", "connects again", line_reset, 30, 1),
    Fault("back-fill-killed", "kill -9 of the server in the middle of a back-fill of yesterday", "every item once",
          back_fill, 8, 0.8),
    Fault("two-servers", "a second server with the same client id and a data folder of its own",
          "both say so; what either took is stored", same_client_id, 60, 2),
    Fault("same-folder", "a second server on the same data folder", "refuses, exit 1", same_folder, 5, 0.1),
    Fault("clock-back", "the wall clock goes back an hour, devices go on", "the server keeps its course",
          clock_jumps(-1), 20, 2, clocked=True),
    Fault("clock-forward", "the wall clock goes 3 hours ahead, devices do not", "the server keeps its course",
          clock_jumps(3), 20, 2, clocked=True),
    Fault("clock-both", "the wall clock and all devices go 3 hours ahead: the machine was asleep",
          "the server follows", clock_jumps(3, devices_too=True), 20, 2, clocked=True),
)  # fmt: skip
