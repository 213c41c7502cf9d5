"""The `tests:` part of a rule file."""

import math
from collections.abc import Mapping
from datetime import datetime

from citywarden.model.alert import Severity
from citywarden.model.kind import Form, JsonScalar, Kind, Quantity
from rules import spans
from rules.document import Entry, Fields, Scalar
from rules.expression import did_you_mean
from rules.rulebook import Case

CASE_KEYS = ("name", "rule", "every", "given", "expect", "start", "profile", "at")
STANDINGS = ("ok", *(severity.word for severity in Severity), "pending", "no_data")
MAX_STEPS = 20_000


def parse_cases(entry: Entry, known: Mapping[str, Kind | None]) -> tuple[Case, ...]:
    """The cases; `known` is the kind of every rule id in the file. What is wrong is noted in the entry's problems."""
    cases = (_case(item, known) for item in entry.items("a list of test cases"))
    return tuple(case for case in cases if case is not None)


def _case(entry: Entry, known: Mapping[str, Kind | None]) -> Case | None:
    before = len(entry.problems.found)
    parts = entry.fields(CASE_KEYS, "a mapping with name, rule, every, given and expect")
    if not parts.by_name:
        return None
    name = _text(parts, "name", "a text")
    rule = _text(parts, "rule", "the id of a rule in this file")
    if rule and rule not in known:
        parts.by_name["rule"].wrong(
            f"`{rule}` is no rule of this file{did_you_mean(rule, list(known))}, expected its id"
        )
    every = _text(parts, "every", spans.EXPECTED)
    every_ms = spans.read_span(every) if every else 1
    if not every_ms:
        parts.by_name["every"].wrong(f"`{every}` is no such duration, expected {spans.EXPECTED}")
    expect = _expect(parts)
    case = Case(
        name=name or "",
        rule=rule or "",
        line=entry.line,
        every_ms=every_ms or 1,
        given=_given(parts, known.get(rule or ""), len(expect)),
        expect=expect,
        start_ms=_start(parts.get("start")),
        profile=_values(parts.get("profile")),
        at=_place(parts.get("at")),
    )
    return case if len(entry.problems.found) == before else None


def _text(parts: Fields, name: str, expected: str) -> str | None:
    entry = parts.need(name, expected)
    return entry.text(expected) if entry else None


def _expect(parts: Fields) -> tuple[str, ...]:
    expected = f"a list of {', '.join(STANDINGS)}"
    entry = parts.need("expect", expected)
    words = []
    for item in entry.items(expected) if entry else ():
        word = item.text(expected)
        if word and word not in STANDINGS:
            item.wrong(f"`{word}` is unknown{did_you_mean(word, STANDINGS)}, expected one of {', '.join(STANDINGS)}")
        words.append(word or "")
    if entry and (not words or len(words) > MAX_STEPS) and entry.shown == "a list":
        entry.wrong(f"{len(words)} steps, expected 1 to {MAX_STEPS}")
    return tuple(words)


def _given(parts: Fields, kind: Kind | None, steps: int) -> dict[str, tuple[JsonScalar | None, ...]]:
    entry = parts.need("given", "fields with one value a step")
    if entry is None:
        return {}
    names = [q.field for q in kind.quantities] if kind else None
    columns: dict[str, tuple[JsonScalar | None, ...]] = {}
    for name, column in entry.fields(names, "fields with one value a step such as {depth_cm: [1, 20]}"):
        items = column.items("one value a step")
        if len(items) != steps and column.shown == "a list":
            column.wrong(f"{len(items)} values, expected {steps} as in `expect`")
        quantity = kind.quantity(name) if kind else None
        columns[name] = tuple(_value(item, quantity) for item in items)
    return columns


def _value(entry: Entry, quantity: Quantity | None) -> JsonScalar | None:
    value = entry.scalar
    if value is None or quantity is None:
        if value is None and entry.shown in ("a list", "a mapping"):
            entry.wrong(f"{entry.shown} is no value, expected one value or null")
        return value
    fits = {
        Form.NUMBER: isinstance(value, int | float) and not isinstance(value, bool),
        Form.FLAG: isinstance(value, bool),
        Form.TEXT: isinstance(value, str),
    }[quantity.form]
    if not fits:
        wanted = {Form.NUMBER: "a number", Form.FLAG: "true or false", Form.TEXT: "a text"}[quantity.form]
        entry.wrong(f"`{value}` is no value of {quantity.field}, expected {wanted} or null")
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = quantity.low, quantity.high
        if math.isnan(value) or (low is not None and value < low) or (high is not None and value > high):
            entry.wrong(f"{value} is out of range, expected {quantity.field} from {low} to {high}")
    return value


def _start(entry: Entry | None) -> int | None:
    expected = "a time with offset such as 2026-11-22T20:00:00+08:00"
    text = entry.text(expected) if entry else None
    if entry is None or text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        entry.wrong(f"`{text}` is no time, expected {expected}")
        return None
    return round(when.timestamp() * 1000)


def _values(entry: Entry | None) -> dict[str, float | str | bool]:
    found: dict[str, float | str | bool] = {}
    for name, value in entry.fields(None, "a profile such as {nominal_power_w: 150}") if entry else ():
        known: Scalar = value.scalar
        if known is None:
            value.wrong(f"{value.shown} is no value, expected a number, true, false or a text")
        else:
            found[name] = known
    return found


def _place(entry: Entry | None) -> tuple[float, float] | None:
    if entry is None:
        return None
    numbers = [item.scalar for item in entry.items("[latitude, longitude]")]
    match numbers:
        case [int() | float() as lat, int() | float() as lon] if abs(lat) <= 90 and abs(lon) <= 180:
            return float(lat), float(lon)
    entry.wrong(f"{numbers} is no place, expected [latitude, longitude] in degrees")
    return None
