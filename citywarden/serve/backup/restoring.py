"""Restoring a backup, all or nothing: everything is unpacked, checked and imported beside the folder's content before
any of that is touched. Where it is interrupted while it puts things in place, no server starts until it was run again.
"""

import contextlib
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from citywarden.log.logfile import SCHEMA_VERSION
from citywarden.model.errors import CitywardenError
from citywarden.sections import Settings
from citywarden.serve.backup.contents import (
    DATA,
    DATABASE,
    LOG,
    MANIFEST,
    STORE,
    Manifest,
    describe,
    read_manifest,
)
from citywarden.serve.backup.rows import check_tables, clear, is_empty, read_tables
from citywarden.serve.folder import LOCK, RESTORING, claimed
from citywarden.serve.tables import open_database

STAGING, REPLACED = ".restoring", ".replaced"
NEW_DATABASE = "citywarden.sqlite"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored, and what a person should know about it."""

    manifest: Manifest
    notes: Sequence[str] = field(default_factory=tuple)


def restore(file: Path, settings: Settings, force: bool = False) -> Restored:
    """Put a backup into the data folder and the database of a configuration.

    Raises Occupied while a server runs there, CitywardenError when there is something already (without `force`), or
    when the backup is damaged or of a newer version; nothing has been changed then.
    """
    data = settings.data
    fresh = not data.exists()
    try:
        with claimed(data, unfinished=True):
            if not force and (there := _content(data)):
                raise CitywardenError(f"{data} is not empty ({there[0].name} ...): choose another --data, or --force")
            staging = data / STAGING
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            try:
                return _restore(file, settings, staging, force)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise CitywardenError(f"{file}: cannot be restored into {data}: {error}") from error
    finally:
        if fresh and data.exists() and not _content(data) and not (data / RESTORING).exists():
            shutil.rmtree(data, ignore_errors=True)


def _restore(file: Path, settings: Settings, staging: Path, force: bool) -> Restored:
    manifest = unpack(file, staging)
    check_tables(manifest.tables)
    if manifest.log_schema > SCHEMA_VERSION:
        raise CitywardenError(f"{file}: its log has version {manifest.log_schema}, this program knows {SCHEMA_VERSION}")
    notes = []
    if settings.store.url != "embedded":
        notes.append("InfluxDB's readings are not part of a backup: restore them with `influx restore`")
        (staging / STORE).unlink(missing_ok=True)
    elif STORE not in manifest.files:
        notes.append("the backup has no embedded store: it starts empty, with what is still in the log")
    if settings.database.url is None:
        engine = open_database(f"sqlite:///{staging / NEW_DATABASE}")
        _import(engine, staging, manifest, force=True)
        engine.dispose()
        _move(settings, staging)
    else:
        engine = open_database(settings.database.url)
        try:
            (settings.data / RESTORING).touch()
            _import(engine, staging, manifest, force)
        except BaseException:
            (settings.data / RESTORING).unlink(missing_ok=True)
            raise
        finally:
            engine.dispose()
        _move(settings, staging)
    return Restored(manifest, tuple(notes))


def unpack(file: Path, folder: Path) -> Manifest:
    """Unpack into a folder and check size and hash of everything. Raises CitywardenError."""
    try:
        with tarfile.open(file, "r:gz") as tar:
            entry = tar.next()
            if entry is None or entry.name != MANIFEST or (text := tar.extractfile(entry)) is None:
                raise CitywardenError(f"{file}: no backup of Citywarden: it does not begin with {MANIFEST}")
            manifest = read_manifest(text.read())
            while (entry := tar.next()) is not None:
                if entry.name not in manifest.files or not entry.isreg():
                    raise CitywardenError(f"{file}: {entry.name} is not in its manifest")
                tar.extract(entry, folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise CitywardenError(f"{file}: cannot be read: {error}") from error
    for name, said in manifest.files.items():
        part = folder / name
        if not part.is_file() or describe(part) != said:
            raise CitywardenError(f"{file}: {name} is damaged or missing; nothing was changed")
    return manifest


def _import(engine: Engine, staging: Path, manifest: Manifest, force: bool) -> None:
    try:
        with engine.begin() as connection:
            if force:
                clear(connection)
            elif not is_empty(connection):
                raise CitywardenError("the database is not empty: name an empty one in [database] url, or --force")
            read_tables(connection, staging / DATABASE, manifest.tables)
    except SQLAlchemyError as error:
        raise CitywardenError(f"the backup does not fit the database: {error.__cause__ or error}") from error


def _move(settings: Settings, staging: Path) -> None:
    """Out with what is there, in with what was unpacked. The marker stands as long as that goes on."""
    data, replaced = settings.data, settings.data / REPLACED
    (data / RESTORING).touch()
    shutil.rmtree(replaced, ignore_errors=True)
    replaced.mkdir()
    for path in _content(data):
        path.rename(replaced / path.name)
    if (staging / DATA).is_dir():
        for path in (staging / DATA).iterdir():
            path.rename(data / path.name)
    for name in (STORE, NEW_DATABASE, NEW_DATABASE + "-wal", NEW_DATABASE + "-shm"):
        if (staging / name).exists():
            (staging / name).rename(data / name)
    _place_log(settings.log_path, staging / LOG)
    shutil.rmtree(replaced, ignore_errors=True)
    (data / RESTORING).unlink()


def _place_log(target: Path, unpacked: Path) -> None:
    """The log may stand on another disk."""
    for suffix in ("", "-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    if unpacked.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(unpacked, target)


def _content(data: Path) -> list[Path]:
    """What is in a folder, but for what a restore itself leaves there."""
    if not data.exists():
        return []
    with contextlib.suppress(FileNotFoundError):
        return sorted(path for path in data.iterdir() if path.name not in (LOCK, RESTORING, STAGING, REPLACED))
    return []
