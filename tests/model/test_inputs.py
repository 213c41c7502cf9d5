"""How a model's names become ours."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citywarden.model.inputs import check_inputs, inputs_of, parse_inputs


@pytest.mark.parametrize(
    ("text", "item", "becomes"),
    [
        ("power_w:pwr", {"pwr": 3}, {"power_w": 3}),
        ("power_w:pwr", {"power_w": 4, "x": 1}, {"power_w": 4, "x": 1}),
        ("power_w:pwr*0.5", {"pwr": 3, "power_w": 9}, {"power_w": 1.5}),
        ("power_w:pwr*0.5", {"pwr": "much"}, {"power_w": "much"}),
        ("power_w:a.b.c", {"a": {"b": {"c": 1}}, "d": 2}, {"power_w": 1, "d": 2}),
        ("power_w:a.b", {"a": 7}, {}),
        ("ts:t*1000", {"t": 1.5}, {"ts": 1500}),
        ("on:lamp=on,commanded_on:want=true", {"lamp": "on", "want": True}, {"on": True, "commanded_on": True}),
        ("on:lamp=1", {"lamp": 0}, {"on": False}),
    ],
)
def test_names_are_replaced(text: str, item: dict[str, Any], becomes: dict[str, Any]) -> None:
    assert parse_inputs(text).apply(item) == becomes


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("power_w", "expected entries such as"),
        ("power_w:", "expected entries such as"),
        ("power_w:a..b", "an empty name"),
        ("power_w:a*x", "factor 'x'"),
        ("power_w:a*0", "factor '0'"),
        ("power_w:a,power_w:b", "power_w stands there twice"),
        ("colour:c", "colour: expected any of ts, power_w"),
    ],
)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("(", r"\(")):
        check_inputs(text, {"power_w"})


def test_a_profile_without_a_valid_mapping_has_none() -> None:
    assert inputs_of(3.0) is None
    assert inputs_of("power_w") is None


LEAVES = st.none() | st.booleans() | st.floats() | st.integers() | st.text()
VALUES = st.recursive(LEAVES, lambda below: st.lists(below) | st.dictionaries(st.sampled_from(["b", "c"]), below))


@given(st.dictionaries(st.sampled_from(["a", "b", "t", "x"]), VALUES))
def test_whatever_arrives_is_taken(item: dict[str, Any]) -> None:
    renamed = parse_inputs("ts:t*1000,power_w:a.b*1e308,on:b=1").apply(item)
    assert not {"a", "b", "t"} & renamed.keys()
