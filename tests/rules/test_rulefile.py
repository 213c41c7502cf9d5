"""Rule files: every problem at once, with file, line, key, what is wrong and what was expected."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from citywarden.model.alert import Severity
from citywarden.model.errors import ConfigurationError
from rules import cases, rulefile
from rules.expression import FUNCTIONS
from rules.schedule import Schedule
from tests.builders import KINDS

ZONE = ZoneInfo("Asia/Shanghai")

CONTRACT = """\
rules:
  - id: gas.methane                    # unique; also the alert's rule
    kind: gas
    levels:                            # any of info, minor, major, critical; the highest that holds counts
      major:    {when: "methane_lel_pct >= 25", reset: "methane_lel_pct < 20", for: 0s}
      critical: {when: "methane_lel_pct >= 50", reset: "methane_lel_pct < 45"}
    no_data: 10m                       # optional: raises <id>.no_data, by timer
    schedule: "22:00-06:00"            # optional, tenant's time zone
    summary: {zh-CN: "甲烷 {methane_lel_pct} %LEL", en: "Methane {methane_lel_pct} %LEL"}
tests:
  - name: comes and goes
    rule: gas.methane
    every: 10s                         # one value a step
    given: {methane_lel_pct: [10, 30, 22, 19, 55, 46, 44, 10]}
    expect: [ok, major, major, ok, critical, critical, major, ok]
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        rulefile.parse(text, "city.yaml", KINDS)
    return str(caught.value).splitlines()


def test_the_contracts_example() -> None:
    book = rulefile.parse(CONTRACT, "city.yaml", KINDS)
    (rule,) = book.rules
    assert (rule.id, rule.kind, rule.line, rule.no_data_ms) == ("gas.methane", "gas", 2, 600_000)
    assert [level.severity for level in rule.levels] == [Severity.MAJOR, Severity.CRITICAL]
    assert rule.schedule == Schedule(22 * 60, 6 * 60)
    assert [result.passed for result in cases.run(book, KINDS, ZONE)] == [True]


def test_the_manuals_example() -> None:
    manual = Path(__file__).parents[2].joinpath("docs", "rules.md").read_text("utf-8")
    text = manual.split("```yaml\n")[1].split("```")[0]
    results = cases.run(rulefile.parse(text, "docs/rules.md", KINDS), KINDS, ZONE)
    assert [result.passed for result in results] == [True]


def test_the_manual_names_every_function_and_key() -> None:
    manual = Path(__file__).parents[2].joinpath("docs", "rules.md").read_text("utf-8")
    assert all(f"`{name}" in manual for name in (*FUNCTIONS, *rulefile.RULE_KEYS, *rulefile.LEVEL_KEYS))


def test_every_problem_at_once_with_its_line() -> None:
    text = """\
rules:
  - id: gas.methane
    kind: gaz
    levels: {major: {when: "methane_lel_pct >= 25"}}
  - id: a
    kind: gas
    no_dta: 10m
    schedule: 22-06
    hold: [1]
    summary: {en: "Methane {methane_lel}"}
    levels:
      majr:  {when: "o2_pct > 1"}
      minor: {when: "metane_lel_pct > 2", for: 5x}
      major: {reset: "o2_pct > 1"}
  - id: a
    kind: gas
    kind: gas
    no_data: soon
tests:
  - name: one
    rule: gas.methan
    every: 10
    given: {methane_lel_pct: [10, 300, on]}
    expect: [ok, majo]
fou: 1
"""
    lines = problems(text)
    assert lines[0] == (
        "city.yaml:3: gas.methane.kind: `gaz` is no kind, did you mean `gas`?, "
        "expected one of gas, streetlight, vehicle, waterlogging"
    )
    places = [line.split(": ")[0].removeprefix("city.yaml:") + " " + line.split(": ")[1] for line in lines]
    assert places == [
        "3 gas.methane.kind", "7 a.no_dta", "8 a.schedule", "9 a.hold", "10 a.summary.en", "12 a.levels.majr",
        "13 a.levels.minor.for", "13 a.levels.minor.when", "14 a.levels.major", "15 a", "17 a.kind", "18 a.no_data",
        "21 tests[0].rule", "22 tests[0].every", "23 tests[0].given.methane_lel_pct", "24 tests[0].expect[1]", "25 fou",
    ]  # fmt: skip
    assert all("expected" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("rules: [", "expected YAML"),
        ("rules: {a: 1}", "is no list"),
        ("[]", "is no mapping"),
        ("rules:\n  - id: x\n    kind: gas\n", "nothing to judge"),
        ("a: &a [1]\nrules: *a", "aliases are not supported"),
        ("rules: " + "[" * 50 + "]" * 50, "nested too deeply"),
        ("#" * 300_000, "bytes, expected at most"),
        ("rules: !!python/object/apply:os.system ['true']", "is no mapping"),
        ("rules:\n  - {id: 'a b', kind: gas, no_data: 1m}", "is no id"),
        ("rules:\n  - {id: a.no_data, kind: gas, no_data: 1m}", "is no id"),
        ("rules:\n  - {id: a, kind: gas, no_data: 1m, runbook: 'javascript:x'}", "is no address"),
        ("rules:\n  - {id: a, kind: gas, no_data: 1m, no_data_severity: mayor}", "did you mean `major`"),
        ("rules:\n  - {id: a, kind: gas, no_data: 0s}", "is no such duration"),
        ("rules:\n  - {id: a, kind: gas, no_data: 1m, profile: {x: [1]}}", "is no default"),
        ("rules:\n  - {id: a, kind: gas, no_data: 1m, summary: {en: '{o2_pct:.3f}'}}", "has a format"),
        ("rules:\n  - {id: a, kind: gas, no_data: 1m, schedule: '06:00-06:00'}", "is no schedule"),
        ("rules:\n  - {id: a, kind: gas, levels: {}}", "it has no level"),
    ],
)  # fmt: skip
def test_files_that_are_none(text: str, says: str) -> None:
    found = problems(text)
    assert any(says in line for line in found), found


def test_a_key_that_yaml_takes_for_true_is_a_field_all_the_same() -> None:
    text = """\
rules:
  - {id: lit, kind: streetlight, levels: {info: {when: "on"}}}
tests:
  - {name: one, rule: lit, every: 1m, given: {on: [on, off, true]}, expect: [info, ok, ok]}
"""
    (result,) = cases.run(rulefile.parse(text, "city.yaml", KINDS), KINDS, ZONE)
    assert result.got == ("info", "ok", "info")
    assert not result.passed
    assert result.text.splitlines() == [
        "city.yaml:4: one: lit differs in 1 of 3 steps",
        "  step  time  on     expected  got",
        "  2     1m    false  ok        ok",
        "  3     2m    true   ok        info  <-- differs",
    ]


def test_a_title_is_a_line_in_each_language() -> None:
    titled = CONTRACT.replace("    kind: gas\n", "    kind: gas\n    title: {zh-CN: 甲烷超限, en: Methane}\n", 1)
    (rule,) = rulefile.parse(titled, "city.yaml", KINDS).rules
    assert rule.title == {"zh-CN": "甲烷超限", "en": "Methane"}
    assert rulefile.parse(CONTRACT, "city.yaml", KINDS).rules[0].title == {}
    plain = rulefile.parse(CONTRACT, "city.yaml", KINDS).rules[0]
    assert rule.text == plain.text, "a title changes nothing of what the rule is"


def test_what_is_wrong_with_a_title_is_said() -> None:
    wrong = CONTRACT.replace(
        "    kind: gas\n", f"    kind: gas\n    title: {{zh_CN: 甲烷, en: {'x' * 61}, fr: ''}}\n", 1
    )
    assert problems(wrong) == [
        "city.yaml:4: gas.methane.title.zh_CN: `zh_CN` is no language, expected a tag such as zh-CN or en",
        "city.yaml:4: gas.methane.title.en: it has 61 characters, expected one line of at most 60",
        "city.yaml:4: gas.methane.title.fr: it is empty, expected a text",
    ]
    assert problems(CONTRACT.replace("    kind: gas\n", "    kind: gas\n    title: Methane\n", 1)) == [
        "city.yaml:4: gas.methane.title: `Methane` is no mapping, expected texts such as {en: ...}"
    ]


def test_a_level_keeps_what_was_written() -> None:
    major, critical = rulefile.parse(CONTRACT, "city.yaml", KINDS).rules[0].levels
    assert (major.written.text, critical.written.text) == ("methane_lel_pct >= 25", "methane_lel_pct >= 50")
    assert major.written_reset is not None
    assert major.written_reset.text == "methane_lel_pct < 20"
