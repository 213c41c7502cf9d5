"""The dead letters: what was refused, with its reason and its raw bytes, so that nothing is dropped silently."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import OperationalError

from citywarden.database import metadata
from citywarden.model.errors import Unavailable
from citywarden.model.message import DeadLetter, RawMessage, Reject

dead_letters = Table(
    "dead_letter",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("item", Integer, nullable=False),
    Column("topic", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("received_ms", BigInteger, nullable=False, index=True),
    Column("reason", String(32), nullable=False, index=True),
    Column("detail", Text, nullable=False),
    Column("replayed_ms", BigInteger),
)
_TRIM_EVERY = 1000


class DeadLetters:
    """Keeps at most `limit` letters of `limit_bytes` in all, the oldest go first; writing the same letter twice keeps
    one.
    """

    def __init__(self, engine: Engine, limit: int, limit_bytes: int = 1 << 30) -> None:
        self._engine = engine
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._since_trim = 0
        self._bytes_since_trim = 0

    def add(self, letters: Sequence[DeadLetter]) -> int:
        """Write letters in one transaction; returns how many were new. Raises Unavailable when that fails."""
        if not letters:
            return 0
        try:
            return self._add(letters)
        except OperationalError as error:
            raise Unavailable(f"the dead letters cannot be written: {error.orig}") from error

    def _add(self, letters: Sequence[DeadLetter]) -> int:
        c = dead_letters.c
        low, high = min(one.offset for one in letters), max(one.offset for one in letters)
        with self._engine.begin() as connection:
            query = select(c.partition, c.offset, c.item, c.received_ms).where(c.offset.between(low, high))
            known = {tuple(row) for row in connection.execute(query)}
            fresh = [x for x in letters if (x.partition, x.offset, x.item, x.received_ms) not in known]
            if fresh:
                connection.execute(insert(dead_letters), [_row(letter) for letter in fresh])
            self._since_trim += len(fresh)
            self._bytes_since_trim += sum(len(letter.payload) for letter in fresh)
            if self._since_trim >= _TRIM_EVERY or self._bytes_since_trim >= self._limit_bytes // 16:
                self._since_trim = self._bytes_since_trim = 0
                self._trim(connection)
        return len(fresh)

    def _trim(self, connection: Connection) -> None:
        c = dead_letters.c
        newest = connection.execute(select(func.max(c.id))).scalar_one()
        connection.execute(delete(dead_letters).where(c.id <= newest - self._limit))
        held = 0
        for number, size in connection.execute(select(c.id, func.length(c.payload)).order_by(c.id.desc())):
            held += size
            if held > self._limit_bytes:
                connection.execute(delete(dead_letters).where(c.id <= number))
                break

    def find(
        self, reason: str | None = None, limit: int = 100, before: int | None = None, replayed: bool = False
    ) -> list[tuple[int, DeadLetter]]:
        """(id, letter), newest first; `before` an id. Replayed letters only with `replayed`."""
        c = dead_letters.c
        query = select(dead_letters).order_by(c.id.desc()).limit(limit)
        if reason is not None:
            query = query.where(c.reason == reason)
        if before is not None:
            query = query.where(c.id < before)
        if not replayed:
            query = query.where(c.replayed_ms.is_(None))
        with self._engine.connect() as connection:
            return [
                (
                    row.id,
                    DeadLetter(
                        row.partition, row.offset, row.item, row.topic, bytes(row.payload), row.received_ms,
                        Reject(row.reason), row.detail,
                    ),
                )
                for row in connection.execute(query)
            ]  # fmt: skip

    def counts(self) -> dict[str, int]:
        """Letters that wait, by reason."""
        c = dead_letters.c
        query = select(c.reason, func.count()).where(c.replayed_ms.is_(None)).group_by(c.reason)
        with self._engine.connect() as connection:
            return {str(reason): int(count) for reason, count in connection.execute(query)}

    def messages(self, ids: Sequence[int]) -> list[RawMessage]:
        """The messages of these letters, each once even when several of its items were refused, oldest first."""
        with self._engine.connect() as connection:
            rows = [row for part in _parts(ids) for row in connection.execute(_chosen(part))]
        unique = {(r.partition, r.offset, r.received_ms): r for r in sorted(rows, key=lambda row: -row.id)}
        ordered = sorted(unique.values(), key=lambda row: row.id)
        return [RawMessage(row.topic, bytes(row.payload), row.received_ms) for row in ordered]

    def mark_replayed(self, ids: Sequence[int], now_ms: int) -> None:
        """Mark letters, and the other letters of the same messages. Call it once the log has the messages."""
        c = dead_letters.c
        with self._engine.begin() as connection:
            rows = [row for part in _parts(ids) for row in connection.execute(_chosen(part))]
            for partition, offset, received_ms in {(r.partition, r.offset, r.received_ms) for r in rows}:
                same = and_(c.partition == partition, c.offset == offset, c.received_ms == received_ms)
                connection.execute(update(dead_letters).where(same).values(replayed_ms=now_ms))


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + 500] for start in range(0, len(ids), 500))


def _chosen(ids: Sequence[int]) -> Select[tuple[Any, ...]]:
    c = dead_letters.c
    return select(dead_letters).where(c.id.in_(ids), c.replayed_ms.is_(None))


def _row(letter: DeadLetter) -> dict[str, object]:
    return {
        "partition": letter.partition,
        "offset": letter.offset,
        "item": letter.item,
        "topic": letter.topic,
        "payload": letter.payload,
        "received_ms": letter.received_ms,
        "reason": str(letter.reason),
        "detail": letter.detail,
    }
