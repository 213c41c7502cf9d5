"""The log in one SQLite file: what stands behind the contract until a city needs Apache Kafka.

One partition, 0. Two threads with a connection each, so that neither the event loop nor an append waits for a read:
the writer commits with an fsync; the reader also saves offsets and trims, without one (redoing those is harmless).
A second process may append to and read from the same file. What this one appended last it reads from its memory.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from citywarden.log.contract import Position, Slice
from citywarden.log.logfile import LogFile, split
from citywarden.log.tail import Tail
from citywarden.model.message import RawMessage

PARTITION = 0
POLL_S = 0.2
"""How often `wait` looks for what another process has appended."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Courtesy:
    """How `append` lets readers go first while more than `unread` messages that nobody has read are in memory, because
    reading them from the file later costs more: for at most `let_s` each time, and `hold_s` in a row. What comes in
    greater number than can be read for longer than that waits in the log, where it is seen how much it is.
    """

    unread: int = 20_000
    let_s: float = 0.5
    hold_s: float = 20.0


COURTEOUS = Courtesy()


class SqliteLog:
    """`citywarden.log.contract.Log` over one file. Make it with `open`, end it with `close`."""

    def __init__(
        self, threads: tuple[ThreadPoolExecutor, ThreadPoolExecutor], files: tuple[LogFile, LogFile], courtesy: Courtesy
    ) -> None:
        self._writing, self._reading = threads
        self._writer, self._reader = files
        self._courtesy = courtesy
        self._held_s: float | None = None
        self._end = self._read_to = 0
        self._tail = Tail()
        self.id = ""
        """What tells this log from any other: a position means nothing in another one."""
        self._news = asyncio.Event()
        self._was_read = asyncio.Event()
        self._looked_s = -POLL_S

    @classmethod
    async def open(cls, path: Path | str, max_bytes: int | None = None, courtesy: Courtesy = COURTEOUS) -> Self:
        """Open or make the file. `max_bytes`: it never grows beyond this; append raises Unavailable instead.

        Raises DamagedLog for a file that is no log or is damaged, Unavailable when it cannot be opened.
        """
        threads = (ThreadPoolExecutor(1, "log-writer"), ThreadPoolExecutor(1, "log-reader"))
        loop = asyncio.get_running_loop()
        try:
            writer = await loop.run_in_executor(threads[0], LogFile, Path(path), True, max_bytes)
            reader = await loop.run_in_executor(threads[1], LogFile, Path(path), False, max_bytes)
        except BaseException:
            for thread in threads:
                thread.shutdown(wait=False)
            raise
        log = cls(threads, (writer, reader), courtesy)
        log._end = await log._read(reader.end)
        log.id = await log._read(lambda: reader.id)
        return log

    async def _read(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reading, work)

    async def append(self, messages: Sequence[RawMessage]) -> None:
        """Make a batch durable, all or nothing. Raises Unavailable when it cannot (disk full)."""
        if not messages:
            return
        loop = asyncio.get_running_loop()
        parts = list(split(messages))
        end = await loop.run_in_executor(self._writing, self._writer.append, parts)
        first = end - len(messages)
        for part in parts:
            self._tail.add(Slice(PARTITION, first, tuple(part)))
            first += len(part)
        self._tell(end)
        await self._let_read()

    async def _let_read(self) -> None:
        """Let readers go first, see `Courtesy`."""
        courtesy, now_s = self._courtesy, asyncio.get_running_loop().time()
        if not self._crowded():
            self._held_s = None
            return
        if self._held_s is None:
            self._held_s = now_s
        if now_s - self._held_s >= courtesy.hold_s:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(courtesy.let_s):
                while self._crowded() and self._tail.holds(self._read_to):
                    self._was_read.clear()
                    await self._was_read.wait()

    def _crowded(self) -> bool:
        return self._end - self._read_to > self._courtesy.unread

    def _tell(self, end: int) -> None:
        if end > self._end:
            self._end = end
            self._news.set()
            self._news = asyncio.Event()

    async def read(self, position: Position, limit: int = 5000) -> Sequence[Slice]:
        """Whole batches as appended, so that every consumer gets the same slices; the first is cut at `position`."""
        start = position.get(PARTITION, 0)
        if recent := self._tail.read(start, limit):
            await asyncio.sleep(0)  # whoever reads in a loop must let others have their turn
            found = recent
        else:
            rows = await self._read(lambda: self._reader.read(start, limit))
            found = [Slice(PARTITION, first, messages) for first, messages in rows]
        if found and found[-1].end > self._read_to:
            self._read_to = found[-1].end
            self._was_read.set()
        return found

    async def wait(self, position: Position, timeout_s: float) -> bool:
        """Until there is something to read: at once for appends of this object, within POLL_S for those of others."""
        start = position.get(PARTITION, 0)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while self._end <= start:
            news, left = self._news, deadline - loop.time()
            try:
                async with asyncio.timeout(max(0.0, min(POLL_S, left))):
                    await news.wait()
            except TimeoutError:
                await self._look()
                if left <= POLL_S and self._end <= start:
                    return False
        return True

    async def _look(self) -> None:
        """See what another process has appended, unless another consumer has just done so."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._looked_s >= POLL_S / 2:
            self._looked_s = now_s
            self._tell(await self._read(self._reader.end))

    async def saved(self, consumer: str) -> Position:
        offset = await self._read(lambda: self._reader.saved(consumer))
        return {} if offset is None else {PARTITION: offset}

    async def save(self, consumer: str, position: Position) -> None:
        """After a power cut an older position may come back: what was saved last is then read again."""
        if PARTITION in position:
            await self._read(lambda: self._reader.save(consumer, position[PARTITION]))

    async def trim(self, consumers: Sequence[str]) -> int:
        """Drop whole batches in small steps between which others get their turn, and give pages back to the disk."""
        total = 0
        while dropped := await self._read(lambda: self._reader.trim(consumers)):
            total += dropped
        if total:
            self._tail.drop(await self._read(self._reader.first))
        await self._read(self._reader.give_back)
        return total

    async def end(self) -> Position:
        self._tell(await self._read(self._reader.end))
        return {PARTITION: self._end}

    async def backlog(self, consumer: str) -> int:
        return await self._read(lambda: self._reader.backlog(consumer))

    async def close(self) -> None:
        """End both connections; what was appended is safe with or without it."""
        loop = asyncio.get_running_loop()
        await self._read(self._reader.close)
        await loop.run_in_executor(self._writing, self._writer.close)
        self._reading.shutdown()
        self._writing.shutdown()
