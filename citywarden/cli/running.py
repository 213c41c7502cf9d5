"""Running until a signal: what `serve` and `demo` share."""

import asyncio
import gc
import logging
import signal
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")
COLLECT = (50_000, 50, 100)
"""Objects before a collection; the defaults cost a quarter of the CPU of a drain (docs/performance.md)."""


def wall_ms() -> int:
    """The wall clock, ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop, with warnings and errors of all parts as lines on stderr, and a garbage collector that looks
    less often: a drain makes many objects that live for a moment and none that only it could free.
    """
    gc.set_threshold(*COLLECT)
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
