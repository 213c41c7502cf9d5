"""The language: what is refused with which words, and what an expression is over columns."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citywarden.model.kind import Form, JsonScalar
from rules.evaluation import compile_condition
from rules.expression import check_condition
from rules.frame import RuleView, frame_of_rows
from rules.roster import Roster
from rules.rulebook import form_of_value
from tests.builders import KINDS, columns, device
from tests.rules.twin import evaluate

LAMP = KINDS["streetlight"]
WATER = KINDS["waterlogging"]

REFUSED = {
    "powerw > 3": "did you mean `power_w`",
    "power_w": "`power_w` is a number, expected true or false",
    "power_w and on": "`power_w` is a number",
    "on > 1": "compares numbers",
    "on == 1": "is a number, expected true or false",
    'power_w == "high"': "this is a text, expected a number",
    'fault < "b"': "`<` compares numbers",
    "power_w = 3": "expected `==`",
    "on && on": "expected `and`",
    "on and not": "the expression ends, expected a field",
    "on AND on": "must be written `and`",
    "(on": "expected `)`",
    "on)": "`)` is in the way",
    "power_w > 3 / 0": "division by zero",
    "rate(power_w) > 1": "expected rate(field, 10m)",
    "rate(power_w, 10) > 1": "expected rate(field, 10m)",
    "rate(on, 10m) > 1": "`on` is true or false, expected a number",
    "rate(power_w, 0s) > 1": "is empty",
    "rate(power_w, 400d) > 1": "too long",
    "changes(fault, 10m) > 1": "`fault` is a text",
    "abs(power_w, 1) > 1": "`abs` got 2, expected 1 number",
    "min(power_w) > 1": "expected 2 to 16 numbers",
    "meen(power_w, 5m) > 1": "did you mean `mean`",
    "night(6)": "expected night() or -18 to 0",
    "night": "`night` is a function",
    "night() > 1": "compares numbers",
    "device.id == 1": "expected profile.id",
    "profile > 1": "stands alone",
    "10m > 1": "stands alone",
    'fault == "lamp': "text is not closed",
    "power_w > 10x": "`10x` is not understood",
    "__import__('os')": "is no function",
    "power_w.real > 1": "is unknown",
    "[1] == [1]": "`[` is not understood",
    "default(power_w) > 1": "expected default(field, 0)",
    "": "is empty",
    "(" * 40 + "on" + ")" * 40: "nested too deeply",
    " and ".join(["on"] * 200): "words, expected at most",
    "on or " * 900 + "on": "characters, expected at most",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused_with_what_was_expected(text: str) -> None:
    node, wrong = check_condition(text, LAMP, {})
    assert node is None
    assert any(REFUSED[text] in line for line in wrong), wrong
    assert all("expected" in line for line in wrong), wrong


def test_all_mistakes_of_an_expression_at_once() -> None:
    _, wrong = check_condition("pwr > 1 and dimm_pct < rate(on, 3m) or foo()", LAMP, {})
    assert len(wrong) == 4


def truth(
    text: str, rows: Sequence[tuple[int, Mapping[str, JsonScalar]]], kind: str = "streetlight"
) -> list[bool | None]:
    """An expression over rows of one device, (seconds, values) each; values are held for 3 minutes."""
    node, wrong = check_condition(text, KINDS[kind], {})
    assert node is not None, wrong
    who = device(kind, profile={"nominal_power_w": 150.0, "site": "quay"})
    roster = Roster(KINDS[kind], [])
    batch = columns(kind, rows, who)
    slots = roster.slots(batch.devices, 0)
    roster.number = {q.field: np.full(roster.room, np.nan) for q in KINDS[kind].numeric}
    roster.text = {q.field: np.full(roster.room, None, object) for q in KINDS[kind].texts}
    roster.value_ms = {q.field: np.full(roster.room, -(1 << 60)) for q in KINDS[kind].quantities}
    roster.profile = {(n, f): np.full(roster.room, v) for (n, f), v in _profile(who.profile).items()}
    view = RuleView(frame_of_rows(roster, batch, slots), np.full(len(batch), 180_000), {})
    result = compile_condition(node)(view)
    assert not (result.yes & result.no).any()
    return [True if y else (False if n else None) for y, n in zip(result.yes, result.no, strict=True)]


def _profile(profile: Mapping[str, float | str | bool]) -> dict[tuple[str, Form], float | str | bool]:
    return {(name, form_of_value(value)): value for name, value in profile.items()}


def test_arithmetic_binds_as_usual() -> None:
    row: list[tuple[int, dict[str, JsonScalar]]] = [(0, {"power_w": 10.0, "dim_pct": 50.0, "on": True})]
    assert truth("power_w + 2 * 3 == 16 and -power_w / 4 == -2.5 and (power_w + 2) * 3 == 36", row) == [True]
    assert truth("not power_w > 10 and not (on and dim_pct < 50) or false", row) == [True]
    assert truth("0 < power_w <= 10 < dim_pct", row) == [True]
    assert truth("abs(0 - power_w) == max(1, power_w, 3) and min(power_w, dim_pct) == 10", row) == [True]
    assert truth("2 - 1 - 1 == 0 and 8 / 4 / 2 == 1", row) == [True]


def test_unknown_is_neither() -> None:
    row: list[tuple[int, dict[str, JsonScalar]]] = [(0, {"power_w": 10.0})]
    assert truth("dim_pct > 5", row) == [None]
    assert truth("not dim_pct > 5", row) == [None]
    assert truth("dim_pct != 5", row) == [None]
    assert truth("dim_pct > 5 and power_w > 20", row) == [False]
    assert truth("dim_pct > 5 or power_w < 20", row) == [True]
    assert truth("on != commanded_on", row) == [None]
    assert truth('fault == ""', row) == [None]
    assert truth("power_w / (power_w - 10) > 0", row) == [None]
    assert truth("default(dim_pct, 100) == 100 and default(on, true)", row) == [True]


def test_a_value_is_held_and_then_unknown() -> None:
    rows: list[tuple[int, dict[str, JsonScalar]]] = [
        (0, {"dim_pct": 50.0}), (180, {"on": True}), (181, {"on": True}), (200, {"dim_pct": 1.0}),
    ]  # fmt: skip
    assert truth("dim_pct > 5", rows) == [True, True, None, False]


def test_texts_and_profile() -> None:
    row: list[tuple[int, dict[str, JsonScalar]]] = [(0, {"fault": "lamp", "power_w": 100.0})]
    assert truth("fault == 'lamp' and fault != \"\"", row) == [True]
    assert truth('profile.site == "quay" and power_w < profile.nominal_power_w', row) == [True]


numbers = st.sampled_from(["depth_cm", "rain_mm_h", "0", "1", "2.5", "-3"])
sums = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner)
        .map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        .filter(lambda t: "/ 0" not in t),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
        inner.map(lambda t: f"abs({t})"),
        st.just("default(depth_cm, 2)"),
    ),
    max_leaves=5,
)  # fmt: skip
conditions = st.recursive(
    st.tuples(sums, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), sums).map(" ".join),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        inner.map(lambda t: f"not ({t})"),
    ),
    max_leaves=4,
)
known = st.fixed_dictionaries(
    {"battery_v": st.just(12.0)},
    optional={"depth_cm": st.integers(-3, 4).map(float), "rain_mm_h": st.integers(0, 4).map(float)},
)


@settings(max_examples=150, deadline=None)
@given(conditions, st.lists(st.tuples(st.integers(0, 200), known), min_size=1, max_size=6))
def test_columns_say_what_the_slow_interpreter_says(text: str, rows: list[tuple[int, dict[str, JsonScalar]]]) -> None:
    rows = sorted({at: (at, values) for at, values in rows}.values(), key=lambda row: row[0])
    node, _ = check_condition(text, WATER, {})
    assert node is not None
    readings = [(at * 1000, values) for at, values in rows]
    slow = [evaluate(node, readings[: n + 1], 180_000, {}) for n in range(len(readings))]
    assert truth(text, rows, "waterlogging") == slow
