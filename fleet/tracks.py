"""Recorded tracks: CSV files (`.csv`, `.csv.gz`) as columns. A bad row is rejected by line; the rest is used."""

import _csv
import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from citywarden.columns import Columns, Floats, Indices, Ints
from citywarden.coordinates import to_wgs84
from citywarden.model.device import Device
from citywarden.model.errors import ConfigurationError, Problem
from citywarden.model.kind import Kind

REQUIRED = ("ts", "device", "lat", "lon")
RANGES: Mapping[str, tuple[float, float]] = {
    "lat": (-90, 90),
    "lon": (-180, 180),
    "speed_kmh": (0, 200),
    "heading_deg": (0, 360),
    "load_kg": (0, 60_000),
    "hdop": (0, 50),
    "odometer_km": (0, float("inf")),
}
"""Valid numbers, inclusive (contract.md, MQTT)."""
FLAGS = ("ignition", "brush", "pump", "lift")
FIELDS = (*RANGES, *FLAGS)
_FLAG_WORDS = {"": np.nan, "0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0}
_CHUNK_ROWS = 20_000

Progress = Callable[[int], None]
"""Told how many more bytes of the files have been read."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that could not be used. `line` is 1-based, the header being line 1."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class TrackRow:
    """One row: device time in ms and only the values the row has (flags as bool)."""

    device: str
    ts_ms: int
    values: Mapping[str, float | bool]


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """All usable rows, sorted by (device, ts_ms); later rows of equal time stay later.

    `device`: (n,) index into `devices`. `fields[name]`: float64 (n,), NaN where empty, flags 0.0 / 1.0; every name of
    `FIELDS` is a key.
    """

    devices: tuple[str, ...]
    device: Indices
    ts_ms: Ints
    fields: Mapping[str, Floats]
    rejected: tuple[Rejected, ...]

    def __len__(self) -> int:
        return len(self.ts_ms)

    def rows(self) -> Iterator[TrackRow]:
        """Every row in order of time, as a fleet on the road would have sent them."""
        for i in np.argsort(self.ts_ms, kind="stable"):
            values: dict[str, float | bool] = {}
            for name, column in self.fields.items():
                if not np.isnan(column[i]):
                    values[name] = bool(column[i]) if name in FLAGS else float(column[i])
            yield TrackRow(self.devices[self.device[i]], int(self.ts_ms[i]), values)

    def columns(self, kind: Kind, tenant: str, crs: str = "wgs84") -> Columns:
        """The track as readings of `kind` (received when sent), its positions brought from `crs` to WGS-84."""
        devices = tuple(Device(tenant, kind.name, name, crs=crs) for name in self.devices)
        empty = np.full(len(self), np.nan)
        texts = {q.field: np.full(len(self), None, object) for q in kind.texts}
        fields = {q.field: self.fields.get(q.field, empty) for q in kind.numeric}
        fields["lat"], fields["lon"] = to_wgs84(self.fields["lat"], self.fields["lon"], crs)
        return Columns(kind, devices, self.device, self.ts_ms, self.ts_ms, fields, texts)


def read_tracks(paths: Sequence[Path], progress: Progress | None = None) -> Track:
    """Read files into one track. Raises ConfigurationError for files that are missing or lack the header."""
    problems: list[Problem] = []
    rejected: list[Rejected] = []
    parts: list[_Part] = []
    for path in paths:
        try:
            parts.extend(_read_file(path, rejected, progress or (lambda _: None)))
        except ConfigurationError as error:
            problems.extend(error.problems)
        except OSError as error:
            problems.append(Problem(str(path), None, "", f"cannot be read: {error.strerror or error}"))
    if problems:
        raise ConfigurationError(problems)
    return _merge(parts, rejected)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Parsed rows of one chunk, in the order of the file."""

    device: list[str]
    ts_ms: Ints
    fields: dict[str, Floats]


def _read_file(path: Path, rejected: list[Rejected], progress: Progress) -> Iterator[_Part]:
    with path.open("rb") as raw:
        source = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        with io.TextIOWrapper(source, "utf-8-sig", errors="replace", newline="") as text:
            reader = csv.reader(text)
            done, line = 0, 1
            try:
                header = _header(path, next(reader, []))
                for rows in _chunks(reader):
                    line = rows[-1][0]
                    yield _parse(str(path), header, rows, rejected)
                    progress(raw.tell() - done)
                    done = raw.tell()
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                rejected.append(Rejected(str(path), line + 1, f"the gzip file is damaged from here on: {error}"))
            except csv.Error as error:
                rejected.append(Rejected(str(path), reader.line_num, f"not CSV from here on: {error}"))


def _header(path: Path, names: Sequence[str]) -> dict[str, int]:
    header = {name.strip(): i for i, name in enumerate(names)}
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        what = f"the header lacks {', '.join(missing)}; expected ts,device,lat,lon and any of {','.join(FIELDS[2:])}"
        raise ConfigurationError([Problem(str(path), 1, "", what)])
    if len(header) < len(names):
        raise ConfigurationError([Problem(str(path), 1, "", "the header names a column twice")])
    return header


def _chunks(reader: "_csv.Reader") -> Iterator[list[tuple[int, list[str]]]]:
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            if row:
                rows.append((reader.line_num, row))
            if len(rows) >= _CHUNK_ROWS:
                yield rows
                rows = []
    except (EOFError, gzip.BadGzipFile, zlib.error, csv.Error):
        if rows:
            yield rows
        raise
    if rows:
        yield rows


def _parse(file: str, header: Mapping[str, int], rows: list[tuple[int, list[str]]], rejected: list[Rejected]) -> _Part:
    """A whole chunk at once; row by row only when something in it is wrong."""
    try:
        return _parse_all(header, [row for _, row in rows])
    except ValueError:
        pass
    good: list[list[str]] = []
    for line, row in rows:
        try:
            _parse_all(header, [row])
            good.append(row)
        except ValueError as error:
            rejected.append(Rejected(file, line, str(error)))
    return _parse_all(header, good)


def _parse_all(header: Mapping[str, int], rows: list[list[str]]) -> _Part:
    width = len(header)
    if any(len(row) != width for row in rows):
        raise ValueError(f"{len(rows[0])} columns, expected {width}")
    columns: list[Sequence[str]] = list(zip(*rows, strict=True)) if rows else [()] * width
    devices = [word.strip() for word in columns[header["device"]]]
    if not all(devices):
        raise ValueError("device: empty, expected an id")
    ts_ms = np.fromiter(map(parse_ts, columns[header["ts"]]), np.int64, len(rows))
    fields = {name: _numbers(name, columns[header[name]]) for name in RANGES if name in header}
    for name in ("lat", "lon"):
        if np.isnan(fields[name]).any():
            raise ValueError(f"{name}: empty, expected degrees")
    fields |= {name: _flags(name, columns[header[name]]) for name in FLAGS if name in header}
    return _Part(devices, ts_ms, fields)


def _numbers(name: str, words: Sequence[str]) -> Floats:
    low, high = RANGES[name]
    try:
        values = np.asarray([word or "nan" for word in words]).astype(np.float64) if words else np.zeros(0)
    except ValueError:
        values = np.fromiter((_number(name, word) for word in words), np.float64, len(words))
    given = np.fromiter((word.strip() != "" for word in words), np.bool_, len(words))
    wrong = given & ~((values >= low) & (values <= high) & np.isfinite(values))
    if wrong.any():
        word = words[int(np.flatnonzero(wrong)[0])]
        raise ValueError(f"{name}: {word!r} is out of range, expected {low:g} to {high:g}")
    return values


def _number(name: str, word: str) -> float:
    try:
        return float(word) if word.strip() else np.nan
    except ValueError:
        raise ValueError(f"{name}: {word!r} is not a number") from None


def _flags(name: str, words: Sequence[str]) -> Floats:
    try:
        return np.fromiter((_FLAG_WORDS[word.strip().lower()] for word in words), np.float64, len(words))
    except KeyError as error:
        raise ValueError(f"{name}: {error.args[0]!r} is not 0, 1, true or false") from None


def parse_ts(word: str) -> int:
    """RFC 3339 with offset, or integer ms since 1970, as ms. Raises ValueError saying what is wrong."""
    word = word.strip()
    if word.lstrip("-").isdecimal():
        return int(word)
    try:
        moment = datetime.fromisoformat(word)
    except ValueError:
        raise ValueError(f"ts: {word!r} is neither RFC 3339 nor ms since 1970") from None
    if moment.tzinfo is None:
        raise ValueError(f"ts: {word!r} has no offset from UTC (write Z or +08:00)")
    return round(moment.timestamp() * 1000)


def _merge(parts: Sequence[_Part], rejected: Iterable[Rejected]) -> Track:
    names = sorted({name for part in parts for name in part.device})
    place = {name: i for i, name in enumerate(names)}
    count = sum(len(part.ts_ms) for part in parts)
    device = np.fromiter((place[name] for part in parts for name in part.device), np.int32, count)
    ts_ms = np.concatenate([part.ts_ms for part in parts]) if parts else np.zeros(0, np.int64)
    order = np.lexsort((ts_ms, device))
    fields = {}
    for name in FIELDS:
        filled = [part.fields.get(name, np.full(len(part.ts_ms), np.nan)) for part in parts]
        fields[name] = np.concatenate(filled)[order] if filled else np.zeros(0)
    return Track(tuple(names), device[order], ts_ms[order], fields, tuple(rejected))
