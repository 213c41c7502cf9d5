"""From the durable log to the store. Each consumer goes its own way through the log, at its own pace.

MQTT --> log.append --> PUBACK
          |
          +--> Decoding --> StoreDrain --> store, dead letters      (this module)
          +--> Decoding --> rules --> alerts                        (citywarden.serve.judge)
"""

import asyncio
import logging
import random
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Protocol, TypeVar

from sqlalchemy.exc import OperationalError

from citywarden.columns import Columns, concat
from citywarden.log.contract import Log, Position, Slice
from citywarden.model.errors import Unavailable
from citywarden.model.message import DeadLetter, Reject
from citywarden.store.contract import Bulk, Refused, Written
from ingest.deadletters import DeadLetters
from ingest.decode import Decoded, Decoder
from ingest.registry import Registry

STORE_CONSUMER = "store"
MEMO_WORTH = 50_000
"""Decoded messages remembered so that the second consumer does not decode them again."""

SLICE_WORTH = 8
"""A slice, however short, takes as much memory as so many messages: its arrays cost more than what is in them."""

LONG_S = 60.0
FINISH_S = 2.0
"""How long a drain that is stopped goes on with what has come until then; the rest waits for the next start."""

LINGER_S = 0.5
"""A store write waits this long for company when little is coming in: writing one row costs as much as writing 500."""

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Decoding:
    """The decoder with its registry, shared by the `consumers` of one process: each slice is decoded once, and
    remembered until all of them have passed it.
    """

    def __init__(
        self, decoder: Decoder, registry: Registry, clock_ms: Callable[[], int], consumers: int = 2
    ) -> None:  # fmt: skip
        decoder.follow(registry.watch())
        decoder.expect(registry.placed())
        self._decoder = decoder
        self._registry = registry
        self._clock_ms = clock_ms
        self._memo: OrderedDict[tuple[int, int, int], Decoded] = OrderedDict()
        self._held = 0
        self._consumers = consumers
        self._passed: dict[str, Position] = {}
        self._refreshed_ms = 0
        self.unknown_fields: Counter[tuple[str, str]] = Counter()
        self.retained = 0

    def decode(self, part: Slice) -> Decoded:
        """Readings and dead letters of a slice; an unknown device makes the registry look again, at most 5 times/s."""
        key = (part.partition, part.first, part.end)
        decoded = self._memo.get(key)
        if decoded is not None:
            return decoded
        decoded = self._decoder.decode(part)
        try:
            if decoded.unknown_devices and abs(self._clock_ms() - self._refreshed_ms) >= 200:
                self._refreshed_ms = self._clock_ms()
                if self._registry.refresh()[0]:
                    decoded = self._decoder.decode(part)
            self._registry.flush()
        except OperationalError as error:
            # The registry in memory is as good as it gets meanwhile: nobody can register where this database is away.
            _log.warning("the registry's database does not answer: %s", error.orig)
        self.unknown_fields.update(decoded.unknown_fields)
        self.retained += decoded.retained
        self._memo[key] = decoded
        self._held += SLICE_WORTH + len(part.messages)
        while self._held > MEMO_WORTH and len(self._memo) > 1:
            self._forget_oldest()
        return decoded

    def passed(self, consumer: str, position: Position) -> None:
        """A consumer has done what lies before `position`; what all of them have done is forgotten."""
        self._passed[consumer] = dict(position)
        while self._memo and len(self._passed) >= self._consumers:
            partition, _, end = next(iter(self._memo))
            if any(end > done.get(partition, 0) for done in self._passed.values()):
                break
            self._forget_oldest()

    @property
    def remembered(self) -> int:
        """Slices that some consumer may still ask for."""
        return len(self._memo)

    def _forget_oldest(self) -> None:
        (_, first, end), _gone = self._memo.popitem(last=False)
        self._held -= SLICE_WORTH + end - first


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
        self, log: Log, decoding: Decoding, store: Writer, letters: DeadLetters, batch: int = 5000,
        backoff: Backoff | None = None,
    ) -> None:  # fmt: skip
        self._log = log
        self.decoding = decoding
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
        parts = await self._log.read(position, self._batch)
        if parts:
            await self._write(parts)
            position.update((part.partition, part.end) for part in parts)
            self.decoding.passed(STORE_CONSUMER, position)
            await self._until_done(partial(self._log.save, STORE_CONSUMER, position))
        return bool(parts)

    async def _wait(self, position: Position) -> None:
        """Until there is something to write, and company for it: a whole batch, or what comes in LINGER_S."""
        while not await self._log.wait(position, LONG_S):
            pass
        await self._log.wait({partition: offset + self._batch for partition, offset in position.items()}, LINGER_S)

    async def _write(self, parts: Sequence[Slice]) -> None:
        decoded = [self.decoding.decode(part) for part in parts]
        await self._bury([letter for one in decoded for letter in one.dead])
        for attempt in self._attempts(decoded):
            written = await self._until_done(attempt)
            self.stored += written.new
            self.known += written.known
            await self._bury([letter for one in written.refused for letter in self._trace(parts, one)])

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
                alone = self.decoding.decode(Slice(part.partition, part.first + i, (message,)))
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


def by_kind(decoded: Sequence[Decoded]) -> list[Columns]:
    """The readings of several slices, one batch a kind."""
    parts: dict[str, list[Columns]] = {}
    for one in decoded:
        for batch in one.columns:
            parts.setdefault(batch.kind.name, []).append(batch)
    return [concat(batches) for batches in parts.values()]


def position_of(parts: Sequence[Slice], position: Position) -> Position:
    """The position after having read `parts` from `position`."""
    return {**position, **{part.partition: part.end for part in parts}}
