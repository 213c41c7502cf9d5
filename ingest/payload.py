"""Bytes of a payload to JSON values, or the reason why not."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from citywarden.model.message import Reject

MAX_DEPTH = 16
_TOGETHER = 256
"""Payloads read at once: one that is no JSON makes so many be read again."""
_TOO_DEEP = f"nested deeper than {MAX_DEPTH}"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why something is refused; `detail` names field, value and expectation."""

    reason: Reject
    detail: str


class NotJson(str):
    """Stands where the text had NaN or Infinity, which JSON does not have; holds the word."""

    __slots__ = ()


def parse(payload: bytes) -> object:
    r"""The JSON value, or a Refused.

    What strict JSON refuses for one number (`NaN`, `1e999`) or one half of a character (`\ud800`) is read again
    leniently, so that in an array only the item that has it is rejected, by the check of its fields.
    """
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        complaint = str(error)
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        return Refused(Reject.BAD_UTF8, f"payload: {error.reason} at byte {error.start}, expected UTF-8")
    if "depth" in complaint:
        return Refused(Reject.TOO_DEEP, f"payload: {_TOO_DEEP}")
    try:
        return json.loads(text, parse_constant=NotJson)
    except RecursionError:
        return Refused(Reject.TOO_DEEP, f"payload: {_TOO_DEEP}")
    except ValueError:
        return Refused(Reject.BAD_JSON, f"payload {shorten(text)}: {complaint}, expected JSON")


def parse_all(payloads: Sequence[bytes]) -> list[object]:
    """`parse` of each. Many at once cost half as much, so they are read as one array, parted by `null`.

    Nothing can hide in that: no payload has the letters `null`, so every `null` of the array is one of ours, and what
    stands between two of them came out of one payload, whole. Where that does not work out, each is read alone.
    """
    values: list[object] = []
    for start in range(0, len(payloads), _TOGETHER):
        some = payloads[start : start + _TOGETHER]
        values += _parse_together(some) or map(parse, some)
    return values


def _parse_together(payloads: Sequence[bytes]) -> list[object] | None:
    joined = b",null,".join(payloads)
    if joined.count(b"null") != len(payloads) - 1:
        return None
    try:
        found: list[object] = orjson.loads(b"[%b]" % joined)
    except orjson.JSONDecodeError:
        return None
    if len(found) != 2 * len(payloads) - 1 or found[1::2].count(None) != len(payloads) - 1:
        return None
    return found[::2]


def shorten(value: object, limit: int = 60) -> str:
    """The value as it stands in a detail: readable, of bounded length, always encodable."""
    if isinstance(value, NotJson):
        return str(value)
    if isinstance(value, str):
        value = value[: limit + 1]
    elif isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= limit else text[:limit] + "…"


def _children(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def too_deep(value: object, depth: int = 1) -> bool:
    """Whether `value`, itself at `depth`, goes deeper than MAX_DEPTH."""
    level = [value]
    while level:
        level = [child for one in level for child in _children(one) if isinstance(child, dict | list)]
        if level and depth >= MAX_DEPTH:
            return True
        depth += 1
    return False


def not_json(value: object) -> str | None:
    """What in a leniently read value JSON does not have, or None. The value must not be too deep."""
    if isinstance(value, NotJson):
        return str(value)
    if isinstance(value, float) and value - value != 0.0:
        return "a number too large"
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        return "half of a character"
    for child in _children(value):
        if (found := not_json(child)) is not None:
            return found
    if isinstance(value, dict):
        return not_json(list(value))
    return None
