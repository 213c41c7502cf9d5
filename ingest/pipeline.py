"""From the durable log to the store. Each consumer goes its own way through the log, at its own pace.

MQTT --> log.append --> PUBACK
          |
          +--> Feed --> StoreDrain --> store, dead letters      (this module)
          +--> Feed --> rules --> alerts                        (citywarden.serve.judge)
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Protocol, TypeVar

from citywarden.columns import Columns
from citywarden.log.contract import Position, Slice
from citywarden.model.errors import Unavailable
from citywarden.model.message import DeadLetter, Reject
from citywarden.store.contract import Bulk, Refused, Written
from ingest.deadletters import DeadLetters
from ingest.decode import Decoded
from ingest.feed import Feed, by_kind, position_of

STORE_CONSUMER = "store"
LONG_S = 60.0
FINISH_S = 2.0
"""How long a drain that is stopped goes on with what has come until then; the rest waits for the next start."""

LINGER_S = 0.5
"""A store write waits this long for company when little is coming in: writing one row costs as much as writing 500."""

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Backoff:
    """Waiting times that double from 0.25 s to 30 s, with jitter; a server's own wish (Retry-After) is kept."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self._tries = 0

    def reset(self) -> None:
        self._tries = 0

    async def wait(self, error: Exception) -> None:
        """Wait before the next try."""
        delay = min(30.0, 0.25 * 2.0**self._tries) * random.uniform(0.5, 1.0)
        self._tries = min(self._tries + 1, 10)
        wish = getattr(error, "retry_after_s", None)
        await self._sleep(max(delay, wish or 0.0))


class Writer(Protocol):
    """The part of a store that the drain needs."""

    async def write(self, batch: Columns) -> Written:
        """See `Store.write`."""


class StoreDrain:
    """Writes the log's readings into the store and its refusals into the dead letters, for as long as it takes.

    The offset moves only after both have it; a store that is down delays this consumer and nothing else.
    """

    def __init__(
        self, feed: Feed, store: Writer, letters: DeadLetters, batch: int = 5000, backoff: Backoff | None = None
    ) -> None:
        self._feed = feed
        self._log = feed.log
        self._store = store
        self.letters = letters
        self._batch = batch
        self._backoff = backoff or Backoff()
        self.trouble: str | None = None
        self.stored = 0
        self.known = 0
        self.dead: Counter[str] = Counter()

    async def run(self) -> None:
        """Until cancelled; what has come until then is written first, if the store takes it within FINISH_S."""
        position = dict(await self._log.saved(STORE_CONSUMER))
        try:
            while True:
                if not await self._step(position):
                    await self._wait(position)
        except asyncio.CancelledError:
            await self._finish(position)
            raise

    async def _finish(self, position: dict[int, int]) -> None:
        try:
            async with asyncio.timeout(FINISH_S):
                while await self._step(position):
                    pass
        except TimeoutError:
            pass
        except Exception:  # being stopped goes on whatever happens
            _log.exception("the last messages wait in the log for the next start")

    async def _step(self, position: dict[int, int]) -> bool:
        """Write a batch and move the position past it; False where there is nothing."""
        parts = await self._feed.read(STORE_CONSUMER, position, self._batch)
        if parts:
            await self._write(parts)
            position.update(position_of(parts, position))
            self._feed.passed(STORE_CONSUMER, position)
            await self._until_done(partial(self._log.save, STORE_CONSUMER, position))
        return bool(parts)

    async def _wait(self, position: Position) -> None:
        """Until there is something to write, and company for it: a whole batch, or what comes in LINGER_S."""
        while not await self._log.wait(position, LONG_S):
            pass
        await self._log.wait({partition: offset + self._batch for partition, offset in position.items()}, LINGER_S)

    async def _write(self, parts: Sequence[Decoded]) -> None:
        await self._bury([letter for part in parts for letter in part.dead])
        for attempt in self._attempts(parts):
            written = await self._until_done(attempt)
            self.stored += written.new
            self.known += written.known
            if written.refused:
                raw = [await self._feed.raw(part) for part in parts]
                await self._bury([letter for one in written.refused for letter in self._trace(raw, one)])

    def _attempts(self, decoded: Sequence[Decoded]) -> list[Callable[[], Awaitable[Written]]]:
        """What to call, again and again until it is done: one write where the store takes all kinds, else one each."""
        if isinstance(self._store, Bulk):
            batches = [batch for one in decoded for batch in one.columns]
            return [partial(self._store.write_all, batches)] if batches else []
        return [partial(self._store.write, batch) for batch in by_kind(decoded)]

    async def _bury(self, letters: Sequence[DeadLetter]) -> None:
        if not letters:
            return
        added: int = await self._until_done(partial(asyncio.to_thread, self.letters.add, letters))
        if added:
            self.dead.update(str(letter.reason) for letter in letters)

    def _trace(self, parts: Sequence[Slice], refused: Refused) -> Iterator[DeadLetter]:
        """The message that a refused reading came in, as a dead letter with the store's words."""
        reading = refused.reading
        prefix = f"city/{reading.device.tenant}/{reading.device.kind}/{reading.device.id}/"
        for part in parts:
            for i, message in enumerate(part.messages):
                if not message.topic.startswith(prefix):
                    continue
                alone = self._feed.decode(Slice(part.partition, part.first + i, (message,)))
                if any(reading.ts_ms in batch.ts_ms for batch in alone.columns):
                    where = (part.partition, part.first + i, -1, message.topic, message.payload, message.received_ms)
                    yield DeadLetter(*where, Reject.REJECTED_BY_STORE, refused.words)

    async def _until_done(self, attempt: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                done = await attempt()
            except Unavailable as error:
                if self.trouble is None:
                    _log.warning("the store falls behind: %s; readings wait in the log", error)
                self.trouble = str(error)
                await self._backoff.wait(error)
            else:
                self.trouble = None
                self._backoff.reset()
                return done
