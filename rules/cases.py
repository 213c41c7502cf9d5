"""Runs the test cases written beside the rules, on the same `thresholds.step` as the live server."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from citywarden.columns import Reading, from_readings
from citywarden.model.device import Device
from citywarden.model.kind import Form, JsonScalar, Kind, Kinds
from rules import thresholds
from rules.rulebook import Case, Rule, RuleBook
from rules.spans import write_span

SHENZHEN = (22.5431, 114.0579)
"""Where a case takes place that names no `at`."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """Outcome of a case. `expected` and `got` have one word a step; `text`: the steps when they differ."""

    name: str
    rule: str
    line: int
    passed: bool
    expected: tuple[str, ...]
    got: tuple[str, ...]
    text: str


def run(book: RuleBook, kinds: Kinds, timezone: ZoneInfo) -> list[CaseResult]:
    """Every case of the book, in order.

    A case without `start` begins on 2026-06-01 in `timezone`: at noon, or when the hours of its rule begin.
    """
    return [_result(case, book, kinds, timezone) for case in book.cases]


def _result(case: Case, book: RuleBook, kinds: Kinds, timezone: ZoneInfo) -> CaseResult:
    got = tuple(_steps(case, book, kinds, timezone))
    passed = got == case.expect
    text = "" if passed else _table(case, got, f"{book.file}:{case.line}")
    return CaseResult(case.name, case.rule, case.line, passed, case.expect, got, text)


def _steps(case: Case, book: RuleBook, kinds: Kinds, timezone: ZoneInfo) -> Iterator[str]:
    alone = book.only(case.rule)
    kind = kinds[alone.rules[0].kind]
    lat, lon = case.at or SHENZHEN
    device = Device("test", kind.name, "case", name=case.name, lat=lat, lon=lon, profile=case.profile)
    start_ms = case.start_ms if case.start_ms is not None else _usual_start(alone.rules[0], timezone)
    state = thresholds.start(alone, kinds, timezone, start_ms)
    state = thresholds.enroll(state, [device], start_ms)
    for i in range(len(case.expect)):
        at_ms = start_ms + i * case.every_ms
        values = _values(case.given, kind, i)
        columns = from_readings(kind, [Reading(device, at_ms, at_ms, values)]) if values else None
        state, _ = thresholds.step(state, columns, at_ms)
        yield thresholds.standing(state, case.rule, device.key)


def _usual_start(rule: Rule, timezone: ZoneInfo) -> int:
    hour, minute = divmod(rule.schedule.start_min, 60) if rule.schedule else (12, 0)
    return round(datetime(2026, 6, 1, hour, minute, tzinfo=timezone).timestamp() * 1000)


def _values(given: Mapping[str, Sequence[JsonScalar | None]], kind: Kind, step: int) -> dict[str, JsonScalar]:
    values: dict[str, JsonScalar] = {}
    for name, column in given.items():
        value, quantity = column[step], kind.quantity(name)
        if value is not None and quantity is not None:
            values[name] = float(value) if quantity.form is Form.NUMBER else value
    return values


def _table(case: Case, got: Sequence[str], place: str) -> str:
    """The steps around each difference, one a line, with what was given."""
    wrong = [i for i, (want, have) in enumerate(zip(case.expect, got, strict=True)) if want != have]
    shown = sorted({i for at in wrong[:10] for i in (at - 1, at, at + 1) if 0 <= i < len(got)})
    head = ["step", "time", *case.given, "expected", "got"]
    rows = [head]
    for i in shown:
        cells = ["-" if column[i] is None else _cell(column[i]) for column in case.given.values()]
        mark = "  <-- differs" if i in wrong else ""
        rows.append([str(i + 1), write_span(i * case.every_ms), *cells, case.expect[i], got[i] + mark])
    widths = [max(len(row[c]) for row in rows) for c in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    more = f"\n  and {len(wrong) - 10} more" if len(wrong) > 10 else ""
    title = f"{place}: {case.name}: {case.rule} differs in {len(wrong)} of {len(got)} steps"
    return title + "".join(f"\n  {line}" for line in lines) + more


def _cell(value: JsonScalar | None) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value}"
