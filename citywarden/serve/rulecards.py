"""The rules in force as cards for people: those of the rule file, those of the work of vehicles, the server's own."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import PurePath

from citywarden.cases.openings import OVERDUE
from citywarden.model.alert import CASE_KIND, SERVER_KIND, Severity, Summary
from citywarden.model.case import Category
from citywarden.model.kind import Kind, Kinds
from citywarden.model.ruling import Demand, Origin, RuleCard
from citywarden.serve.prepare import default_rules
from citywarden.serve.selfwatch import SIGNS, Sign
from rules.plain import say_condition
from rules.rulebook import Level, Rule, RuleBook
from rules.rulefile import parse
from rules.schedule import Schedule
from rules.workrules import work_cards
from rules.worksettings import WorkSettings


def rule_cards(
    book: RuleBook, kinds: Kinds, work: WorkSettings, categories: Iterable[Category], own_file: bool
) -> tuple[RuleCard, ...]:
    """Every rule in force. `own_file`: the rules are the user's, not those that come with the server; one of theirs
    without a title that has the id of one of ours is called as ours is.
    """
    usual: Mapping[str, Summary] = {}
    if own_file and not all(rule.title for rule in book.rules):
        usual = {rule.id: rule.title for rule in parse(default_rules(), "rules/default.yaml", kinds).rules}
    origin, file = Origin.FILE if own_file else Origin.DEFAULT, PurePath(book.file).name
    of_file = [_card(rule, kinds[rule.kind], usual.get(rule.id, {}), (origin, file)) for rule in book.rules]
    return (*of_file, *work_cards(work), *map(_sign, SIGNS), _overdue(categories))


def _card(rule: Rule, kind: Kind, usual: Summary, source: tuple[Origin, str]) -> RuleCard:
    return RuleCard(
        id=rule.id,
        kind=rule.kind,
        origin=source[0],
        title=rule.title or usual,
        demands=tuple(_demand(level, rule, kind) for level in reversed(rule.levels)),
        no_data_ms=rule.no_data_ms,
        no_data_severity=rule.no_data_severity,
        hold_ms=rule.hold_ms,
        hours=_hours(rule.schedule),
        message=rule.summary,
        profile=rule.profile,
        runbook=rule.runbook,
        file=source[1],
        line=rule.line,
    )


def _demand(level: Level, rule: Rule, kind: Kind) -> Demand:
    said = say_condition(level.written.node, kind, rule.profile)
    found = Demand(level.severity, level.written.text, said, level.for_ms)
    if (reset := level.written_reset) is None:
        return found
    return replace(found, reset=reset.text, reset_said=say_condition(reset.node, kind, rule.profile))


def _overdue(categories: Iterable[Category]) -> RuleCard:
    """The rule about cases; how severe it is depends on the category."""
    by: dict[Severity, list[Category]] = {}
    for category in categories:
        by.setdefault(Severity[category.overdue.upper()], []).append(category)
    demands = []
    for severity in sorted(by, reverse=True):
        zh, en = ("、".join(c.zh for c in by[severity]), ", ".join(c.en for c in by[severity]))
        said = {
            "zh-CN": f"案件的一个阶段超过了时限（{zh}）",
            "en": f"A stage of a case is past its deadline ({en})",
        }
        demands.append(Demand(severity, "", said))
    title = {"zh-CN": "案件超期", "en": "Case overdue"}
    return RuleCard(OVERDUE, CASE_KIND, Origin.SERVER, title, tuple(demands))


def _hours(schedule: Schedule | None) -> str:
    if schedule is None:
        return ""
    ends = (schedule.start_min, schedule.end_min)
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in ends)


def _sign(sign: Sign) -> RuleCard:
    demands = [Demand(severity, "", _limit(sign, at), round(sign.for_s * 1000)) for at, severity in sign.levels[::-1]]
    return RuleCard(sign.rule, SERVER_KIND, Origin.SERVER, sign.title, tuple(demands))


def _limit(sign: Sign, at: float) -> Summary:
    zh, en = sign.measured
    if not sign.unit:
        return {"zh-CN": zh, "en": en}
    limit = f"{'≤' if sign.below else '≥'} {at:g} {sign.unit}"
    return {"zh-CN": f"{zh} {limit}", "en": f"{en} {limit}"}
