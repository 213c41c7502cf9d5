"""Running until a signal: what `serve` and `demo` share."""

import asyncio
import ctypes
import gc
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TextIO, TypeVar

import uvloop

from citywarden.model.redaction import redact

T = TypeVar("T")
COLLECT = (50_000, 50, 100)
"""Objects before a collection; the defaults cost a quarter of the CPU of a drain (docs/performance.md)."""

TIDY_EVERY_S = 30.0
TIDY_SHARE = 300
"""Collecting everything takes at most a three-hundredth of the time of a processor."""


def wall_ms() -> int:
    """The wall clock, ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop, with warnings and errors of all parts as lines on stderr, and a garbage collector that looks
    less often: a drain makes many objects that live for a moment and none that only it could free. Whoever runs for
    long is to `tidy`, as `until_stopped` does.
    """
    gc.set_threshold(*COLLECT)
    logging.basicConfig(level=logging.WARNING, handlers=[log_handler()])
    try:
        return uvloop.run(main)
    finally:
        gc.unfreeze()  # what is settled is taken down too, or modules in C++ complain of leaks as the process ends


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def _visible(text: str) -> str:
    """The text on one line: what would begin another, colour a terminal or turn the reading round is written out."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class _Discreet(logging.Formatter):
    """Hides secrets, also those in a traceback. A message is one line, and of a traceback each line is indented, so
    that nothing in them, a topic or a login, looks like a line of its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's own name)
        record.message = _visible(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 (logging's own name)
        return "\n".join(f"  {_visible(line)}" for line in super().formatException(ei).split("\n"))


def log_handler(stream: TextIO | None = None) -> logging.Handler:
    """Lines on a stream, None for stderr, without secrets."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Discreet("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return handler


def settle() -> None:
    """Everything that was made until now stays for good: no collection has to look at it any more. What reading the
    plan and the registry took beside goes back to the system.
    """
    gc.collect()
    gc.freeze()
    _give_back()


def _clear_out() -> None:
    """Collect everything, and give back what that and the last while have freed: bursts leave holes between what
    stays, and without this a server that had many would look as if it grew.
    """
    gc.collect()
    _give_back()


def _give_back() -> None:
    """Free memory that the C library keeps for later, where it is one that can be asked (glibc): some milliseconds."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


async def tidy(
    collect: Callable[[], object] = _clear_out,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock_s: Callable[[], float] = time.thread_time,
) -> None:
    """Until cancelled: free now and then what only a collection finds, such as the pages of browsers that have left,
    and give back what the C library keeps.

    By count alone (`COLLECT`) that would be as good as never: what lived through one collection, as a page does that
    is open for a minute, would wait for millions of other objects. What one takes is its time on the processor: on
    a busy machine each lasts long, and would be so rare that the memory grows.
    """
    took_s = 0.0
    while True:
        await sleep(max(TIDY_EVERY_S, TIDY_SHARE * took_s))
        began_s = clock_s()
        collect()
        took_s = clock_s() - began_s


def stop_signal(stop_s: float | None = None) -> asyncio.Event:
    """Set by SIGINT or SIGTERM, from now on: ask for it before telling anybody that it runs. A second signal, or a
    stop that takes longer than `stop_s`, ends the process at once: what was under way is in the log and is done again
    at the next start.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def take(number: int) -> None:
        if stopped.is_set():
            _leave(f"signal {number} again", 128 + number)
        stopped.set()
        if stop_s is not None:
            loop.call_later(stop_s, _leave, f"not stopped after {stop_s:g} s", 1)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, take, number)
    return stopped


async def until_stopped(stopped: asyncio.Event, seconds: float | None = None) -> None:
    """Until the signal, or until `seconds` have passed; meanwhile the memory is kept tidy."""
    tidying = asyncio.create_task(tidy(), name="tidy")
    try:
        async with asyncio.timeout(seconds):
            await stopped.wait()
    except TimeoutError:
        pass
    finally:
        tidying.cancel()


def _leave(why: str, code: int) -> None:
    """End the process here and now. Nothing acknowledged is lost by it, as with kill -9."""
    print(f"citywarden: {why}: leaving at once; what was under way is done again at the next start", file=sys.stderr)
    sys.stderr.flush()
    os._exit(code)
