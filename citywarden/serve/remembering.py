"""The rules' memory on its way to the database. What is to be saved is taken at once; packing and writing it goes on
beside the judging, so that no alert waits for the memory of a large fleet.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from sqlalchemy.exc import OperationalError

from citywarden.log.contract import Log, Position, reader_of
from citywarden.model.errors import Unavailable
from rules import engine

SNAPSHOT_EVERY_MS = 15_000
HURRIED_EVERY_MS = 500
SNAPSHOT_SHARE = 100
"""A large memory is saved less often: taking and packing it uses at most a hundredth of a processor's time."""

_log = logging.getLogger(__name__)


class Shelf(Protocol):
    """Where snapshots are kept, by name. Raises Unavailable or OperationalError."""

    async def save_snapshot(self, name: str, position: Position, data: bytes) -> None: ...

    async def load_snapshot(self, name: str) -> tuple[Mapping[int, int], bytes] | None: ...


class Remembering:
    """Saves the memory of one consumer of the log with its position, one snapshot at a time."""

    def __init__(self, consumer: str, log: Log, shelf: Shelf, clock_ms: Callable[[], int]) -> None:
        self._consumer = consumer
        self._name = reader_of(consumer, log)
        self._log = log
        self._shelf = shelf
        self._clock_ms = clock_ms
        self._due_ms = self._soonest_ms = 0
        self._stale = False
        self._failing = False
        self._under_way: asyncio.Task[None] | None = None

    async def load(self) -> tuple[Position, bytes] | None:
        """What was saved last, once nothing is on its way any more."""
        await self._settled()
        return await self._shelf.load_snapshot(self._name)

    def change(self) -> None:
        """There is something new to remember."""
        self._stale = True

    def hurry(self) -> None:
        """The log has no room, and keeps what comes after the last snapshot: the next is due as soon as it may be."""
        self._due_ms = min(self._due_ms, self._soonest_ms)

    def save_when_due(self, state: engine.State, position: Position) -> None:
        """Begin a snapshot when it is time and none is under way. Raises what the last one failed with, unless the
        database was away: then it is tried again when it is due.
        """
        if self._under_way is not None and self._under_way.done():
            under_way, self._under_way = self._under_way, None
            under_way.result()
        if self._stale and self._under_way is None and self._clock_ms() >= self._due_ms:
            self._begin(state, position)

    async def save(self, state: engine.State, position: Position) -> None:
        """A snapshot now, after any that is under way."""
        await self._settled()
        await self._begin(state, position)
        self._under_way = None

    def _begin(self, state: engine.State, position: Position) -> asyncio.Task[None]:
        self._stale = False
        began_s = time.thread_time()
        captured = engine.capture(state)
        taken_s = time.thread_time() - began_s
        work = self._save(captured, dict(position), self._clock_ms(), taken_s)
        self._under_way = asyncio.create_task(work, name="snapshot")
        return self._under_way

    async def _save(self, captured: engine.Captured, position: Position, began_ms: int, taken_s: float) -> None:
        data, packed_s = await asyncio.to_thread(_packed, captured)
        share_ms = round(SNAPSHOT_SHARE * (taken_s + packed_s) * 1000)
        self._due_ms = began_ms + max(SNAPSHOT_EVERY_MS, share_ms)
        self._soonest_ms = began_ms + max(HURRIED_EVERY_MS, share_ms)
        try:
            await self._shelf.save_snapshot(self._name, position, data)
            await self._log.save(self._consumer, position)
        except (Unavailable, OperationalError) as error:
            if not self._failing:
                _log.warning("the rules' memory cannot be saved now: %s", " ".join(str(error).split())[:200])
            self._failing = self._stale = True
        else:
            self._failing = False

    async def _settled(self) -> None:
        if self._under_way is not None:
            await asyncio.wait({self._under_way})
            self._under_way = None


def _packed(captured: engine.Captured) -> tuple[bytes, float]:
    """The bytes, and the processor's time that making them took, s."""
    began_s = time.thread_time()
    return engine.pack(captured), time.thread_time() - began_s
