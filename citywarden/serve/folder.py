"""A data folder belongs to one server at a time, and to none while it is being restored."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from citywarden.model.errors import CitywardenError, Occupied

LOCK = "server.lock"
RESTORING = "restore.unfinished"
"""Stands in a folder whose restore was begun and has not ended."""


@contextlib.contextmanager
def claimed(data: Path, unfinished: bool = False) -> Iterator[None]:
    """Hold the folder while the block runs; a process that dies lets go of it. `unfinished`: a half restored one too.

    Raises Occupied when another process has it, CitywardenError when it cannot be used.
    """
    file = data / LOCK
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CitywardenError(f"the data folder {data} cannot be used: {error.strerror or error}") from None
    try:
        _lock(handle, data)
        if not unfinished and (data / RESTORING).exists():
            raise CitywardenError(
                f"{data}: a restore into this folder did not end: run `citywarden restore FILE --force` again"
            )
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, data: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise CitywardenError(f"the data folder {data} cannot be locked: {error.strerror}") from None
        holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
        who = f" (process {holder})" if holder.isdigit() else ""
        raise Occupied(
            f"{data}: another server{who} runs on this data folder; give this one its own with --data"
        ) from None


def held(data: Path) -> bool:
    """Whether a process has the folder now."""
    try:
        with claimed(data, unfinished=True):
            return False
    except Occupied:
        return True
