"""The folder of an authority: files that are there whole or not at all, and the journal of what was issued.

ca.pem  ca.key (0600)  crl.pem  journal.jsonl   servers/NAME/...   devices/TENANT/KIND/ID/...
Each of the latter holds cert.pem, key.pem (0600) and ca.pem; a renewal takes the place of what was there.
"""

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from citywarden.durability import settle
from citywarden.model.errors import CitywardenError

SECRET_MODE = 0o600
OPEN_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate in the journal. `purpose`: `server` or `device`; `name`: its common name; times in ms."""

    serial: str
    purpose: str
    name: str
    issued_ms: int
    expires_ms: int
    revoked_ms: int | None = None

    @property
    def number(self) -> int:
        return int(self.serial, 16)


class Shelf:
    """One folder. Raises CitywardenError for what the disk refuses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def held(self) -> Iterator[None]:
        """For one command at a time."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def has(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def read(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            raise CitywardenError(f"{self.folder / name}: no such file; `citywarden certs init` makes one") from None
        except OSError as error:
            raise CitywardenError(f"{self.folder / name}: {error.strerror}") from None

    def write(self, name: str, content: bytes, mode: int = OPEN_MODE) -> Path:
        """Put a file in its place, all of it or, if anything fails, nothing."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        try:
            _write(draft, content, mode)
            draft.replace(file)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise CitywardenError(f"{file}: {error.strerror}") from None
        settle(file.parent)
        return file

    def write_folder(self, folder: Path, files: Mapping[str, tuple[bytes, int]]) -> Path:
        """Put a folder of files in its place at once; the same files that were there before go."""
        there = {one.name for one in folder.iterdir()} if folder.is_dir() else set()
        if not there <= files.keys():
            raise CitywardenError(f"{folder} holds other files; name one that is empty or does not exist")
        draft = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
        old = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.old")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft.mkdir(mode=0o700)
            for name, (content, mode) in files.items():
                _write(draft / name, content, mode)
            if folder.exists():
                folder.rename(old)
            draft.rename(folder)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            if old.exists() and not folder.exists():
                old.rename(folder)
            raise CitywardenError(f"{folder}: {error.strerror}") from None
        shutil.rmtree(old, ignore_errors=True)
        settle(folder.parent)
        return folder

    def journal(self) -> dict[str, Issued]:
        """Everything issued, by serial; a last line that a crash cut short counts for nothing."""
        if not self.has("journal.jsonl"):
            return {}
        found: dict[str, Issued] = {}
        for number, line in enumerate(self.read("journal.jsonl").split(b"\n")[:-1], 1):
            try:
                row = json.loads(line)
                if "revoke" in row:
                    found[row["revoke"]] = replace(found[row["revoke"]], revoked_ms=row["at_ms"])
                else:
                    found[row["serial"]] = Issued(**row)
            except (ValueError, KeyError, TypeError):
                raise CitywardenError(f"{self.folder / 'journal.jsonl'}:{number}: cannot be read") from None
        return found

    def note_issued(self, issued: Issued) -> None:
        self._append(asdict(issued))

    def note_revoked(self, serial: str, at_ms: int) -> None:
        self._append({"revoke": serial, "at_ms": at_ms})

    def _append(self, row: Mapping[str, object]) -> None:
        file = self.folder / "journal.jsonl"
        try:
            with file.open("r+b" if file.exists() else "x+b") as journal:
                end = journal.seek(0, os.SEEK_END)
                content = b""
                if end:
                    journal.seek(0)
                    content = journal.read()
                # What a crash cut short goes, so that the new line is one.
                journal.truncate(content.rfind(b"\n") + 1)
                journal.seek(0, os.SEEK_END)
                journal.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
                journal.flush()
                os.fsync(journal.fileno())
        except OSError as error:
            raise CitywardenError(f"{file}: {error.strerror}") from None


def _write(file: Path, content: bytes, mode: int) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
