"""What the rules remember as bytes, and back, also under a rule book that has changed since.

Only what stands out is written: devices, their held values and windows, and the devices that are not simply ok.
What no longer fits is left out: a changed rule keeps the levels it still has, but no waiting; a field or window that no
rule reads any more is dropped. Whether a device is watched for silence is not kept: that begins anew at the start.
"""

import zlib
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson

from citywarden.columns import Ints
from citywarden.model.device import Device
from citywarden.model.kind import Kinds
from rules.archive import Array, Content, pack, unpack
from rules.evaluation import Words
from rules.levels import Levels
from rules.memory import KindState, State, start
from rules.roster import NEVER_MS
from rules.rulebook import RuleBook

VERSION = 2
_PACKED_ALONE = 1
"""The version whose texts and times were written for every device, in an archive that was compressed as a whole."""

_Header = dict[str, Any]


def capture(state: State) -> Content:
    """Everything the rules remember, as it is now: copies."""
    arrays: dict[str, Array] = {}
    header: dict[str, _Header] = {}
    for name, part in state.kinds.items():
        if part.roster.slot_of and (part.levels or part.silences):
            header[name] = _dump_kind(part, name, arrays)
    return Content({"version": VERSION, "kinds": header}, arrays)


def dump(state: State) -> bytes:
    """`capture` packed."""
    return pack(capture(state))


def _dump_kind(part: KindState, name: str, arrays: dict[str, Array]) -> _Header:
    roster = part.roster
    slots = np.fromiter(roster.slot_of.values(), np.int64, len(roster.slot_of))
    newest_ms = arrays[f"{name}/newest_ms"] = roster.newest_ms[slots]
    for field, number in roster.number.items():
        arrays[f"{name}/number/{field}"] = number[slots]
    for field, column in roster.value_ms.items():
        value_ms = column[slots]
        older = np.flatnonzero(value_ms != newest_ms)
        arrays[f"{name}/older/{field}"] = older
        arrays[f"{name}/older_ms/{field}"] = value_ms[older]
    for field, first_ms in roster.first_ms.items():
        arrays[f"{name}/first_ms/{field}"] = first_ms[slots]
    words: dict[str, list[str]] = {}
    for field, text in roster.text.items():
        words[field], arrays[f"{name}/text/{field}"] = _coded(text[slots])
    for (function, field, span_ms), history in roster.histories.items():
        prefix = f"{name}/window/{function}/{field}/{span_ms}"
        rank, at_ms, value, weight = history.dump(slots)
        arrays[f"{prefix}/rank"], arrays[f"{prefix}/at_ms"] = rank, at_ms
        arrays[f"{prefix}/value"], arrays[f"{prefix}/weight"] = value, weight
    for rule_id, levels in part.levels.items():
        _dump_levels(levels, slots, f"{name}/levels/{rule_id}", arrays)
    for rule_id, silence in part.silences.items():
        arrays[f"{name}/silent/{rule_id}"] = np.flatnonzero(silence.silent[slots])
    return {
        "keys": orjson.Fragment(roster.names()),
        "texts": words,
        "rules": {rule_id: [levels.rule.text] for rule_id, levels in part.levels.items()},
        "severities": {
            rule_id: [level.severity.word for level in levels.rule.levels] for rule_id, levels in part.levels.items()
        },
    }


def _coded(words: Words) -> tuple[list[str], Array]:
    """The different words, and of each device the index of its word, -1 for none (n,)."""
    given = words.tolist()
    known = [word for word in dict.fromkeys(given) if word is not None]
    code: dict[str | None, int] = {word: i for i, word in enumerate(known)} | {None: -1}
    return known, np.fromiter(map(code.__getitem__, given), np.int32, len(given))


def _dump_levels(levels: Levels, slots: Ints, name: str, arrays: dict[str, Array]) -> None:
    standing = (levels.level[slots] > 0) | (levels.pending[slots] > 0)
    for i in levels.timed:
        standing |= levels.since_ms[i][slots] >= 0
    rank = np.flatnonzero(standing)
    some = slots[rank]
    arrays[f"{name}/rank"] = rank
    arrays[f"{name}/level"] = levels.level[some]
    arrays[f"{name}/pending"] = levels.pending[some]
    arrays[f"{name}/changed_ms"] = levels.changed_ms[some]
    for i in levels.timed:
        arrays[f"{name}/since_ms/{i}"] = levels.since_ms[i][some]
        arrays[f"{name}/until_ms/{i}"] = levels.until_ms[i][some]


def load(book: RuleBook, kinds: Kinds, timezone: ZoneInfo, data: bytes, now_ms: int) -> State:
    """The state of a dump under `book`. Raises ValueError when the bytes are no dump of this version.

    Devices are known by their keys; enrol those of the registry afterwards, so that they have their facts again.
    """
    state = start(book, kinds, timezone, now_ms)
    try:
        found, arrays = unpack(data) if data[:2] == b"PK" else unpack(zlib.decompress(data), "header")
        version = found["version"]
        if version not in (_PACKED_ALONE, VERSION):
            raise ValueError(f"the dump has version {version}, expected {VERSION}")
        for name, known in found["kinds"].items():
            if name in state.kinds:
                _load_kind(state.kinds[name], name, known, arrays)
    except (zlib.error, ValueError, KeyError, IndexError, TypeError) as error:
        raise ValueError(f"no dump of rule state: {error}") from error
    return state


def _load_kind(part: KindState, name: str, facts: _Header, arrays: Mapping[str, Array]) -> None:
    roster = part.roster
    tenants, ids = facts["keys"]["tenant"], facts["keys"]["id"]
    slots = part.enroll([Device(tenant, name, key) for tenant, key in zip(tenants, ids, strict=True)], NEVER_MS)
    newest_ms = roster.newest_ms[slots] = arrays[f"{name}/newest_ms"]
    for field, number in roster.number.items():
        if f"{name}/number/{field}" in arrays:
            number[slots] = arrays[f"{name}/number/{field}"]
            roster.value_ms[field][slots] = _value_ms(name, field, newest_ms, arrays)
    for field, words in roster.text.items():
        if field in facts["texts"]:
            words[slots] = _words(facts["texts"][field], arrays.get(f"{name}/text/{field}"))
            roster.value_ms[field][slots] = _value_ms(name, field, newest_ms, arrays)
    for field, first_ms in roster.first_ms.items():
        if f"{name}/first_ms/{field}" in arrays:
            first_ms[slots] = arrays[f"{name}/first_ms/{field}"]
    for (function, field, span_ms), history in roster.histories.items():
        prefix = f"{name}/window/{function}/{field}/{span_ms}"
        if f"{prefix}/rank" in arrays:
            rank, at_ms = (arrays[f"{prefix}/{column}"].astype(np.int64) for column in ("rank", "at_ms"))
            value, weight = (arrays[f"{prefix}/{column}"].astype(np.float64) for column in ("value", "weight"))
            history.load(slots, rank, at_ms, value, weight)
    for rule_id, levels in part.levels.items():
        if rule_id in facts["rules"]:
            same = facts["rules"][rule_id] == [levels.rule.text]
            _load_levels(levels, slots, f"{name}/levels/{rule_id}", facts["severities"][rule_id], same, arrays)
    for rule_id, silence in part.silences.items():
        if f"{name}/silent/{rule_id}" in arrays:
            silence.silent[slots[arrays[f"{name}/silent/{rule_id}"]]] = True


def _value_ms(name: str, field: str, newest_ms: Array, arrays: Mapping[str, Array]) -> Array:
    if f"{name}/value_ms/{field}" in arrays:
        return arrays[f"{name}/value_ms/{field}"]
    value_ms = newest_ms.copy()
    value_ms[arrays[f"{name}/older/{field}"]] = arrays[f"{name}/older_ms/{field}"]
    return value_ms


def _words(words: list[str], codes: Array | None) -> Words:
    """The word of each device. Without codes (the version before) there is one for each, after an equals sign."""
    if codes is None:
        return np.array([word[1:] if word else None for word in words], object)
    return np.array([*words, None], object)[codes]


def _load_levels(
    levels: Levels, slots: Ints, name: str, words: list[str], same: bool, arrays: Mapping[str, Array]
) -> None:
    some = slots[arrays[f"{name}/rank"]]
    now = [level.severity.word for level in levels.rule.levels]
    places = np.array([0, *(now.index(word) + 1 if word in now else 0 for word in words)], np.int8)
    levels.level[some] = places[arrays[f"{name}/level"]]
    levels.changed_ms[some] = arrays[f"{name}/changed_ms"]
    if same:
        levels.pending[some] = arrays[f"{name}/pending"]
        for i in levels.timed:
            levels.since_ms[i][some] = arrays[f"{name}/since_ms/{i}"]
            levels.until_ms[i][some] = arrays[f"{name}/until_ms/{i}"]
    levels.stir()
