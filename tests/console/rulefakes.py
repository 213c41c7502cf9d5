"""The rules in force of the made-up city."""

from collections.abc import Sequence

from citywarden.model.case import Category
from citywarden.model.casetime import Clock, Limit
from citywarden.model.ruling import RuleCard
from citywarden.serve.prepare import default_rules
from citywarden.serve.rulecards import rule_cards
from ingest.kinds import all_kinds
from rules.rulefile import parse
from rules.worksettings import WorkSettings

LEAK = """
rules:
  - id: ours.leak
    kind: gas
    title: {zh-CN: 泄漏趋势, en: Leak trend}
    levels:
      minor: {when: "mean(methane_lel_pct, 5m) >= 8", for: 2m}
      critical: {when: "rate(methane_lel_pct, 10m) >= 10", reset: "methane_lel_pct < 5"}
    no_data: 20m
    no_data_severity: major
    schedule: "22:00-06:00"
    hold: 30m
    runbook: https://example.org/runbooks/gas
    summary: {zh-CN: "{name} 甲烷上升", en: "{name}: methane rises"}
  - id: ours.nameless
    kind: gas
    levels: {info: {when: "o2_pct < profile.least_o2_pct"}}
    profile: {least_o2_pct: 20.5}
"""
"""Two rules of a user: one with everything, one without a title."""


def cards() -> Sequence[RuleCard]:
    """The rules that come with the server, and two of a user."""
    kinds, work = all_kinds(), WorkSettings()
    usual, ours = parse(default_rules(), "rules/default.yaml", kinds), parse(LEAK, "/etc/city/rules.yaml", kinds)
    lid = Category("lid", "井盖", "Lid", {}, Limit(1, Clock.NATURAL))
    return [*rule_cards(ours, kinds, work, [], True)[:2], *rule_cards(usual, kinds, work, [lid], False)]
