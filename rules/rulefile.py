"""A rule file (YAML) checked and compiled into a RuleBook; every problem at once, each with its line."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from citywarden.model.alert import Severity
from citywarden.model.errors import ConfigurationError
from citywarden.model.kind import Kind, Kinds
from rules import schedule, spans
from rules.casefile import parse_cases
from rules.document import Entry, Fields, Problems, read_document
from rules.evaluation import compile_condition, compile_number
from rules.expression import FieldRef, Node, WindowRef, check_condition, did_you_mean, subject_of, walk
from rules.rulebook import NO_DATA, Judged, Level, Rule, RuleBook, Written, form_of_value
from rules.summary import check_summary

RULE_KEYS = (
    *("id", "kind", "title", "levels", "no_data", "no_data_severity"),
    *("schedule", "hold", "summary", "profile", "runbook"),
)
LEVEL_KEYS = ("when", "reset", "for")
SEVERITIES = {severity.word: severity for severity in Severity}
MAX_RULES = 500
MAX_TITLE = 60
"""Characters: a title stands in lists and menus."""

_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def parse(text: str, file: str, kinds: Kinds) -> RuleBook:
    """The rules and cases of a file. Raises ConfigurationError with every problem found."""
    problems = Problems(file)
    root = read_document(text, problems)
    book = RuleBook(file, ()) if root is None else _book(root, file, kinds)
    if problems.found:
        raise ConfigurationError(sorted(problems.found, key=lambda problem: problem.line or 0))
    return book


def _book(root: Entry, file: str, kinds: Kinds) -> RuleBook:
    parts = root.fields(("rules", "tests"), "`rules:` and a list")
    rules: dict[str, Rule] = {}
    known: dict[str, Kind | None] = {}
    listed = parts.need("rules", "a list of rules") if parts.by_name or not root.problems.found else None
    entries = listed.items("a list of rules") if listed else []
    if len(entries) > MAX_RULES:
        entries[MAX_RULES].wrong(f"{len(entries)} rules, expected at most {MAX_RULES}")
    for entry in entries[:MAX_RULES]:
        rule_id, kind, rule = _rule(entry, kinds)
        if rule_id and rule_id in known:
            entry.problems.add(entry.line, rule_id, "the id is used twice, expected a unique id")
        elif rule_id:
            known[rule_id] = kind
            if rule:
                rules[rule_id] = rule
    for rule in rules.values():
        if rule.no_data_ms is not None and rule.id + NO_DATA in known:
            root.problems.add(
                rule.line, rule.id, f"its no_data alert is `{rule.id}{NO_DATA}`, expected no rule named so"
            )
    tests = parts.get("tests")
    return RuleBook(file, tuple(rules.values()), parse_cases(tests, known) if tests else ())


def _rule(entry: Entry, kinds: Kinds) -> tuple[str | None, Kind | None, Rule | None]:
    before = len(entry.problems.found)
    parts = entry.fields(RULE_KEYS, "a mapping with id, kind and levels", key=_peek_id(entry))
    rule_id, kind = _identity(parts), _kind(parts, kinds)
    profile = _profile(parts.get("profile"))
    levels = _levels(parts, kind, profile)
    rule = Rule(
        id=rule_id or "",
        kind=kind.name if kind else "",
        levels=levels,
        line=entry.line,
        no_data_ms=_span(parts.get("no_data"), smallest_ms=1),
        no_data_severity=_severity(parts),
        schedule=_schedule(parts.get("schedule")),
        hold_ms=_span(parts.get("hold"), smallest_ms=1),
        summary=_summary(parts.get("summary"), kind),
        profile=profile,
        runbook=_runbook(parts.get("runbook")),
        title=_title(parts.get("title")),
    )
    return rule_id, kind, rule if len(entry.problems.found) == before else None


def _peek_id(entry: Entry) -> str:
    members = entry.node.value if isinstance(entry.node.value, list) else []
    for member in members:
        if isinstance(member, tuple) and member[0].value == "id" and isinstance(member[1].value, str):
            return member[1].value or entry.key
    return entry.key


def _identity(parts: Fields) -> str | None:
    expected = "a name such as gas.methane"
    entry = parts.need("id", expected)
    rule_id = entry.text(expected) if entry else None
    if entry and rule_id and (not _ID.fullmatch(rule_id) or len(rule_id) > 80 or rule_id.endswith(NO_DATA)):
        entry.wrong(f"`{rule_id}` is no id, expected letters, digits, `_`, `-` and dots, such as gas.methane")
        return None
    return rule_id


def _kind(parts: Fields, kinds: Kinds) -> Kind | None:
    expected = f"one of {', '.join(kinds)}"
    entry = parts.need("kind", expected)
    name = entry.text(expected) if entry else None
    if entry and name and name not in kinds:
        entry.wrong(f"`{name}` is no kind{did_you_mean(name, list(kinds))}, expected {expected}")
    return kinds.get(name) if name else None


def _levels(parts: Fields, kind: Kind | None, profile: Mapping[str, float | str | bool]) -> tuple[Level, ...]:
    entry = parts.get("levels")
    if entry is None:
        if parts.get("no_data") is None and parts.by_name:
            parts.whole.wrong("the rule has nothing to judge, expected `levels` or `no_data`")
        return ()
    levels = []
    for word, level_entry in entry.fields(tuple(SEVERITIES), "levels info, minor, major or critical"):
        level = _level(level_entry, SEVERITIES[word], kind, profile)
        if level:
            levels.append(level)
    if not entry.problems.found and not levels:
        entry.wrong("it has no level, expected info, minor, major or critical")
    return tuple(sorted(levels, key=lambda level: level.severity))


def _level(
    entry: Entry, severity: Severity, kind: Kind | None, profile: Mapping[str, float | str | bool]
) -> Level | None:
    parts = entry.fields(LEVEL_KEYS, 'a mapping such as {when: "depth_cm >= 15"}')
    when_entry = parts.need("when", 'a condition such as "depth_cm >= 15"') if parts.by_name or _empty(entry) else None
    reset_entry = parts.get("reset")
    for_ms = _span(parts.get("for"))
    when = _condition(when_entry, kind, profile)
    reset = _condition(reset_entry, kind, profile)
    if when is None or kind is None:
        return None
    subject = subject_of(when, kind)
    judged = None
    if subject is not None:
        threshold = compile_number(subject.threshold) if subject.threshold is not None else None
        judged = Judged(compile_number(subject.value), subject.unit, threshold)
    nodes = (*walk(when), *(walk(reset) if reset else ()))
    return Level(
        severity=severity,
        when=compile_condition(when),
        reset=compile_condition(reset) if reset else None,
        for_ms=for_ms or 0,
        fields=_fields_of(when),
        judged=judged,
        nodes=nodes,
        text=f"{severity.word} {when} {reset} {for_ms or 0}",
        written=_written(when_entry, when),
        written_reset=_written(reset_entry, reset) if reset else None,
    )


def _written(entry: Entry | None, node: Node) -> Written:
    return Written(" ".join(str(entry.node.value).split()) if entry else "", node)


def _empty(entry: Entry) -> bool:
    return isinstance(entry.node.value, list) and not entry.node.value


def _fields_of(node: Node) -> frozenset[str]:
    read = (n.name if isinstance(n, FieldRef) else n.field for n in walk(node) if isinstance(n, FieldRef | WindowRef))
    return frozenset(read)


def _condition(entry: Entry | None, kind: Kind | None, profile: Mapping[str, float | str | bool]) -> Node | None:
    text = entry.text('a condition such as "depth_cm >= 15"') if entry else None
    if entry is None or text is None or kind is None:
        return None
    node, wrong = check_condition(text, kind, {name: form_of_value(value) for name, value in profile.items()})
    for what in wrong:
        entry.wrong(what)
    return node


def _span(entry: Entry | None, smallest_ms: int = 0) -> int | None:
    if entry is None:
        return None
    text = entry.text(spans.EXPECTED)
    span_ms = spans.read_span(text) if text else 0
    if text and (span_ms is None or span_ms < smallest_ms):
        entry.wrong(f"`{text}` is no such duration, expected {spans.EXPECTED}")
    return span_ms


def _severity(parts: Fields) -> Severity:
    entry = parts.get("no_data_severity")
    if entry is None:
        return Severity.MINOR
    expected = f"one of {', '.join(SEVERITIES)}"
    word = entry.text(expected)
    if word and word not in SEVERITIES:
        entry.wrong(f"`{word}` is no severity{did_you_mean(word, list(SEVERITIES))}, expected {expected}")
    if parts.get("no_data") is None:
        entry.wrong("there is no `no_data` it could belong to, expected `no_data: 10m` beside it")
    return SEVERITIES.get(word or "", Severity.MINOR)


def _schedule(entry: Entry | None) -> schedule.Schedule | None:
    text = entry.text(schedule.EXPECTED) if entry else None
    if entry is None or text is None:
        return None
    hours = schedule.read_schedule(text)
    if hours is None:
        entry.wrong(f"`{text}` is no schedule, expected {schedule.EXPECTED}")
    return hours


def _texts(entry: Entry | None) -> Iterator[tuple[str, Entry, str]]:
    """(language, where it stands, text) of each text."""
    for language, text_entry in entry.fields(None, "texts such as {en: ...}") if entry else ():
        if not _LANGUAGE.fullmatch(language):
            text_entry.wrong(f"`{language}` is no language, expected a tag such as zh-CN or en")
        yield language, text_entry, text_entry.text("a text") or ""


def _summary(entry: Entry | None, kind: Kind | None) -> dict[str, str]:
    texts: dict[str, str] = {}
    for language, text_entry, text in _texts(entry):
        if text and kind:
            for what in check_summary(text, kind):
                text_entry.wrong(what)
        texts[language] = text
    return texts


def _title(entry: Entry | None) -> dict[str, str]:
    texts: dict[str, str] = {}
    for language, text_entry, text in _texts(entry):
        if len(text) > MAX_TITLE or "\n" in text.strip():
            text_entry.wrong(f"it has {len(text)} characters, expected one line of at most {MAX_TITLE}")
        texts[language] = text.strip()
    return texts


def _profile(entry: Entry | None) -> dict[str, float | str | bool]:
    found: dict[str, float | str | bool] = {}
    for name, value_entry in entry.fields(None, "defaults such as {always_on: false}") if entry else ():
        value = value_entry.scalar
        if not name.isidentifier():
            value_entry.wrong(f"`{name}` is no profile name, expected letters, digits and `_`")
        elif value is None:
            value_entry.wrong(f"{value_entry.shown} is no default, expected a number, true, false or a text")
        else:
            found[name] = value
    return found


def _runbook(entry: Entry | None) -> str | None:
    expected = "an address such as https://example.org/runbooks/gas"
    text = entry.text(expected) if entry else None
    if entry and text and (urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).netloc):
        entry.wrong(f"`{text}` is no address, expected {expected}")
    return text
