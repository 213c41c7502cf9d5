"""Running until a signal: what `serve` and `demo` share."""

import asyncio
import logging
import signal
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


def wall_ms() -> int:
    """The wall clock, ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop, with warnings and errors of all parts as lines on stderr."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return uvloop.run(main)


async def until_stopped(seconds: float | None = None) -> None:
    """Until SIGINT or SIGTERM, or until `seconds` have passed."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        async with asyncio.timeout(seconds):
            await stopped.wait()
    except TimeoutError:
        pass
