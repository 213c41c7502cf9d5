"""Running until a signal: what `serve` and `demo` share."""

import asyncio
import gc
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Coroutine
from typing import Any, TextIO, TypeVar

import uvloop

from citywarden.cli.memory import begin, tidy
from citywarden.model.redaction import redact

T = TypeVar("T")


def wall_ms() -> int:
    """The wall clock, ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop, with warnings and errors of all parts as lines on stderr. Whoever runs for long is to `tidy`, as
    `until_stopped` does.
    """
    begin()
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
