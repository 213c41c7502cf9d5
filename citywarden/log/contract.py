"""The durable log: the commit point of ingestion. Raw messages, before any decoding.

A log has one or more partitions; a device's messages are all in one of them, in order of arrival. There is no order
across partitions, and a consumer may be one of several processes, so what consumes goes by event time.
Append is durable when it returns. Each consumer keeps its own offset, and retention drops what all have passed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from citywarden.model.message import RawMessage

Position = Mapping[int, int]
"""Partition -> offset of the next message to read. A partition that is missing starts at its first message."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive messages of one partition; `messages[i]` has offset `first + i`."""

    partition: int
    first: int
    messages: tuple[RawMessage, ...]

    @property
    def end(self) -> int:
        """Offset after the last message."""
        return self.first + len(self.messages)


class Log(Protocol):
    """What Apache Kafka, or one SQLite file, can be. `id` tells this log from any other, "" where it has none."""

    @property
    def id(self) -> str: ...

    async def append(self, messages: Sequence[RawMessage]) -> None:
        """Make a batch durable, all or nothing. Raises Unavailable when it cannot (disk full)."""

    async def read(self, position: Position, limit: int = 5000) -> Sequence[Slice]:
        """Messages from `position` on: at least one slice when there is any, about `limit` messages in all."""

    async def wait(self, position: Position, timeout_s: float) -> bool:
        """Until there is something to read at `position` (True) or the time has passed (False)."""

    async def saved(self, consumer: str) -> Position:
        """The position a consumer saved last; empty when it never did."""

    async def save(self, consumer: str, position: Position) -> None:
        """Remember that `consumer` needs nothing before `position` any more. Never moves back."""

    async def trim(self, consumers: Sequence[str]) -> int:
        """Drop what every one of `consumers` has passed; returns how many messages were dropped."""

    async def end(self) -> Position:
        """Position after the newest message of each partition."""

    async def backlog(self, consumer: str) -> int:
        """How many messages the consumer has not passed yet."""

    async def close(self) -> None: ...


def reader_of(consumer: str, log: Log) -> str:
    """The consumer's name where positions of several logs are kept: an offset means nothing in another log."""
    return f"{consumer}@{log.id}" if log.id else consumer
