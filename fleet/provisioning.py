"""Devices from and to CSV, every bad row named: pure text in, devices or problems out."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from citywarden.model.device import Device, DeviceKey, Profile
from citywarden.model.inputs import PROFILE_NAME, check_inputs
from citywarden.model.kind import Kind, Kinds

if TYPE_CHECKING:
    from _csv import Reader

COLUMNS = ("id", "kind", "tenant", "name", "district", "lat", "lon", "crs", "profile", "owner")
CRS = ("wgs84", "cgcs2000", "gcj02", "bd09")
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_LONGEST = {"name": 256, "district": 128, "owner": 128}
_POSITIVE = ("interval_s", "nominal_power_w")
"""Profile names that the server itself reads, and that must be numbers above 0."""
_ODD = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class BadRow:
    """One thing wrong in a row; `line` is 1-based, the header is line 1."""

    line: int
    column: str
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.column}: {self.what}"


def read_csv(lines: Iterable[str], tenant: str, kinds: Kinds) -> tuple[list[tuple[int, Device]], list[BadRow]]:
    """(line, device) pairs of a CSV with header `id,kind` and any of the other COLUMNS, and all that is wrong.

    `tenant` is used where a row names none. A device that stands there twice is a bad row.
    """
    bad: list[BadRow] = []
    reader = csv.reader(lines)
    rows = _readable(reader, bad)
    header = next(rows, [])
    names = [name.strip().lstrip("\ufeff") for name in header]
    bad += [BadRow(1, name, f"unknown column, expected any of {','.join(COLUMNS)}") for name in names
            if name not in COLUMNS]  # fmt: skip
    bad += [BadRow(1, name, "column is missing") for name in ("id", "kind") if name not in names]
    bad += [BadRow(1, name, "stands there twice") for name in sorted({n for n in names if names.count(n) > 1})]
    if bad:
        return [], bad
    devices: dict[DeviceKey, tuple[int, Device]] = {}
    for row in rows:
        line = reader.line_num
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(names):
            bad.append(BadRow(line, "row", f"has {len(row)} cells, expected {len(names)}"))
            continue
        cells = {name: cell.strip() for name, cell in zip(names, row, strict=True) if cell.strip()}
        cells = {name: _unguarded(cell) if name in _LONGEST else cell for name, cell in cells.items()}
        device, wrong = parse({"tenant": tenant} | cells, kinds)
        bad += [BadRow(line, column, what) for column, what in wrong]
        if device is not None:
            if device.key in devices:
                bad.append(BadRow(line, "id", f"{device.id!r} stands there twice"))
            devices[device.key] = (line, device)
    return list(devices.values()), bad


def decode(data: bytes) -> str:
    """The text of a file. Raises NotUtf8 with the line where it is another encoding, such as a spreadsheet's GBK."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotUtf8(BadRow(data.count(b"\n", 0, error.start) + 1, "row", NOT_UTF8)) from None


NOT_UTF8 = "is not UTF-8; save the file as `CSV UTF-8`, or convert it: iconv -f GB18030 -t UTF-8"


class NotUtf8(ValueError):
    """The file is in another encoding; the argument is the first row that shows it."""

    def __init__(self, row: BadRow) -> None:
        super().__init__(str(row))
        self.row = row


def _readable(reader: "Reader", bad: list[BadRow]) -> Iterator[list[str]]:
    """The rows, up to the first that is no CSV at all."""
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            bad.append(BadRow(reader.line_num, "row", f"is no CSV: {error}"))
            return
        if row is None:
            return
        yield row


def parse(cells: Mapping[str, str], kinds: Kinds) -> tuple[Device | None, list[tuple[str, str]]]:
    """A device of words, or what is wrong as (column, what was wrong and what was expected)."""
    wrong: list[tuple[str, str]] = []

    def take(name: str, read: Callable[[str], object]) -> object:
        try:
            return read(cells[name]) if name in cells else None
        except ValueError as error:
            wrong.append((name, f"{cells[name]!r}: {error}"))
            return None

    for name in ("id", "kind"):
        if name not in cells:
            wrong.append((name, "is missing"))
    identity = {name: take(name, _name) for name in ("id", "tenant")}
    kind = take("kind", lambda word: _one_of(word, kinds))
    crs = take("crs", lambda word: _one_of(word, CRS)) or "wgs84"
    lat, lon = take("lat", lambda word: _degrees(word, 90)), take("lon", lambda word: _degrees(word, 180))
    if ("lat" in cells) != ("lon" in cells):
        wrong.append(("lat" if "lon" in cells else "lon", "is missing; a position is both lat and lon"))
    profile = take("profile", lambda word: check_profile(parse_profile(word), kinds.get(cells.get("kind", "")))) or {}
    texts = {name: str(take(name, lambda word, most=most: _text(word, most)) or "")  # type: ignore[misc]
             for name, most in _LONGEST.items()}  # fmt: skip
    if wrong:
        return None, wrong
    return (
        Device(str(identity["tenant"]), str(kind), str(identity["id"]), texts["name"], texts["district"],
               lat, lon, str(crs), profile, texts["owner"]),  # type: ignore[arg-type]
        [],
    )  # fmt: skip


def parse_profile(word: str) -> Profile:
    """A profile written as JSON object, or as `name=value;name=value`. Raises ValueError."""
    if word.startswith("{"):
        try:
            found = json.loads(word)
        except json.JSONDecodeError as error:
            raise ValueError(f"no valid JSON: {error.msg}") from None
        except RecursionError:
            raise ValueError("no valid JSON: it is nested too deeply") from None
    else:
        pairs = [pair.partition("=") for pair in word.split(";") if pair.strip()]
        if any(not equals for _, equals, _ in pairs):
            raise ValueError("expected name=value;name=value or a JSON object")
        found = {name.strip(): _scalar(value.strip()) for name, _, value in pairs}
    if not isinstance(found, dict) or any(not isinstance(v, bool | int | float | str) for v in found.values()):
        raise ValueError("expected numbers, texts, true or false by name")
    return {str(name): value for name, value in found.items()}


def check_profile(profile: Profile, kind: Kind | None) -> Profile:
    """The profile as it is. Raises ValueError for what the server cannot use; `kind` None: its own word is wrong."""
    for name in _POSITIVE:
        value = profile.get(name, 1.0)
        if isinstance(value, bool | str) or not 0 < value < float("inf"):
            raise ValueError(f"{name} is {value!r}, expected a number above 0")
    mapping = profile.get(PROFILE_NAME)
    if mapping is not None and not isinstance(mapping, str):
        raise ValueError(f"{PROFILE_NAME} is {mapping!r}, expected entries such as power_w:pwr")
    if mapping is not None and kind is not None:
        check_inputs(mapping, {quantity.field for quantity in kind.sent})
    return profile


def write_csv(devices: Iterable[Device]) -> Iterator[str]:
    """Lines that `read_csv` reads back as the same devices."""
    for row in _rows(devices):
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(row)
        yield line.getvalue()


def _rows(devices: Iterable[Device]) -> Iterator[Sequence[object]]:
    yield COLUMNS
    for d in devices:
        profile = json.dumps(dict(d.profile), ensure_ascii=False, sort_keys=True) if d.profile else ""
        lat, lon = (repr(x) if x is not None else "" for x in (d.lat, d.lon))
        name, district, owner = map(_guarded, (d.name, d.district, d.owner))
        yield (d.id, d.kind, d.tenant, name, district, lat, lon, d.crs, profile, owner)


_FORMULA = re.compile(r"'*[=+@-]")


def _guarded(word: str) -> str:
    """A text that a spreadsheet would take for a formula, kept a text by the sign that spreadsheets have for that."""
    return f"'{word}" if _FORMULA.match(word) else word


def _unguarded(word: str) -> str:
    return word[1:] if word[:1] == "'" and _FORMULA.match(word) else word


def _name(word: str) -> str:
    if not _ID.fullmatch(word):
        raise ValueError("expected 1 to 64 letters, digits or _ . : -")
    return word


def _text(word: str, most: int) -> str:
    if len(word) > most or _ODD.search(word):
        raise ValueError(f"expected at most {most} characters, none of them a control character")
    return word


def _one_of(word: str, allowed: Iterable[str]) -> str:
    if word not in allowed:
        raise ValueError(f"expected one of {', '.join(sorted(allowed))}")
    return word


def _degrees(word: str, bound: int) -> float:
    try:
        value = float(word)
    except ValueError:
        value = float("nan")
    if not -bound <= value <= bound:
        raise ValueError(f"expected -{bound} to {bound} degrees")
    return value


def _scalar(word: str) -> float | bool | str:
    if word in ("true", "false"):
        return word == "true"
    try:
        return float(word)
    except ValueError:
        return word
