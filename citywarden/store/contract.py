"""What every store can do. Same device and time written twice is one reading: the first one written stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from citywarden.columns import Columns, Floats, Ints, Reading
from citywarden.model.device import DeviceKey


class Fold(StrEnum):
    """How the readings of a time bucket become one value."""

    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    LAST = "last"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Refused:
    """A reading that the store will never take, and its words about it."""

    reading: Reading
    words: str


@dataclass(frozen=True, slots=True)
class Written:
    """Outcome of a write: readings that were new, those the store already had, and those it will never take."""

    new: int
    known: int
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """A series of `aggregate`: bucket starts (ms) and folded values, both (n,); `group` is a tag value or ""."""

    group: str
    start_ms: Ints
    values: Floats


@dataclass(frozen=True, slots=True)
class Point:
    """A row of a measurement that is no device kind (`alert`, `work`, `ingest`). Same tags and ts: the last stays."""

    measurement: str
    tags: Mapping[str, str]
    ts_ms: int
    fields: Mapping[str, float | int | bool | str]


@runtime_checkable
class Bulk(Protocol):
    """A store to which readings of several kinds in one go cost less than one batch after the other."""

    async def write_all(self, batches: Sequence[Columns]) -> Written:
        """As `Store.write` of each; a kind may come several times. All of them are tried again after Unavailable."""


@runtime_checkable
class Copied(Protocol):
    """A store that can write all there is at this moment into a new file, while writes go on."""

    async def copy_to(self, target: Path) -> None: ...


class Store(Protocol):
    """A time-series store. All times ms since 1970 UTC, `start` inclusive, `stop` exclusive."""

    async def write(self, batch: Columns) -> Written:
        """Write readings of one kind, idempotent. Raises Unavailable when the store does not take them now."""

    async def write_points(self, points: Sequence[Point]) -> None:
        """Write rows of the other measurements; a row with the same tags and time is replaced."""

    async def points(
        self, measurement: str, start_ms: int, stop_ms: int, tags: Mapping[str, str] | None = None
    ) -> Sequence[Point]:
        """Rows of a measurement in the window, oldest first, that carry all the given `tags`."""

    async def series(self, key: DeviceKey, start_ms: int, stop_ms: int, limit: int = 10_000) -> Sequence[Reading]:
        """Readings of one device, oldest first, at most `limit`."""

    async def latest(self, kind: str, tenant: str | None = None) -> Columns:
        """One row per device that ever sent: per field its newest known value; `ts_ms` of its newest reading."""

    async def window(
        self, kind: str, start_ms: int, stop_ms: int, devices: Sequence[DeviceKey] | None = None
    ) -> Columns:
        """All readings of the window as columns, sorted by (device, ts_ms); only `devices` when given."""

    async def aggregate(
        self, kind: str, field: str, start_ms: int, stop_ms: int, every_ms: int, fold: Fold, by: str = ""
    ) -> Sequence[Buckets]:
        """Field folded, buckets of `every_ms` aligned to the epoch, per value of `by` (tenant, device, district)."""

    async def count(self, kind: str) -> int:
        """Readings stored of a kind."""

    async def trim(self, kind: str, before_ms: int) -> int:
        """Drop readings older than `before_ms`; returns how many."""

    async def close(self) -> None: ...
