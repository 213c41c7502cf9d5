"""Every rule in force, as a card: what it is called, what it demands, where it stands."""

from citywarden.cases.openings import OVERDUE
from citywarden.model.alert import Severity
from citywarden.model.case import Category
from citywarden.model.casetime import Clock, Limit
from citywarden.model.ruling import NO_DATA, Origin, RuleCard, said_in, title_in, titles_of
from citywarden.serve.prepare import default_rules
from citywarden.serve.rulecards import rule_cards
from citywarden.serve.selfwatch import SIGNS
from dashboards.console.words import LANGUAGES
from rules.rulefile import parse
from rules.wording import BY_HAND, SEVERITY
from rules.worksettings import WorkSettings
from tests.builders import KINDS

CATEGORIES = [
    Category("lid", "井盖", "Lid", {}, Limit(1, Clock.NATURAL), overdue="major"),
    Category("tree", "树木", "Tree", {}, Limit(1, Clock.NATURAL)),
]
OURS = """
rules:
  - {id: gas.methane, kind: gas, levels: {minor: {when: "methane_lel_pct > 9"}}, no_data: 5m, schedule: "22:00-24:00"}
  - {id: ours.leak, kind: gas, title: {zh-CN: 漏, en: Leak}, levels: {minor: {when: "co_ppm  > 9", for: 2m}}, hold: 1h}
  - {id: ours.bare, kind: gas, levels: {minor: {when: "h2s_ppm > 9", reset: "h2s_ppm < 3"}}}
"""


def default_cards() -> list[RuleCard]:
    book = parse(default_rules(), "rules/default.yaml", KINDS)
    return list(rule_cards(book, KINDS, WorkSettings(), CATEGORIES, False))


def our_cards() -> dict[str, RuleCard]:
    book = parse(OURS, "/etc/city/night.yaml", KINDS)
    return {card.id: card for card in rule_cards(book, KINDS, WorkSettings(), CATEGORIES, True)}


def test_every_rule_that_can_raise_an_alert_has_a_name_of_its_own_in_both_languages() -> None:
    cards = default_cards()
    titles = titles_of(cards)
    raised = [rule for card in cards for rule in card.raises]
    assert {*SEVERITY, *(sign.rule for sign in SIGNS), OVERDUE, "gas.no_data"} <= set(raised)
    assert len(set(raised)) == len(raised)
    for language in LANGUAGES:
        named = [title_in(titles, rule, language) for rule in raised]
        assert len(set(named)) == len(named)
        assert not set(named) & set(raised)
    assert all(set(demand.said) == {"zh-CN", "en"} for card in cards for demand in card.demands)


def test_the_rules_that_come_with_the_server_say_so_and_where_they_stand() -> None:
    cards = {card.id: card for card in default_cards()}
    lines = default_rules().splitlines()
    for card in cards.values():
        if card.origin is Origin.DEFAULT:
            assert card.file == "default.yaml"
            assert f"id: {card.id}" in lines[card.line - 1]
    assert {rule for rule in SEVERITY if cards[rule].by_hand} == BY_HAND
    assert [demand.severity for demand in cards["gas.methane"].demands] == [Severity.CRITICAL, Severity.MAJOR]
    assert [demand.severity for demand in cards["disk.low"].demands] == [Severity.CRITICAL, Severity.MAJOR]
    assert cards["disk.low"].demands[1].said["en"] == "Left on the disk ≤ 1024 MB"
    assert cards["gas"].raises == (f"gas{NO_DATA}",)


def test_a_rule_of_a_users_file_is_told_whole() -> None:
    leak, bare, methane = (our_cards()[rule] for rule in ("ours.leak", "ours.bare", "gas.methane"))
    (demand,) = leak.demands
    assert (demand.when, demand.said["en"], demand.for_ms, demand.reset) == (
        "co_ppm > 9", "Carbon monoxide > 9 ppm", 120_000, "",
    )  # fmt: skip
    assert (leak.origin, leak.file, leak.line, leak.hold_ms) == (Origin.FILE, "night.yaml", 4, 3_600_000)
    assert (bare.demands[0].reset, bare.demands[0].reset_said["zh-CN"]) == ("h2s_ppm < 3", "硫化氢 < 3 ppm")
    assert (methane.hours, methane.raises) == ("22:00-24:00", ("gas.methane", "gas.methane.no_data"))


def test_a_rule_of_ours_keeps_its_name_in_a_file_that_gives_it_none() -> None:
    titles = titles_of(our_cards().values())
    assert title_in(titles, "gas.methane", "zh-CN") == "甲烷超限"
    assert title_in(titles, "gas.methane.no_data", "zh-CN") == "甲烷超限 · 无数据"
    assert title_in(titles, "gas.methane.no_data", "en") == "Methane: no data"
    assert title_in(titles, "ours.leak", "en") == "Leak"
    assert title_in(titles, "ours.bare", "en") == "ours.bare"


def test_numbers_of_the_work_rules_are_those_in_force() -> None:
    book = parse(OURS, "night.yaml", KINDS)
    strict = rule_cards(book, KINDS, WorkSettings(no_show_s=300.0, peak_bans_min=()), CATEGORIES, True)
    said = {card.id: card.demands[0].said["en"] for card in strict if card.origin is Origin.PLAN}
    assert said["work.no_show"] == "Not on the road 5 min after the start of the task"
    assert said["work.out_of_window"] == "Works more than 10 min before or after its window"
    assert "07:00-09:00" in next(c for c in default_cards() if c.id == "work.out_of_window").demands[0].said["en"]


def test_how_severe_an_overdue_case_is_depends_on_its_category() -> None:
    overdue = next(card for card in default_cards() if card.id == OVERDUE)
    told = [(demand.severity, demand.said["zh-CN"]) for demand in overdue.demands]
    assert told == [
        (Severity.MAJOR, "案件的一个阶段超过了时限（井盖）"),
        (Severity.MINOR, "案件的一个阶段超过了时限（树木）"),
    ]


def test_a_text_is_said_in_the_nearest_language_there_is() -> None:
    assert said_in({"zh-CN": "甲", "en": "a"}, "en") == "a"
    assert said_in({"zh": "甲", "en": "a"}, "zh-CN") == "甲"
    assert said_in({"en": "a"}, "zh-CN") == "a"
    assert said_in({}, "zh-CN") == ""
