"""What runs for long does not keep what nobody can reach any more."""

import asyncio
import gc
import os
import signal
import time
import weakref
from collections.abc import Iterator

import pytest

from citywarden.cli.memory import COLLECT, TIDY_EVERY_S, TIDY_SHARE, tidy
from citywarden.cli.running import stop_signal, until_stopped

ROUNDS = 60


class Page:
    """As the console's pages are: full of things that know each other."""

    def __init__(self) -> None:
        self.parts = [{"page": self, "number": n} for n in range(300)]


class Enough(Exception):
    """The test has seen what it wanted."""


@pytest.fixture(autouse=True)
def as_served() -> Iterator[None]:
    """The collector as `run` and `settle` set it: what is there already is not looked through again and again."""
    before = gc.get_threshold()
    gc.set_threshold(*COLLECT)
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


async def test_what_has_left_is_freed_however_many_come() -> None:
    """Pages that were open while a collection took place, and were closed after it."""
    open_pages: list[Page] = []
    seen: list[weakref.ref[Page]] = []
    alive: list[int] = []

    async def a_while(_seconds: float) -> None:
        open_pages.clear()
        open_pages.extend(Page() for _ in range(10))
        seen.extend(weakref.ref(page) for page in open_pages)
        gc.collect(0)
        alive.append(sum(page() is not None for page in seen))
        if len(alive) == ROUNDS:
            raise Enough

    with pytest.raises(Enough):
        await tidy(sleep=a_while)
    assert len(seen) == 10 * ROUNDS
    assert max(alive) <= 20


async def test_a_large_memory_is_looked_through_less_often() -> None:
    waits: list[float] = []
    now_s = 0.0

    def slow() -> None:
        nonlocal now_s
        now_s += 0.1 if len(waits) == 1 else 2.0

    async def a_while(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise Enough

    with pytest.raises(Enough):
        await tidy(slow, a_while, lambda: now_s)
    assert waits == [TIDY_EVERY_S, pytest.approx(max(TIDY_EVERY_S, TIDY_SHARE * 0.1)), pytest.approx(TIDY_SHARE * 2.0)]


async def test_on_a_busy_machine_it_is_looked_through_as_often() -> None:
    """A collection that waits for the processor, as this one sleeps, has taken nothing of it."""
    waits: list[float] = []

    async def a_while(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise Enough

    with pytest.raises(Enough):
        await tidy(lambda: time.sleep(0.15), a_while)
    assert waits == [TIDY_EVERY_S] * 3


async def test_waiting_for_the_signal_tidies_and_stops_to() -> None:
    def tidying() -> list[str]:
        return [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "tidy"]

    stopped = stop_signal()
    waiting = asyncio.create_task(until_stopped(stopped))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert tidying() == ["tidy"]
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(60):
        await waiting
    await asyncio.sleep(0)
    assert tidying() == []
