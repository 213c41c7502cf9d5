"""The table of deadlines: the one that comes along, and what is said of a wrong one."""

import pytest

from citywarden.cases.tablefile import default_table, parse_limit, parse_table
from citywarden.model.casetime import Clock, Limit, Phase
from citywarden.model.errors import ConfigurationError
from tests.cases.case_builders import TABLE, ZONE, at


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse_table(text, "table.yaml", ZONE)
    return [str(problem) for problem in caught.value.problems]


def test_the_table_that_comes_along() -> None:
    assert parse_table(default_table(), "default.yaml", ZONE).categories.keys() == TABLE.categories.keys()
    gas = TABLE.category("gas_leak")
    assert gas.limits[Phase.HANDLE] == Limit(60, Clock.NATURAL)
    assert TABLE.category("streetlight_dark").limits[Phase.INTAKE] == Limit(30, Clock.NATURAL)  # of the defaults
    assert [TABLE.category_of(rule).id for rule in ("gas.methane", "waterlogging.depth", "streetlight.no_data",
            "route.missed", "vehicle.illegal_dump", "made.up")] == [
        "gas_leak", "flooded_road", "streetlight_other", "missed_road", "exposed_rubbish", "other"]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("30 min", Limit(30, Clock.NATURAL)),
        ("24 h", Limit(1440, Clock.NATURAL)),
        ("2 days", Limit(2880, Clock.NATURAL)),
        ("4 business h", Limit(240, Clock.BUSINESS_HOURS)),
        ("90 business min", Limit(90, Clock.BUSINESS_HOURS)),
        ("7 business days", Limit(7, Clock.BUSINESS_DAYS)),
    ],
)
def test_lengths_read_as_they_are_written(text: str, limit: Limit) -> None:
    assert parse_limit(text) == limit
    assert parse_limit(str(limit)) == limit


def test_every_mistake_is_named_with_its_line() -> None:
    text = """calendar:
  hours: ["09:00-12:00", "11:00-18:00"]
  years:
    2027: {holidays: [2026-01-01]}
defaults: {intake: 30 min, dispatch: 30 min, check: 4 h, whole: 1 business days}
categories:
  - id: a
    name: {zh-CN: 甲, en: A}
    handle: 4 h
  - id: a
    name: {zh-CN: 乙, en: B}
"""
    assert problems(text) == [
        "table.yaml:10: categories[1].id: `a` is there twice, expected an id of its own",
        "table.yaml:10: categories[1]: `handle` is missing, expected a length here or under `defaults`",
        "table.yaml:2: calendar.hours[1]: it begins before the hours before it end, expected them in order",
        "table.yaml:4: calendar.years.2027.holidays[0]: 2026-01-01 is not in 2027, expected a day of it",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("categories: []", "table.yaml:1: categories: "),
        ("categories: [{id: a, name: {zh-CN: 甲, en: A}, handel: 4 h}]", "categories[0].handel: unknown key"),
        ("warn_at_pct: 120\ncategories: []", "table.yaml:1: warn_at_pct: "),
        ("categories:\n  - {id: a, name: {zh-CN: 甲, en: A}, handle: 4 weeks}", "table.yaml:2: categories[0].handle: "),
        ("categories:\n  - {id: a, name: {zh-CN: 甲, en: A}, handle: 999 business days}", "is too long"),
        ("calendar: {hours: ['12:00-09:00']}\ncategories: []", "the end after the beginning"),
        ("- 1", "expected a mapping"),
        ("{", "not YAML"),
    ],
)
def test_one_mistake(text: str, said: str) -> None:
    assert any(said in problem for problem in problems(text)), problems(text)


def test_the_years_of_the_table_count() -> None:
    text = default_table().replace(
        "  # years:\n  #   2027: {holidays: [2027-01-01], workdays: [2027-01-03]}",
        "  years:\n    2027: {holidays: [2027-01-01], workdays: [2027-01-03]}",
    )
    known = parse_table(text, "table.yaml", ZONE)
    start_ms = at("2026-12-31 17:00")
    assert known.of("damaged_road", Phase.HANDLE, start_ms).due_ms == at("2027-01-05 18:00")
    unknown = TABLE.of("damaged_road", Phase.HANDLE, start_ms)
    assert (unknown.due_ms, unknown.unknown_year) == (None, 2027)
