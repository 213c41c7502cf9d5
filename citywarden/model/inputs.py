"""How a model of device names what it sends: its own names to the fields of the kind.

Written in a device's profile as `input`, entries by commas:

    power_w:pwr               the field is sent as `pwr`
    depth_cm:data.level*0.1   ... inside the object `data`, in a unit that is a tenth of ours
    on:lamp=1                 a yes/no field: yes when `lamp` is `1`, no when it is anything else
    ts:time*1000              the time, here in seconds
"""

import math
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

PROFILE_NAME = "input"
_ENTRY = re.compile(r"(?P<field>\w+):(?P<path>[^,:*=]+)(?:\*(?P<factor>[^,:*=]+)|=(?P<word>[^,:*=]*))?")
_SYNTAX = "expected entries such as power_w:pwr, depth_cm:data.level*0.1 or on:lamp=1, by commas"


@dataclass(frozen=True, slots=True)
class Entry:
    """One field: where it stands, what it is multiplied by, or the word that means yes."""

    field: str
    path: tuple[str, ...]
    factor: float | None = None
    word: str | None = None


class Inputs:
    """The names of one model. `apply` is total: what does not fit is left for the checks to refuse."""

    __slots__ = ("_replaced", "entries")

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries
        self._replaced = frozenset(entry.path[0] for entry in entries)

    def apply(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """The item with the kind's names; what the model does not name stays."""
        renamed = {name: value for name, value in item.items() if name not in self._replaced}
        for entry in self.entries:
            value: Any = item
            for name in entry.path:
                value = value.get(name, _ABSENT) if isinstance(value, dict) else _ABSENT
            if value is not _ABSENT:
                renamed[entry.field] = _convert(entry, value)
        return renamed


_ABSENT = object()


def _convert(entry: Entry, value: object) -> object:
    if entry.word is not None:
        return _as_word(value) == entry.word
    if entry.factor is None or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    try:
        scaled = value * entry.factor
        return round(scaled) if entry.field == "ts" else scaled
    except (OverflowError, ValueError):
        return value


def _as_word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(maxsize=1024)
def parse_inputs(text: str) -> Inputs:
    """The mapping a profile's `input` describes. Raises ValueError that says which entry is wrong."""
    entries: dict[str, Entry] = {}
    for part in text.split(","):
        found = _ENTRY.fullmatch(part.strip())
        if found is None:
            raise ValueError(f"{part.strip()!r}: {_SYNTAX}")
        path = tuple(name.strip() for name in found["path"].split("."))
        if not all(path):
            raise ValueError(f"{part.strip()!r}: an empty name")
        if found["field"] in entries:
            raise ValueError(f"{found['field']} stands there twice")
        entries[found["field"]] = Entry(found["field"], path, _factor(found["factor"]), found["word"])
    return Inputs(tuple(entries.values()))


def _factor(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not math.isfinite(factor) or factor == 0:
        raise ValueError(f"factor {text!r}: expected a number other than 0")
    return factor


def check_inputs(text: str, fields: Set[str]) -> None:
    """Raises ValueError when the text is no mapping to `fields` and `ts`."""
    unknown = [entry.field for entry in parse_inputs(text).entries if entry.field not in fields and entry.field != "ts"]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: expected any of ts, {', '.join(sorted(fields))}")


def inputs_of(text: object) -> Inputs | None:
    """The mapping of a profile's value; None for what is none (only valid ones are registered)."""
    try:
        return parse_inputs(text) if isinstance(text, str) else None
    except ValueError:
        return None
