"""Taking a backup. The order makes it consistent: database, log, store.

The alerts' position is older than the log that is copied after it, and the store has at least what the log says that it
has. What a restored server then finds in the log a second time changes nothing. The log must not be trimmed before it
is copied.
"""

import asyncio
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from citywarden import __version__
from citywarden.durability import settle
from citywarden.log.logfile import SCHEMA_VERSION
from citywarden.model.errors import CitywardenError
from citywarden.serve.backup.contents import (
    DATA,
    DATABASE,
    LOG,
    MANIFEST,
    STORE,
    Manifest,
    Table,
    describe,
    write_manifest,
)
from citywarden.serve.backup.rows import write_tables
from citywarden.serve.folder import LOCK, RESTORING

PASSING = (LOCK, RESTORING, ".restoring", ".replaced", "backup.request", "backup.answer")
"""Names in a data folder that mean nothing in another one."""

SUFFIX = ".tar.gz"
_KEPT_APART = ("", "-wal", "-shm", "-journal", ".wal", ".tmp")

CopyStore = Callable[[Path], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What is to be saved. `copy_store`: writes the embedded store to a new file, None where it is elsewhere."""

    data: Path
    engine: Engine
    log: Path
    database: Path | None
    copy_store: CopyStore | None


async def take(parts: Parts, target: Path, now_ms: int, hold: asyncio.Lock) -> Manifest:
    """Write a backup; nothing stands at `target` before it is whole. `hold`: keeps the log from being trimmed.

    Raises CitywardenError when it cannot be written.
    """
    check_target(target)
    try:
        with tempfile.TemporaryDirectory(prefix=".citywarden-backup-", dir=target.parent) as name:
            folder = Path(name)
            async with hold:
                tables = await asyncio.to_thread(write_tables, parts.engine, folder / DATABASE)
                await asyncio.to_thread(copy_log, parts.log, folder / LOG)
            if parts.copy_store is not None:
                await parts.copy_store(folder / STORE)
            await asyncio.to_thread(_copy_files, parts, folder / DATA)
            return await asyncio.to_thread(_pack, folder, target, tables, now_ms)
    except (OSError, sqlite3.Error) as error:
        raise CitywardenError(f"{target}: the backup cannot be written: {error}") from error


def check_target(target: Path) -> None:
    """Raises CitywardenError for a name that is taken or of another form."""
    if not target.name.endswith(SUFFIX):
        raise CitywardenError(f"{target}: expected a name that ends in {SUFFIX}")
    if target.exists():
        raise CitywardenError(f"{target} is there already; a backup overwrites nothing")
    if not target.parent.is_dir():
        raise CitywardenError(f"{target.parent}: no such folder")


def copy_log(log: Path, target: Path) -> None:
    """The log as it is at one moment, without its free pages, while others append to it."""
    if not log.exists():
        return
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True, timeout=60)) as source:
        source.execute("VACUUM INTO ?", (str(target),))


def _copy_files(parts: Parts, target: Path) -> None:
    """Every other file. One that vanishes meanwhile was passing."""
    for file in sorted(others(parts)):
        place = target / file.relative_to(parts.data)
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copy2(file, place)


def others(parts: Parts) -> Iterator[Path]:
    """The files of a data folder that are neither log, nor store, nor database."""
    apart = [parts.log, parts.data / STORE, *([parts.database] if parts.database else [])]
    kept = {path.with_name(path.name + suffix).absolute() for path in apart for suffix in _KEPT_APART}
    for file in parts.data.rglob("*"):
        top = file.relative_to(parts.data).parts[0]
        if top in PASSING or top.startswith(".citywarden-backup-") or file.absolute() in kept:
            continue
        if file.is_file() and not file.is_symlink() and not file.name.endswith(SUFFIX):
            yield file


def _pack(folder: Path, target: Path, tables: Mapping[str, Table], now_ms: int) -> Manifest:
    found = sorted(file for file in folder.rglob("*") if file.is_file())
    files = {file.relative_to(folder).as_posix(): describe(file) for file in found}
    manifest = Manifest(__version__, now_ms, SCHEMA_VERSION, tables, files)
    (folder / MANIFEST).write_bytes(write_manifest(manifest))
    packed = folder / "packed"
    packed.touch(mode=0o600)
    with packed.open("wb") as sink, tarfile.open(fileobj=sink, mode="w:gz", compresslevel=3) as tar:
        for name in (MANIFEST, *files):
            tar.add(folder / name, name, recursive=False, filter=_anonymous)
    settle(packed)
    packed.rename(target)
    settle(target.parent)
    return manifest


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whoever restores it owns it."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
