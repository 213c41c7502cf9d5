"""Tables and words as the pages write them."""

import yaml

from dashboards.console.markup import figures, html, table
from dashboards.console.rulewords import RULES
from dashboards.console.words import LANGUAGES, rule_word, words
from tests.console.browsing import ROOT


def test_a_cell_knows_the_name_of_its_column_and_the_first_named_one_leads() -> None:
    made = table(["", "name", "met"], [[1, html("<b>{n}</b>", n="<A>"), "3 / 4"]], (2,))
    assert '<th></th><th class="lead">name</th><th class="n">met</th>' in made
    assert '<td data-head="">1</td>' in made
    assert '<td class="lead" data-head="Name"><b>&lt;A&gt;</b></td>' in made
    assert '<td class="n" data-head="Met">3 / 4</td>' in made


def test_every_rule_that_comes_with_the_server_has_a_name() -> None:
    written = yaml.safe_load((ROOT / "rules" / "default.yaml").read_text("utf-8"))["rules"]
    known = {rule["id"] for rule in written if "levels" in rule}
    known |= {f"{rule['id']}.no_data" for rule in written if "no_data" in rule}
    assert known - set(RULES) == set()
    for language in LANGUAGES:
        named = [rule_word(rule, language) for rule in RULES]
        assert len(set(named)) == len(RULES)
        assert all(words(language)[f"rule {rule}"] == name for rule, name in zip(RULES, named, strict=True))
    assert rule_word("ours.leak", "en") == "ours.leak"


def test_a_figure_that_is_not_known_has_no_unit() -> None:
    made = figures([("closed", "–", "%"), ("filed", "99.3", "%")])
    assert "<b>–</b><small></small>" in made
    assert "<b>99.3</b><small>%</small>" in made
