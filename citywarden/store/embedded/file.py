"""One DuckDB file: a single writing thread, a few reading ones, and a fresh start after an error.

write(job): one thread, one transaction a job. read(job), tend(job): own threads and cursors, which see what is
committed and never wait for a write. After an error of a write all connections are dropped, and the next call opens
the file again, so that nothing in memory can differ from what is on the disk.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import duckdb

from citywarden.model.errors import CitywardenError, Occupied, Unavailable

Connection = duckdb.DuckDBPyConnection
T = TypeVar("T")

READERS = 3
"""Reads and tending that run at the same time; more wait."""

_OFFLINE = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
_open_files: set[Path] = set()
_open_files_guard = threading.Lock()


class DuckFile:
    """Runs jobs on a DuckDB file off the event loop. `prepare` is run after each opening, in the writing thread."""

    def __init__(self, path: Path, prepare: Callable[[Connection], None], memory_limit_mb: int, threads: int) -> None:
        self._path = path.absolute()
        self._prepare = prepare
        self._memory_limit_mb = memory_limit_mb
        self._threads = threads
        self._root: Connection | None = None
        self._claimed = False
        self._closed = False
        self._lent: set[Connection] = set()
        self._guard = threading.Condition()
        self._writer = ThreadPoolExecutor(1, "store-write")
        self._readers = ThreadPoolExecutor(READERS, "store-read")

    async def open(self) -> None:
        """Raises Unavailable when another process has the file, CitywardenError when it cannot be used at all."""
        self._claim()
        try:
            await self._submit(self._writer, self._open)
        except BaseException:
            await self.close()
            raise

    async def write(self, job: Callable[[Connection], T]) -> T:
        """Run `job` in a transaction; it is durable when this returns. Raises Unavailable."""
        return await self._submit(self._writer, partial(self._run_write, job))

    async def read(self, job: Callable[[Connection], T]) -> T:
        """Run `job` on what is committed, not waiting for a write. Raises Unavailable."""
        if self._root is None and not self._closed:
            await self._submit(self._writer, self._reopen)
        return await self._submit(self._readers, partial(self._run_read, job))

    async def tend(self, job: Callable[[Connection], T]) -> T:
        """Run `job` in a transaction beside the writes: it must not touch a table that `write` touches too."""

        def transaction(cursor: Connection) -> T:
            cursor.begin()
            result = job(cursor)
            cursor.commit()
            return result

        return await self.read(transaction)

    async def close(self) -> None:
        """Let the running write end, interrupt reads, close the file. May be called twice."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._writer, self._discard)
        self._writer.shutdown()
        self._readers.shutdown()
        if self._claimed:
            with _open_files_guard:
                _open_files.discard(self._path)

    async def _submit(self, pool: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        if self._closed:
            raise Unavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(pool, call)

    def _claim(self) -> None:
        with _open_files_guard:
            if self._path in _open_files:
                raise Unavailable(f"{self._path}: this process has the store open already")
            _open_files.add(self._path)
            self._claimed = True

    def _open(self) -> Connection:
        """Open and prepare. The memory limit is set afterwards, so that it cannot keep a long WAL from being read."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            root = duckdb.connect(self._path, config={"threads": self._threads, **_OFFLINE})
        except (duckdb.Error, OSError) as error:
            raise _refusal(self._path, error) from error
        try:
            root.execute(f"SET memory_limit = '{self._memory_limit_mb}MB'")
            root.execute("SET pandas_analyze_sample = 0")
            root.execute("SET python_enable_replacements = false")
            self._prepare(root)
        except BaseException as error:
            root.close()
            if isinstance(error, duckdb.Error):
                raise _trouble(self._path, error) from error
            raise
        with self._guard:
            self._root = root
        return root

    def _reopen(self) -> Connection:
        try:
            return self._root or self._open()
        except Unavailable:
            raise
        except CitywardenError as error:
            raise Unavailable(str(error)) from error

    def _run_write(self, job: Callable[[Connection], T]) -> T:
        root = self._reopen()
        try:
            root.begin()
            result = job(root)
            root.commit()
        except BaseException as error:
            self._discard()
            if isinstance(error, duckdb.Error):
                raise _trouble(self._path, error) from error
            raise
        return result

    def _run_read(self, job: Callable[[Connection], T]) -> T:
        with self._guard:
            if self._root is None:
                raise Unavailable(f"{self._path}: the store is being opened again")
            cursor = self._root.cursor()
            self._lent.add(cursor)
        try:
            cursor.execute("SET pandas_analyze_sample = 0")
            return job(cursor)
        except duckdb.Error as error:
            raise _trouble(self._path, error) from error
        finally:
            cursor.close()
            with self._guard:
                self._lent.discard(cursor)
                self._guard.notify_all()

    def _discard(self) -> None:
        """Drop every connection, so that the next opening starts from what is on the disk."""
        with self._guard:
            root, self._root = self._root, None
            while self._lent:
                for cursor in self._lent:
                    cursor.interrupt()
                self._guard.wait(0.05)
        if root is not None:
            root.close()


def _refusal(path: Path, error: Exception) -> CitywardenError:
    line = _first_line(error)
    if "lock" in line and isinstance(error, duckdb.IOException):
        return Occupied(f"{path}: another process has the store open: the running server owns it; ask it over HTTP")
    return CitywardenError(f"{path}: the store cannot be opened: {line}")


def _trouble(path: Path, error: duckdb.Error) -> Unavailable:
    if isinstance(error, duckdb.OutOfMemoryException):
        return Unavailable(f"{path}: this needs more memory than the store may use; ask for less at a time")
    if isinstance(error, duckdb.InterruptException):
        return Unavailable(f"{path}: interrupted, the store is being closed or opened again")
    return Unavailable(f"{path}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
