"""One connection to a log file: SQLite, blocking. `citywarden.log.sqlite` runs it in threads.

batch     first offset | messages | block (see framing)       one row per appended batch
consumer  name | offset of the next message it needs
tail      the lowest offset the next message may have: keeps offsets rising when everything was dropped
"""

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from citywarden.log.framing import pack, unpack
from citywarden.model.errors import CitywardenError, Unavailable
from citywarden.model.message import RawMessage

SCHEMA_VERSION = 1
PAGE_BYTES = 8192
ROW_MESSAGES = 5000
ROW_BYTES = 8 * 1024 * 1024
READ_BYTES = 32 * 1024 * 1024
"""A read ends after this much, however few messages that is."""
BUSY_TIMEOUT_S = 10.0
TRIM_ROWS = 100
VACUUM_PAGES = 512
VACUUM_MIN_FREE_PAGES = 2048
"""Free pages are kept for the next batches; only what is beyond this (16 MiB) goes back to the disk."""

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PASSING = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
)
_SCHEMA = (
    "CREATE TABLE batch (first INTEGER PRIMARY KEY, messages INTEGER NOT NULL, block BLOB NOT NULL) STRICT",
    "CREATE TABLE consumer (name TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT",
    "CREATE TABLE tail (one INTEGER PRIMARY KEY CHECK (one = 1), next INTEGER NOT NULL) STRICT",
    "INSERT INTO tail VALUES (1, 0)",
    f"PRAGMA user_version={SCHEMA_VERSION}",
)
_END = "SELECT max(next, coalesce((SELECT first + messages FROM batch ORDER BY first DESC LIMIT 1), 0)) FROM tail"


class DamagedLog(CitywardenError):
    """The file is not a log, was made by a newer version, or its content is damaged. Trying again does not help."""


class LogFile:
    """A connection, to be used by one thread at a time. Every method may raise Unavailable or DamagedLog."""

    def __init__(self, path: Path, durable: bool, max_bytes: int | None = None) -> None:
        """`durable`: commits survive a power cut. Otherwise only a crash of the program; fit for what can be redone."""
        self._path = path
        with self._errors():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(OSError):  # what is wrong is said by SQLite
                path.touch(mode=0o600)
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(durable, max_bytes)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, durable: bool, max_bytes: int | None) -> None:
        for pragma in (f"page_size={PAGE_BYTES}", "auto_vacuum=INCREMENTAL", "journal_mode=WAL"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        self._db.execute("PRAGMA wal_autocheckpoint=4000")
        self._db.execute("PRAGMA journal_size_limit=67108864")
        if max_bytes is not None:
            page = self._number("PRAGMA page_size")
            self._db.execute(f"PRAGMA max_page_count={max(1, max_bytes // page)}")
        with self._transaction():
            version = self._number("PRAGMA user_version")
            if version == 0:
                for statement in _SCHEMA:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id={secrets.randbelow(2**31 - 1) + 1}")
            elif version != SCHEMA_VERSION:
                raise DamagedLog(f"{self._path}: log of version {version}, this program knows {SCHEMA_VERSION}")

    @property
    def id(self) -> str:
        """What tells this log from any other, "" for one that was made before logs had one."""
        with self._errors():
            number = self._number("PRAGMA application_id")
        return f"{number:08x}" if number else ""

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """SQLite's errors in the words of this house."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _DAMAGED:
                raise DamagedLog(
                    f"{self._path}: damaged ({error}): move it away, or restore it, and start again"
                ) from error
            if code in _PASSING:
                raise Unavailable(f"log {self._path}: {error}") from error
            raise
        except OSError as error:
            raise Unavailable(f"log {self._path}: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, the only writer meanwhile."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _number(self, query: str, *arguments: object) -> int:
        value = self._db.execute(query, arguments).fetchone()[0]
        return int(value)

    def append(self, parts: Sequence[Sequence[RawMessage]]) -> int:
        """Write a batch, each part (see `split`) as a row; returns the offset after it. Durable on return when the
        connection is.
        """
        blocks = [(len(part), pack(part)) for part in parts]
        with self._errors(), self._transaction():
            end = self._number(_END)
            for count, block in blocks:
                self._db.execute("INSERT INTO batch VALUES (?, ?, ?)", (end, count, block))
                end += count
        return end

    def read(self, start: int, limit: int) -> list[tuple[int, tuple[RawMessage, ...]]]:
        """(first offset, messages) of the batches from `start` on, the first cut at `start`, about `limit` in all."""
        found: list[tuple[int, tuple[RawMessage, ...]]] = []
        count = size = 0
        with self._errors():
            rows = self._db.execute(
                "SELECT first, block FROM batch WHERE first >= "
                "coalesce((SELECT first FROM batch WHERE first <= ? ORDER BY first DESC LIMIT 1), 0) ORDER BY first",
                (start,),
            )
            try:
                for first, block in rows:
                    passed = max(0, start - first)
                    messages = self._unpack(first, block)[passed:]
                    if messages:
                        found.append((first + passed, messages))
                    count += len(messages)
                    size += len(block)
                    if count >= limit or size >= READ_BYTES:
                        break
            finally:
                rows.close()
        return found

    def _unpack(self, first: int, block: bytes) -> tuple[RawMessage, ...]:
        try:
            return unpack(block)
        except ValueError as error:
            raise DamagedLog(f"{self._path}: batch at offset {first}: {error}") from error

    def end(self) -> int:
        """Offset after the newest message."""
        with self._errors():
            return self._number(_END)

    def first(self) -> int:
        """Offset of the oldest message that is still here, or of the next one where there is none."""
        with self._errors():
            return self._number("SELECT coalesce(min(first), ?) FROM batch", self._number(_END))

    def backlog(self, consumer: str) -> int:
        """Messages still here that the consumer has not passed."""
        with self._errors():
            return max(0, self._number(_END) - max(self.saved(consumer) or 0, self.first()))

    def saved(self, consumer: str) -> int | None:
        """What `save` remembered, or None."""
        with self._errors():
            row = self._db.execute("SELECT next FROM consumer WHERE name = ?", (consumer,)).fetchone()
        return None if row is None else int(row[0])

    def save(self, consumer: str, offset: int) -> None:
        """Remember the consumer's offset; a lower one than before changes nothing."""
        with self._errors():
            self._db.execute(
                "INSERT INTO consumer VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET next = max(next, excluded.next)",
                (consumer, offset),
            )

    def trim(self, consumers: Sequence[str]) -> int:
        """Drop up to TRIM_ROWS batches that all have passed; returns how many messages that were."""
        with self._errors(), self._transaction():
            passed = [self.saved(consumer) for consumer in consumers]
            if not passed or None in passed:
                return 0
            low = min(offset for offset in passed if offset is not None)
            rows = self._db.execute(
                "SELECT first, messages FROM batch WHERE first + messages <= ? ORDER BY first LIMIT ?", (low, TRIM_ROWS)
            ).fetchall()
            if not rows:
                return 0
            first, messages = rows[-1]
            self._db.execute("UPDATE tail SET next = max(next, ?)", (first + messages,))
            self._db.execute("DELETE FROM batch WHERE first <= ?", (first,))
            return sum(int(row[1]) for row in rows)

    def give_back(self) -> None:
        """Return some of the free pages to the disk, where there are many."""
        with self._errors():
            free = self._number("PRAGMA freelist_count") - VACUUM_MIN_FREE_PAGES
            if free > 0:
                # A page a step, rows without columns: only a script is stepped to its end.
                self._db.executescript(f"PRAGMA incremental_vacuum({min(free, VACUUM_PAGES)})")

    def close(self) -> None:
        with self._errors():
            self._db.close()


def split(messages: Sequence[RawMessage]) -> Iterator[Sequence[RawMessage]]:
    """Parts of a batch that fit a row: at most ROW_MESSAGES, and not much more than ROW_BYTES."""
    if 0 < len(messages) <= ROW_MESSAGES and sum([len(message.payload) for message in messages]) <= ROW_BYTES:
        yield messages
        return
    start = size = 0
    for i, message in enumerate(messages):
        if i > start and (i - start == ROW_MESSAGES or size >= ROW_BYTES):
            yield messages[start:i]
            start, size = i, 0
        size += len(message.payload)
    if start < len(messages):
        yield messages[start:]
