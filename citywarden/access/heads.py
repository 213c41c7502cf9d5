"""Heads of the record noted outside the database: a line for each in a file that is only added to.

2026-11-22T08:00:00.000Z 1234:6f1c...
"""

import os
from collections.abc import Sequence
from pathlib import Path

from citywarden.model.access import Head
from citywarden.model.errors import CitywardenError
from citywarden.model.wire import timestamp


class Heads:
    """The file. Raises CitywardenError when it cannot be read or written."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> list[Head]:
        """The heads noted, oldest first."""
        return [self._head(number, line) for number, line in enumerate(self._lines(), 1)]

    def note(self, head: Head, now_ms: int) -> None:
        """Add a head, unless it is the last one noted already."""
        noted = self.read()
        if noted and noted[-1] == head:
            return
        try:
            self._mend()
            handle = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(f"{timestamp(now_ms)} {head}\n")
                out.flush()
                os.fsync(handle)
        except OSError as error:
            raise CitywardenError(f"{self.file}: cannot be written: {error.strerror}") from None

    def forget(self, before: int) -> None:
        """Drop the heads of entries that were cut, all with lower numbers than `before`."""
        lines = self._lines()
        kept = [line for number, line in enumerate(lines, 1) if self._head(number, line).number >= before]
        if len(kept) == len(lines):
            return
        fresh = self.file.with_name(self.file.name + ".new")
        try:
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.writelines(kept)
                out.flush()
                os.fsync(handle)
            fresh.replace(self.file)
        except OSError as error:
            raise CitywardenError(f"{self.file}: cannot be written: {error.strerror}") from None

    def _lines(self) -> Sequence[str]:
        """Whole lines: the beginning of one that a crash left counts for nothing."""
        try:
            return [line for line in self.file.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise CitywardenError(f"{self.file}: cannot be read: {error}") from None

    def _mend(self) -> None:
        """End a line that a crash left unfinished, so that the next one is a line of its own."""
        if self.file.exists() and (text := self.file.read_bytes()) and not text.endswith(b"\n"):
            os.truncate(self.file, text.rfind(b"\n") + 1)

    def _head(self, number: int, line: str) -> Head:
        _, _, text = line.strip().partition(" ")
        try:
            return Head.parse(text)
        except ValueError:
            raise CitywardenError(f"{self.file}:{number}: {line.strip()[:80]!r} is no head of the record") from None
