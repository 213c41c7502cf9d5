"""The log as its consumers read it: decoded, each slice once, however far one of them is ahead of the others.

log --> Decoder --> who is first decodes ... [ what others still need ] ... who comes later finds it here
"""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from sqlalchemy.exc import OperationalError

from citywarden.columns import Columns, concat
from citywarden.log.contract import Log, Position, Slice
from citywarden.model.errors import CitywardenError
from citywarden.model.message import RawMessage
from ingest.decode import Decoded, Decoder
from ingest.registry import Registry

HELD_BYTES = 24 * 1024 * 1024
"""Decoded messages kept for who comes later: some 250,000. What does not fit any more is decoded again by him."""

REFRESH_MS = 200
"""An unknown device makes the registry look again, but not more often."""

_log = logging.getLogger(__name__)


class Part(Protocol):
    """A piece of the log, raw or decoded."""

    @property
    def partition(self) -> int: ...

    @property
    def end(self) -> int: ...


class Feed:
    """What the log brings, for the `consumers` of one process. Each goes at its own pace and says what it has passed.

    `unknown_fields`, `retained`: see `Decoded`, counted when a slice is decoded for the first time.
    """

    def __init__(
        self, log: Log, decoder: Decoder, registry: Registry, clock_ms: Callable[[], int], consumers: int = 2,
        held_bytes: int = HELD_BYTES,
    ) -> None:  # fmt: skip
        decoder.follow(registry.watch())
        decoder.expect(registry.placed())
        self.log = log
        self._decoder = decoder
        self._registry = registry
        self._clock_ms = clock_ms
        self._kept: OrderedDict[tuple[int, int], tuple[Decoded, int]] = OrderedDict()
        self._held = 0
        self._most = held_bytes
        self._consumers = consumers
        self._passed: dict[str, Position] = {}
        self._refreshed_ms = 0
        self.unknown_fields: Counter[tuple[str, str]] = Counter()
        self.retained = 0

    async def read(self, consumer: str, position: Position, limit: int, span_ms: int | None = None) -> list[Decoded]:
        """Slices from `position` on, about `limit` messages in all; nothing where the log ends. `span_ms`: after the
        first only such as came within that time of its first message. Others get their turn between two slices.
        """
        found, count = self._recall(position, limit, span_ms), 0
        if found:
            await asyncio.sleep(0)
            return found
        for part in await self.log.read(position, limit):
            if found and not within(found[0], part.messages[-1].received_ms, span_ms):
                break
            found.append(self._take(consumer, part))
            count += len(part.messages)
            if count >= limit:
                break
            await asyncio.sleep(0)
        return found

    def _recall(self, position: Position, limit: int, span_ms: int | None) -> list[Decoded]:
        """What somebody else has decoded already, without a hole."""
        found: list[Decoded] = []
        for partition, start in position.items():
            at = start
            while limit > 0 and (kept := self._kept.get((partition, at))) is not None:
                one = kept[0]
                if found and not within(found[0], one.newest_ms, span_ms):
                    return found
                found.append(one)
                at = one.end
                limit -= one.end - one.first
        return found

    def _take(self, consumer: str, part: Slice) -> Decoded:
        """Decode, and keep it where somebody else still needs it and there is room."""
        decoded = self.decode(part)
        others = [done for name, done in self._passed.items() if name != consumer]
        if all(done.get(part.partition, 0) <= part.first for done in others):
            self.unknown_fields.update(decoded.unknown_fields)
            self.retained += decoded.retained
        key, size = (part.partition, part.first), decoded.nbytes
        needed = len(others) + 1 < self._consumers or any(done.get(part.partition, 0) < part.end for done in others)
        if needed and key not in self._kept and (self._held + size <= self._most or not self._kept):
            self._kept[key] = (decoded, size)
            self._held += size
        return decoded

    def decode(self, part: Slice) -> Decoded:
        """Readings and dead letters of raw messages. An unknown device makes the registry look again."""
        decoded = self._decoder.decode(part)
        try:
            if decoded.unknown_devices and abs(self._clock_ms() - self._refreshed_ms) >= REFRESH_MS:
                self._refreshed_ms = self._clock_ms()
                if self._registry.refresh()[0]:
                    decoded = self._decoder.decode(part)
            self._registry.flush()
        except OperationalError as error:
            # The registry in memory is as good as it gets meanwhile: nobody can register where this database is away.
            _log.warning("the registry's database does not answer: %s", error.orig)
        return decoded

    async def raw(self, part: Decoded) -> Slice:
        """The messages of a slice that not everybody has passed yet. Raises CitywardenError when they are gone."""
        messages: list[RawMessage] = []
        while (at := part.first + len(messages)) < part.end:
            read = await self.log.read({part.partition: at}, part.end - at)
            more = [message for one in read if one.partition == part.partition for message in one.messages]
            if not more:
                raise CitywardenError(f"the log has no messages from {at} on any more, expected them to {part.end}")
            messages += more[: part.end - at]
        return Slice(part.partition, part.first, tuple(messages))

    def passed(self, consumer: str, position: Position) -> None:
        """A consumer has done what lies before `position`; what all of them have done is forgotten."""
        self._passed[consumer] = dict(position)
        while self._kept and len(self._passed) >= self._consumers:
            key, (oldest, size) = next(iter(self._kept.items()))
            if any(oldest.end > done.get(oldest.partition, 0) for done in self._passed.values()):
                break
            del self._kept[key]
            self._held -= size

    @property
    def remembered(self) -> int:
        """Slices that some consumer may still ask for."""
        return len(self._kept)


def within(first: Decoded, newest_ms: int, span_ms: int | None) -> bool:
    """Whether what came last came at most `span_ms` after the first message of `first`; None: any time."""
    return span_ms is None or newest_ms <= first.oldest_ms + span_ms


def by_kind(decoded: Sequence[Decoded]) -> list[Columns]:
    """The readings of several slices, one batch a kind."""
    parts: dict[str, list[Columns]] = {}
    for one in decoded:
        for batch in one.columns:
            parts.setdefault(batch.kind.name, []).append(batch)
    return [concat(batches) for batches in parts.values()]


def position_of(parts: Sequence[Part], position: Position) -> Position:
    """The position after having read `parts` from `position`."""
    return {**position, **{part.partition: part.end for part in parts}}
