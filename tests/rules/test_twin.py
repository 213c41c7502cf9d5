"""The columnar rules say exactly what the slow twin says, however the rows are cut into batches."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from citywarden.columns import Reading, from_readings
from citywarden.model.alert import Finding
from citywarden.model.device import Device
from citywarden.model.kind import JsonScalar
from rules import rulefile, thresholds
from rules.expression import check_condition
from tests.builders import KINDS, NOON_MS, device
from tests.rules.twin import Twin, TwinLevel

KIND = KINDS["waterlogging"]
BOOK: list[list[tuple[str, str | None, int]]] = [
    [("depth_cm > 4", "depth_cm < 2", 0), ("depth_cm > 8", "depth_cm < 6", 0), ("depth_cm >= 12", None, 0)],
    [("depth_cm > 4", None, 120_000)],
    [("depth_cm > 4 and rain_mm_h > 2", "rain_mm_h <= 1", 60_000), ("depth_cm > 8 or rain_mm_h > 8", None, 300_000)],
    [("rate(depth_cm, 10m) >= 4", "rate(depth_cm, 10m) < 2", 0)],
    [("mean(depth_cm, 5m) > 6", None, 90_000), ("maximum(depth_cm, 20m) - minimum(rain_mm_h, 5m) > 8", None, 0)],
    [("changes(rain_mm_h, 10m) >= 2 and not depth_cm == 0", "changes(rain_mm_h, 10m) == 0", 0)],
    [("default(rain_mm_h, 8) / depth_cm > 1 or min(depth_cm, battery_v) >= max(4, rain_mm_h)", None, 240_000)],
]
WORDS = ("info", "minor", "major")


def rule_text() -> str:
    lines = ["rules:"]
    for n, levels in enumerate(BOOK):
        lines += [f"  - id: r{n}", "    kind: waterlogging", "    hold: 4m", "    levels:"]
        for word, (when, reset, for_ms) in zip(WORDS, levels, strict=False):
            tail = f', reset: "{reset}"' if reset else ""
            lines.append(f'      {word}: {{when: "{when}"{tail}, for: {for_ms // 1000}s}}')
    return "\n".join(lines)


RULES = rulefile.parse(rule_text(), "twin.yaml", KINDS)
DEVICES = [device("waterlogging", f"d{i}") for i in range(3)]
Row = tuple[Device, int, Mapping[str, JsonScalar]]

values = st.fixed_dictionaries(
    {},
    optional={
        "depth_cm": st.integers(0, 14).map(float),
        "rain_mm_h": st.sampled_from([0.0, 1.0, 2.5, 9.0]),
        "battery_v": st.just(12.0),
    },
)
gaps = st.sampled_from([0, 20, 30, 60, 60, 60, 120, 300, 900])


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    """Rows of three devices in the order of their times, no two devices at the same millisecond."""
    rows: list[Row] = []
    for n, who in enumerate(DEVICES):
        at_ms = NOON_MS + n
        for gap, known in draw(st.lists(st.tuples(gaps, values), max_size=14)):
            at_ms += gap * 1000
            if known:
                rows.append((who, at_ms, known))
    return sorted(rows, key=lambda row: row[1])


def edge(rows: list[Row], cut: int) -> int:
    """Where to cut: rows of one moment stay together, or the clock would overtake them."""
    while 0 < cut < len(rows) and rows[cut][1] == rows[cut - 1][1]:
        cut += 1
    return min(cut, len(rows))


def judge(rows: list[Row], cuts: list[int], end_ms: int) -> list[Finding]:
    state = thresholds.start(RULES, KINDS, ZoneInfo("Asia/Shanghai"), NOON_MS)
    findings: list[Finding] = []
    for start, stop in pairwise(sorted({0, *(edge(rows, cut) for cut in cuts), len(rows)})):
        batch = from_readings(KIND, [Reading(who, at, at, known) for who, at, known in rows[start:stop]])
        state, found = thresholds.step(state, batch, rows[stop - 1][1])
        findings += found
    return findings + thresholds.step(state, None, end_ms)[1]


def said(findings: list[Finding]) -> list[tuple[str, str, int, int, bool]]:
    return sorted(
        (f.subject, f.rule, f.at_ms, WORDS.index(f.severity.word) + 1 if f.severity else 0, f.pending) for f in findings
    )


def twins(rows: list[Row], end_ms: int) -> list[tuple[str, str, int, int, bool]]:
    told = []
    for n, levels in enumerate(BOOK):
        for who in DEVICES:
            twin = Twin([twin_level(*level) for level in levels], hold_ms=240_000)
            for sender, at_ms, known in rows:
                if sender is who:
                    twin.take(at_ms, known)
            twin.wait(end_ms, inclusive=True)
            told += [(who.id, f"r{n}", at_ms, level, pending) for at_ms, level, pending in twin.said]
    return sorted(told)


def twin_level(when: str, reset: str | None, for_ms: int) -> TwinLevel:
    tree, wrong = check_condition(when, KIND, {})
    assert tree is not None, wrong
    fields = frozenset(q.field for q in KIND.quantities if q.field in when)
    return TwinLevel(tree, check_condition(reset, KIND, {})[0] if reset else None, for_ms, fields)


@settings(max_examples=100, deadline=None)
@given(histories(), st.lists(st.integers(0, 42), max_size=8), st.integers(0, 1200))
def test_any_split_says_what_the_twin_says(rows: list[Row], cuts: list[int], rest_s: int) -> None:
    end_ms = (rows[-1][1] if rows else NOON_MS) + rest_s * 1000
    assert said(judge(rows, cuts, end_ms)) == twins(rows, end_ms)


@settings(max_examples=30, deadline=None)
@given(histories(), st.lists(st.integers(0, 42), max_size=8), st.integers(1, 60))
def test_fast_senders_are_judged_alike_in_any_split(rows: list[Row], cuts: list[int], faster: int) -> None:
    rows = [(who, NOON_MS + (at - NOON_MS) // faster, known) for who, at, known in rows]
    rows.sort(key=lambda row: row[1])
    end_ms = (rows[-1][1] if rows else NOON_MS) + 600_000
    at_once = judge(rows, [], end_ms)
    assert sorted(map(repr, judge(rows, cuts, end_ms))) == sorted(map(repr, at_once))
    assert sorted(map(repr, judge(rows, list(range(len(rows))), end_ms))) == sorted(map(repr, at_once))


@settings(max_examples=30, deadline=None)
@given(histories(), st.data())
def test_late_and_repeated_rows_change_nothing(rows: list[Row], data: st.DataObject) -> None:
    end_ms = (rows[-1][1] if rows else NOON_MS) + 600_000
    expected = judge(rows, list(range(len(rows))), end_ms)
    state = thresholds.start(RULES, KINDS, ZoneInfo("Asia/Shanghai"), NOON_MS)
    findings: list[Finding] = []
    for n, (who, at_ms, known) in enumerate(rows):
        batch = [Reading(who, at_ms, at_ms, known)]
        state, found = thresholds.step(state, from_readings(KIND, batch), at_ms)
        findings += found
        same = [row for row in rows[: n + 1] if row[0] is who]
        again, when, late = data.draw(st.sampled_from(same))
        older = when < same[-1][1] or late == same[-1][2]
        if older and [r[1] for r in same].count(at_ms) == 1:
            repeat = from_readings(KIND, [Reading(again, when, at_ms, late)])
            state, found = thresholds.step(state, repeat, at_ms)
            findings += found
    findings += thresholds.step(state, None, end_ms)[1]
    assert said(findings) == said(expected)


@settings(max_examples=30, deadline=None)
@given(histories(), st.integers(0, 42))
def test_a_restart_in_between_changes_nothing(rows: list[Row], cut: int) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    end_ms = (rows[-1][1] if rows else NOON_MS) + 600_000
    state = thresholds.start(RULES, KINDS, zone, NOON_MS)
    findings: list[Finding] = []
    for n, (who, at_ms, known) in enumerate(rows):
        if n == cut:
            state = thresholds.load(RULES, KINDS, zone, thresholds.dump(state), at_ms)
        renewed = replace(who)
        state, found = thresholds.step(state, from_readings(KIND, [Reading(renewed, at_ms, at_ms, known)]), at_ms)
        findings += found
    findings += thresholds.step(state, None, end_ms)[1]
    assert said(findings) == said(judge(rows, list(range(len(rows))), end_ms))
