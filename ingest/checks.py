"""What a payload of a kind must look like: one check that says why not, and its fast form for thousands at once.

`Checks.check` decides, item by item, in words. `Checks.gather` turns many items into columns and only suspects: every
item it does not suspect would pass the check.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from citywarden.columns import Bools, Floats, Ints
from citywarden.model.kind import Form, Kind, Quantity
from citywarden.model.message import MAX_FUTURE_MS, Reject
from ingest.payload import MAX_DEPTH, NotJson, Refused, not_json, shorten, too_deep
from ingest.timestamps import EARLIEST_MS, EXPECTED, LATEST_MS, parse_ts

MAX_TEXT = 256
"""Longest text value, in characters."""

Item = Mapping[str, Any]
"""A decoded JSON object: the one place where values have any type."""


class _Missing(float):
    """A NaN that can be told from every value a payload can have."""


MISSING = _Missing("nan")
_ALLOWED = {
    Form.NUMBER: frozenset({float, int, _Missing}),
    Form.FLAG: frozenset({bool, _Missing}),
    Form.TEXT: frozenset({str, _Missing}),
}
_odd_letter = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search


@dataclass(frozen=True, slots=True)
class Gathered:
    """n items as columns, in their order. `suspect`: those that `check` must look at; their values mean nothing yet."""

    ts_ms: Ints
    ts_given: Bools
    fields: Mapping[str, Floats]
    texts: Mapping[str, NDArray[np.object_]]
    suspect: Bools


class Checks:
    """The checks of one kind, made from its table."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._expected = {q.field: expectation(q) for q in kind.sent}
        self._names = frozenset(self._expected)

    def check(self, item: object, received_ms: int, depth: int = 1) -> Refused | None:
        """Why the item, at `depth` of its payload, is refused: the first reason that applies; None when it is fine."""
        if not isinstance(item, dict):
            return Refused(Reject.NOT_AN_OBJECT, f"{shorten(item)}: expected an object with fields of {self.kind.name}")
        if too_deep(item, depth):
            return Refused(Reject.TOO_DEEP, f"payload: nested deeper than {MAX_DEPTH}")
        if self._names.isdisjoint(item):
            known, given = ", ".join(sorted(self._names)), shorten(", ".join(map(str, item)))
            return Refused(Reject.EMPTY, f"no field of {self.kind.name} in {given}: expected any of {known}")
        refused = self._check_ts(item, received_ms) if "ts" in item else None
        if refused is not None:
            return refused
        for q in self.kind.sent:
            if q.field in item and (reason := judge(q, item[q.field])) is not None:
                return Refused(reason, f"{q.field}: {shorten(item[q.field])}, expected {self._expected[q.field]}")
        for q in self.kind.sent:
            if q.required and q.field not in item:
                return Refused(Reject.MISSING_FIELD, f"{q.field}: missing, expected {self._expected[q.field]}")
        for name, value in item.items():
            if (odd := not_json(value) or not_json(name)) is not None:
                return Refused(Reject.BAD_JSON, f"{shorten(name)}: {odd} is not JSON")
        return None

    def _check_ts(self, item: Item, received_ms: int) -> Refused | None:
        value = item["ts"]
        ts_ms = parse_ts(value)
        if ts_ms is None:
            return Refused(Reject.BAD_TS, f"ts: {shorten(value)}, expected {EXPECTED}, 2000 or later")
        if ts_ms > received_ms + MAX_FUTURE_MS:
            ahead_s, most_s = (ts_ms - received_ms) // 1000, MAX_FUTURE_MS // 1000
            detail = f"ts: {shorten(value)} is {ahead_s} s ahead of the receive time, expected at most {most_s} s"
            return Refused(Reject.FUTURE_TS, detail)
        return None

    def unknown(self, item: Item) -> list[str]:
        """Names in the item that the kind does not have."""
        return [name for name in item if name != "ts" and name not in self._names]

    def gather(self, items: Sequence[Item], received_ms: Ints) -> Gathered:
        """Columns of objects; never raises, whatever the values are."""
        ts_ms, ts_given, suspect = _gather_ts(items, received_ms)
        named = ts_given.astype(np.int64)
        fields: dict[str, Floats] = {}
        texts: dict[str, NDArray[np.object_]] = {}
        for q in self.kind.sent:
            values, odd = _pick(items, q)
            if q.form is Form.TEXT:
                texts[q.field], missing = _text_column(values, suspect)
            else:
                column = fields[q.field] = _number_column(values)
                missing = np.isnan(column)
                if q.form is Form.NUMBER:
                    suspect |= ~missing & ~((column >= _low(q)) & (column <= _high(q)))
            if odd is not None:
                suspect |= odd
            if q.required:
                suspect |= missing
            named += ~missing
        # More names than known ones: unknown fields to count, and perhaps depth or non-JSON hidden in them.
        suspect |= np.fromiter(map(len, items), np.int64, len(items)) != named
        suspect |= named == ts_given
        return Gathered(ts_ms, ts_given, fields, texts, suspect)


def _low(q: Quantity) -> float:
    return -sys.float_info.max if q.low is None else q.low


def _high(q: Quantity) -> float:
    return sys.float_info.max if q.high is None else q.high


def _pick(items: Sequence[Item], q: Quantity) -> tuple[list[Any], Bools | None]:
    """A field of every item, MISSING where there is none or its type is wrong; the mask of the wrong ones."""
    allowed, values = _ALLOWED[q.form], _values(items, q.field)
    if allowed.issuperset(map(type, values)):
        return values, None
    odd = np.fromiter((type(value) not in allowed for value in values), np.bool_, len(values))
    return [value if type(value) in allowed else MISSING for value in values], odd


def _values(items: Sequence[Item], name: str) -> list[Any]:
    """What each item has under the name, MISSING where nothing."""
    try:
        return list(map(itemgetter(name), items))
    except KeyError:
        return [item.get(name, MISSING) for item in items]


def _number_column(values: list[Any]) -> Floats:
    try:
        return np.array(values, np.float64)
    except OverflowError:
        return np.array([_as_float(value) for value in values], np.float64)


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _text_column(values: list[Any], suspect: Bools) -> tuple[NDArray[np.object_], Bools]:
    """Column with None where missing, and the mask of those; marks texts that are too long or hold odd letters."""
    column = np.empty(len(values), object)
    column[:] = values
    missing = np.fromiter((value is MISSING for value in values), np.bool_, len(values))
    column[missing] = None
    words = column[~missing].tolist()
    if words and (max(map(len, words)) > MAX_TEXT or _odd_letter("".join(words))):
        suspect |= np.fromiter(
            (w is not None and (len(w) > MAX_TEXT or _odd_letter(w) is not None) for w in column), np.bool_, len(column)
        )
    return column, missing


def _gather_ts(items: Sequence[Item], received_ms: Ints) -> tuple[Ints, Bools, Bools]:
    """Times (receive time where there is none), the mask of given ones, the mask of suspects."""
    times = _values(items, "ts")
    n = len(times)
    if set(map(type, times)) == {int} and min(times) >= EARLIEST_MS and max(times) <= LATEST_MS:
        ts_ms = np.array(times, np.int64)
        return ts_ms, np.ones(n, np.bool_), ts_ms > received_ms + MAX_FUTURE_MS
    received = received_ms.tolist()
    parsed = [r if ts is MISSING else parse_ts(ts) for ts, r in zip(times, received, strict=True)]
    given = np.fromiter((ts is not MISSING for ts in times), np.bool_, n)
    if None in parsed:
        suspect = np.fromiter((ts is None for ts in parsed), np.bool_, n)
        ts_ms = np.fromiter((ts or 0 for ts in parsed), np.int64, n)
    else:
        suspect, ts_ms = np.zeros(n, np.bool_), np.array(parsed, np.int64)
    return ts_ms, given, suspect | given & (ts_ms > received_ms + MAX_FUTURE_MS)


def judge(q: Quantity, value: object) -> Reject | None:
    """Why a value cannot be one of the quantity, or None. Types are exact: true is no number, and neither is "1.5"."""
    match q.form:
        case Form.FLAG:
            return None if isinstance(value, bool) else Reject.WRONG_TYPE
        case Form.TEXT:
            if not isinstance(value, str) or isinstance(value, NotJson):
                return Reject.WRONG_TYPE
            return Reject.OUT_OF_RANGE if len(value) > MAX_TEXT or _odd_letter(value) else None
        case Form.NUMBER:
            if isinstance(value, NotJson):
                return Reject.OUT_OF_RANGE
            if isinstance(value, bool) or not isinstance(value, int | float):
                return Reject.WRONG_TYPE
            return None if _low(q) <= value <= _high(q) else Reject.OUT_OF_RANGE


def expectation(q: Quantity) -> str:
    """What a value of the quantity must be, in words."""
    if q.form is Form.FLAG:
        return "true or false"
    if q.form is Form.TEXT:
        return f"text of at most {MAX_TEXT} characters without control characters"
    unit = f" {q.unit}" if q.unit else ""
    if q.low is None and q.high is None:
        return f"a finite number{unit and f' in{unit}'}"
    if q.high is None:
        return f"a number of at least {q.low:g}{unit}"
    if q.low is None:
        return f"a number of at most {q.high:g}{unit}"
    return f"a number from {q.low:g} to {q.high:g}{unit}"
