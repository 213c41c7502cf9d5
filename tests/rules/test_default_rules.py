"""The rules that come with the server pass their own cases, speak both languages, and every rule has a case."""

from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest

from rules import cases, rulefile
from tests.builders import KINDS

TEXT = files("rules").joinpath("default.yaml").read_text("utf-8")
BOOK = rulefile.parse(TEXT, "rules/default.yaml", KINDS)


@pytest.mark.parametrize("result", cases.run(BOOK, KINDS, ZoneInfo("Asia/Shanghai")), ids=lambda r: r.name)
def test_its_cases(result: cases.CaseResult) -> None:
    assert result.passed, result.text


def test_every_rule_has_a_case() -> None:
    assert {rule.id for rule in BOOK.rules} == {case.rule for case in BOOK.cases}


def test_every_rule_with_levels_speaks_chinese_and_english() -> None:
    assert all(set(rule.summary) == {"zh-CN", "en"} for rule in BOOK.rules if rule.levels)
