"""The features of a GeoJSON text one after the other: a province's plan is large, and only what is made of it stays."""

import json
import re
from collections.abc import Iterator, Mapping

_SPACE = re.compile(r"[ \t\n\r]*")
_SCAN = json.JSONDecoder().raw_decode


def open_collection(text: str) -> tuple[Mapping[str, object], Iterator[object]] | None:
    """(everything but the features, the features in order), or None when the text is no object with a list of them.

    Raises json.JSONDecodeError when the text is not JSON; RecursionError when it is nested too deeply.
    """
    outline = _outline(text)
    if outline is not None:
        head, at = outline
        return head, _elements(text, at)
    document = json.loads(text)
    if not isinstance(document, dict) or not isinstance(features := document.pop("features", None), list):
        return None
    return document, iter(features)


def _outline(text: str) -> tuple[dict[str, object], int] | None:
    """The members of the text's object but for `features`, and where that begins; None for what is not plain."""
    head: dict[str, object] = {}
    begin: int | None = None
    at = _past(text, 0)
    if text[at : at + 1] != "{":
        return None
    try:
        more = True
        at = _past(text, at + 1)
        while more:
            name, at = _SCAN(text, at)
            at = _past(text, at)
            if not isinstance(name, str) or name in head or text[at : at + 1] != ":":
                return None
            at = _past(text, at + 1)
            if name != "features":
                head[name], at = _SCAN(text, at)
            elif text[at : at + 1] != "[" or begin is not None:
                return None
            else:
                begin, at = at, _end(text, at)
            at, more = _after(text, at, "}")
    except ValueError:
        return None
    return (head, begin) if begin is not None and at == len(text) else None


def _elements(text: str, at: int) -> Iterator[object]:
    """The elements of the array that begins at `at`; it is known to be a whole one."""
    at, more = _past(text, at + 1), True
    if text[at] == "]":
        return
    while more:
        value, at = _SCAN(text, at)
        yield value
        at, more = _after(text, at, "]")


def _end(text: str, at: int) -> int:
    """What comes after the array that begins at `at`. Raises ValueError when it is none."""
    at, more = _past(text, at + 1), True
    if text[at : at + 1] == "]":
        return at + 1
    while more:
        _, at = _SCAN(text, at)
        at, more = _after(text, at, "]")
    return at


def _after(text: str, at: int, close: str) -> tuple[int, bool]:
    """(what comes after a value and its comma or `close`, whether it was a comma). Raises ValueError."""
    at = _past(text, at)
    sign = text[at : at + 1]
    if not sign or sign not in (",", close):
        raise ValueError(f"expected a comma or {close}")
    return _past(text, at + 1), sign == ","


def _past(text: str, at: int) -> int:
    """The next place that is not blank."""
    found = _SPACE.match(text, at)
    return at if found is None else found.end()
