"""The store contract on one DuckDB file."""
# ruff: noqa: S608 (names in the SQL are quoted and come from the kinds, values are parameters)

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from citywarden.columns import Columns, Reading
from citywarden.model.device import DeviceKey
from citywarden.model.errors import Unavailable
from citywarden.model.kind import Kind, Kinds
from citywarden.store.contract import Buckets, Fold, Point, Written
from citywarden.store.embedded import points, reading, writing
from citywarden.store.embedded.book import Book
from citywarden.store.embedded.file import Connection, DuckFile
from citywarden.store.embedded.tables import copy_to, make, readings
from citywarden.store.schema import MEASUREMENTS, kind_of

MEMORY_LIMIT_MB = 512
FOLD_ROWS = 2_000_000
"""After so many readings of a kind its newest values are folded, so that a start reads no more than about these."""


def default_threads() -> int:
    """Half of the processors: the rest of the server wants some, and small writes are faster with one."""
    return max(1, (os.cpu_count() or 1) // 2)


class EmbeddedStore:
    """A `Store` in one DuckDB file, which one process at a time may open. Get one with `open`."""

    def __init__(self, path: Path, kinds: Kinds, memory_limit_mb: int, threads: int, fold_rows: int) -> None:
        self._kinds = kinds
        self._file = DuckFile(path, self._prepare, memory_limit_mb, threads)
        self._fold_rows = fold_rows
        self._book: Book | None = None
        self._tending = asyncio.Lock()
        self._folds: dict[str, asyncio.Task[None]] = {}

    @classmethod
    async def open(
        cls,
        path: Path,
        kinds: Kinds,
        *,
        memory_limit_mb: int = MEMORY_LIMIT_MB,
        threads: int | None = None,
        fold_rows: int = FOLD_ROWS,
    ) -> "EmbeddedStore":
        """Open or make the file, and add columns for fields that are new in the kinds.

        Raises Unavailable when another process has it open, CitywardenError when it is no store of ours.
        """
        store = cls(path, kinds, memory_limit_mb, threads or default_threads(), fold_rows)
        await store._file.open()
        return store

    def _prepare(self, connection: Connection) -> None:
        make(connection, self._kinds)
        self._book = Book(connection, self._kinds)

    def _written(self) -> Book:
        """The book; jobs run only after `_prepare`."""
        if self._book is None:
            raise Unavailable("the store is not open")
        return self._book

    async def write(self, batch: Columns) -> Written:
        kind = kind_of(self._kinds, batch.kind.name)
        written = await self._file.write(lambda c: writing.write(c, self._written(), batch))
        if self._written().unfolded[kind.name] >= self._fold_rows and kind.name not in self._folds:
            task = self._folds[kind.name] = asyncio.create_task(self._fold_aside(kind))
            task.add_done_callback(lambda _: self._folds.pop(kind.name, None))
        return written

    async def write_points(self, rows: Sequence[Point]) -> None:
        await self._file.write(lambda c: points.write(c, rows))

    async def points(
        self, measurement: str, start_ms: int, stop_ms: int, tags: Mapping[str, str] | None = None
    ) -> Sequence[Point]:
        return await self._file.read(lambda c: points.find(c, measurement, start_ms, stop_ms, tags))

    async def series(self, key: DeviceKey, start_ms: int, stop_ms: int, limit: int = 10_000) -> Sequence[Reading]:
        kind = kind_of(self._kinds, key.kind)
        return await self._file.read(lambda c: reading.series(c, kind, key, (start_ms, stop_ms), limit))

    async def latest(self, kind: str, tenant: str | None = None) -> Columns:
        found = kind_of(self._kinds, kind)
        return await self._file.read(lambda c: reading.latest(c, found, tenant))

    async def window(
        self, kind: str, start_ms: int, stop_ms: int, devices: Sequence[DeviceKey] | None = None
    ) -> Columns:
        found = kind_of(self._kinds, kind)
        return await self._file.read(lambda c: reading.window(c, found, start_ms, stop_ms, devices))

    async def aggregate(
        self, kind: str, field: str, start_ms: int, stop_ms: int, every_ms: int, fold: Fold, by: str = ""
    ) -> Sequence[Buckets]:
        found = kind_of(self._kinds, kind)
        between = (start_ms, stop_ms)
        return await self._file.read(lambda c: reading.aggregate(c, found, field, between, every_ms, fold, by))

    async def count(self, kind: str) -> int:
        """Readings stored of a kind, or points of another measurement."""
        if kind in MEASUREMENTS:
            return await self._file.read(lambda c: points.count(c, kind))
        table = readings(kind_of(self._kinds, kind).name)
        return await self._file.read(lambda c: int(c.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]))

    async def trim(self, kind: str, before_ms: int) -> int:
        """Drop readings (or points of another measurement) older than `before_ms`; `latest` still knows the devices."""
        if kind in MEASUREMENTS:
            return await self._file.write(lambda c: points.trim(c, kind, before_ms))
        found = kind_of(self._kinds, kind)
        steps = await self._file.read(lambda c: writing.trim_steps(c, found, before_ms))
        if not steps:
            return 0
        await self._fold(found)
        return sum([await self._file.write(partial(writing.trim, kind=found, before_ms=step)) for step in steps])

    async def copy_to(self, target: Path) -> None:
        """Write all there is at this moment into a new file, while writes go on."""
        await self._file.read(partial(copy_to, target=target))

    async def _fold(self, kind: Kind) -> None:
        async with self._tending:
            self._written().unfolded[kind.name] = 0
            await self._file.tend(partial(writing.fold, kind=kind))

    async def _fold_aside(self, kind: Kind) -> None:
        """Fold while writes go on; when it cannot be done now, the next start reads more and it is tried again."""
        with suppress(Unavailable):
            await self._fold(kind)

    async def close(self) -> None:
        """End the running write, give up reads, close the file. May be called twice."""
        await self._file.close()
        await asyncio.gather(*self._folds.values(), return_exceptions=True)
