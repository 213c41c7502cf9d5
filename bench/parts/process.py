"""A consumer as a process of its own, and what it costs by the operating system's own count."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_S = 0.05
QUIET_S = 0.6
QUIET_SHARE = 0.1
"""It is idle when it used less than this share of a core over QUIET_S."""

START_S = 60.0
STOP_S = 15.0


class BenchError(Exception):
    """A benchmark cannot go on, and why in one line."""


@dataclass(frozen=True, slots=True)
class Moment:
    """CPU seconds used so far (user and system, all threads) at a time of the monotonic clock."""

    at_s: float
    cpu_s: float


class Meter:
    """Watches one process."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.rss_bytes = 0
        self.peak_bytes = 0

    def read(self) -> Moment:
        """Now; the largest resident memory seen is kept."""
        with self._process.oneshot():
            times = self._process.cpu_times()
            self.rss_bytes = self._process.memory_info().rss
            self.peak_bytes = max(self.peak_bytes, self.rss_bytes)
        return Moment(asyncio.get_running_loop().time(), times.user + times.system)

    async def idle(self, timeout_s: float = START_S) -> tuple[Moment, Moment]:
        """Wait until it is idle; returns the beginning and the end of the idle stretch."""
        seen = [self.read()]
        async with asyncio.timeout(timeout_s):
            while True:
                await asyncio.sleep(SAMPLE_S)
                seen.append(self.read())
                while len(seen) > 2 and seen[-1].at_s - seen[1].at_s >= QUIET_S:
                    del seen[0]
                span_s, used_s = seen[-1].at_s - seen[0].at_s, seen[-1].cpu_s - seen[0].cpu_s
                if span_s >= QUIET_S and used_s < QUIET_SHARE * span_s:
                    return seen[0], seen[-1]


@contextlib.asynccontextmanager
async def consumer(command: Sequence[str], output: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program while the block lasts, its words into `output`."""
    with output.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(*command, stdout=sink, stderr=asyncio.subprocess.STDOUT)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def server(config: Path, data: Path) -> list[str]:
    """The command that starts the server on a free port."""
    places = ("--config", str(config), "--data", str(data), "--port", "0")
    return [sys.executable, "-m", "citywarden", "serve", *places]


async def says(
    process: asyncio.subprocess.Process, output: Path, words: str, timeout_s: float = START_S
) -> None:  # fmt: skip
    """Wait until the program has said so. Raises BenchError when it ends or takes too long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while process.returncode is None:
                if words in said(output):
                    return
                await asyncio.sleep(SAMPLE_S)
    raise BenchError(f"the program did not come up: {said(output)[-2000:]}")


def said(output: Path) -> str:
    """All its words so far."""
    return output.read_text("utf-8", "replace")
