"""What a backup is: one `.tar.gz` with a manifest first, then the parts it names with their sizes and hashes.

manifest.json            format, version, time, tables, files
database/TABLE.jsonl     one row a line, from any database into any other
log.sqlite               the durable log with the position of each consumer
store.duckdb             the embedded store, where there is one
data/...                 every other file of the data folder: keys, certificates, evidence
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import orjson

from citywarden.model.errors import CitywardenError

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE, LOG, STORE, DATA = "database", "log.sqlite", "store.duckdb", "data"


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and number of rows of a table."""

    columns: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class File:
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. `log_schema`: version of the log's file."""

    version: str
    made_ms: int
    log_schema: int
    tables: Mapping[str, Table]
    files: Mapping[str, File]
    format: int = FORMAT

    @property
    def bytes(self) -> int:
        """Of all parts, unpacked."""
        return sum(file.bytes for file in self.files.values())


def write_manifest(manifest: Manifest) -> bytes:
    return orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2)


def read_manifest(text: bytes) -> Manifest:
    """Raises CitywardenError for what is no manifest, or one of a newer format."""
    try:
        tree = cast(dict[str, object], orjson.loads(text))
        if tree["format"] != FORMAT:
            raise CitywardenError(f"the backup has format {tree['format']}, this program reads format {FORMAT}")
        tables = cast(dict[str, dict[str, object]], tree["tables"])
        files = cast(dict[str, dict[str, object]], tree["files"])
        return Manifest(
            str(tree["version"]), int(str(tree["made_ms"])), int(str(tree["log_schema"])),
            {name: Table(tuple(cast(list[str], t["columns"])), int(str(t["rows"]))) for name, t in tables.items()},
            {name: File(int(str(f["bytes"])), str(f["sha256"])) for name, f in files.items()},
        )  # fmt: skip
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        raise CitywardenError("the manifest cannot be read: this is no backup of Citywarden") from None


def describe(path: Path) -> File:
    """Size and hash of a file."""
    with path.open("rb") as file:
        return File(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
