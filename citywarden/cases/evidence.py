"""Photographs and documents of cases on disk, named by their content: `ab/ab12...` under the folder.

The type is what the first bytes say, never a name. A file appears under its name only when it is whole and on disk.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterable, Callable, Set
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from citywarden.durability import settle
from citywarden.model.errors import CitywardenError, NotFound

MOST_NAME = 120
HEAD = 16
PARTIAL = ".partial"
ORPHANED_S = 3600.0


class NotAccepted(CitywardenError):
    """A file that is too large, empty, or of a type that is not kept."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is kept. `sha256` in hex, `size` in bytes, `type` as a media type."""

    sha256: str
    size: int
    type: str


def type_of(head: bytes) -> str | None:
    """JPEG, PNG, WebP, PDF or MP4 by the first bytes; None for everything else."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if head[4:8] == b"ftyp" and head[8:12] in (b"isom", b"mp41", b"mp42", b"iso2", b"avc1"):
        return "video/mp4"
    return None


ENDINGS = {
    "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "application/pdf": ".pdf", "video/mp4": ".mp4",
}  # fmt: skip


def shown_name(name: str, type_: str) -> str:
    """A name to show and to save under: the last part of what was given, plain, with the ending of its type."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(c if c.isalnum() or c in " ._-()（）" else "_" for c in last).strip(" .")
    stem = plain.rpartition(".")[0] or plain or "evidence"
    return stem[:MOST_NAME] + ENDINGS[type_]


class EvidenceStore:
    """A folder of evidence. `largest`: bytes a file may have."""

    def __init__(self, folder: Path, largest: int) -> None:
        self.folder = folder
        self.largest = largest

    def sweep(self, used: Set[str], now_s: float) -> int:
        """Drop files that no case has, older than an hour; returns how many."""
        gone = 0
        for file in self.folder.glob("[0-9a-f][0-9a-f]/*"):
            if file.name not in used and now_s - file.stat().st_mtime > ORPHANED_S:
                file.unlink(missing_ok=True)
                gone += 1
        return gone

    def clear_partial(self) -> int:
        """Drop what a crash left half-written; returns how many. Call it at start, before anything is taken in."""
        gone = 0
        for left in (self.folder / PARTIAL).glob("*"):
            left.unlink(missing_ok=True)
            gone += 1
        return gone

    async def take(self, chunks: AsyncIterable[bytes]) -> Stored:
        """Store what comes, whole or not at all. Raises NotAccepted, or what `chunks` raises; nothing is left then."""
        partial = self.folder / PARTIAL
        partial.mkdir(parents=True, exist_ok=True, mode=0o700)
        digest, size, head = hashlib.sha256(), 0, b""
        with NamedTemporaryFile(dir=partial, delete=False) as file:
            path = Path(file.name)
            try:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > self.largest:
                        most = self.largest // (1 << 20)
                        raise NotAccepted(f"it is larger than {most} MiB", f"文件超过 {most} MB")
                    if len(head) < HEAD:
                        head = (head + chunk)[:HEAD]
                        if len(head) == HEAD and type_of(head) is None:
                            break
                    digest.update(chunk)
                    file.write(chunk)
                found = type_of(head)
                if found is None:
                    if not size:
                        raise NotAccepted("it is empty", "文件为空")
                    raise NotAccepted(
                        "it is no JPEG, PNG, WebP, PDF or MP4 file", "文件类型不是 JPEG、PNG、WebP、PDF 或 MP4"
                    )
                file.flush()
                await asyncio.to_thread(self._publish, path, digest.hexdigest())
            finally:
                path.unlink(missing_ok=True)  # noqa: ASYNC240 (one call, gone already where all went well)
        return Stored(digest.hexdigest(), size, found)

    def path(self, sha256: str) -> Path:
        """Where a stored file is. Raises NotFound."""
        path = self._place(sha256)
        if not path.is_file():
            raise NotFound("the file is not there any more")
        return path

    def drop(self, sha256: str, still_used: Callable[[str], bool]) -> bool:
        """Delete a file unless it is still used; returns whether it was deleted."""
        if still_used(sha256):
            return False
        self._place(sha256).unlink(missing_ok=True)
        return True

    def _publish(self, path: Path, sha256: str) -> None:
        """Have a whole file on disk, then give it its name; one that is there already has the same content."""
        place = self._place(sha256)
        place.parent.mkdir(exist_ok=True, mode=0o700)
        settle(path)
        path.replace(place)
        settle(place.parent)

    def _place(self, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise NotFound("no such file")
        return self.folder / sha256[:2] / sha256
