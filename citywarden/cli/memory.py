"""The memory of a process that runs for long: collected seldom, settled once it is up, given back now and then."""

import asyncio
import ctypes
import gc
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

COLLECT = (50_000, 50, 100)
"""Objects before a collection; the defaults cost a quarter of the CPU of a drain (docs/performance.md)."""

TIDY_EVERY_S = 30.0
TIDY_SHARE = 300
"""Collecting everything takes at most a three-hundredth of the time of a processor."""

HEAPS = 2
LARGE = 512 * 1024
"""Bytes. What is larger goes back to the system at once when it is freed."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Of glibc's malloc.h."""


def begin() -> None:
    """Before the first thread is made. The garbage collector looks less often: a drain makes many objects that live
    for a moment and none that only it could free. And few heaps are shared by all threads, instead of up to eight a
    core with holes of their own, where the C library is one that can be told so (glibc).
    """
    gc.set_threshold(*COLLECT)
    with suppress(AttributeError, OSError, TypeError):
        for option, value in ((_ARENA_MAX, HEAPS), (_MMAP_THRESHOLD, LARGE), (_TRIM_THRESHOLD, 2 * LARGE)):
            ctypes.CDLL(None).mallopt(option, value)


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
