"""What a rule file says, checked and compiled."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from citywarden.model.alert import Severity, Summary
from citywarden.model.device import Profile
from citywarden.model.kind import Form, JsonScalar
from citywarden.model.ruling import NO_DATA
from rules.evaluation import Condition, Numbers
from rules.expression import Node
from rules.schedule import Schedule

__all__ = ["NO_DATA", "Case", "Judged", "Level", "Rule", "RuleBook", "Written", "form_of_value"]

HOLD_INTERVALS = 3
"""Without a `hold` a rule holds a value for this many expected intervals of the device (contract.md, Rule file)."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What a level's condition is about, compiled: the measured number and what it is compared with (or None)."""

    value: Numbers
    unit: str
    threshold: Numbers | None


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A condition as it stands in the file, and what it was understood as."""

    text: str
    node: Node


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One level of a rule. `reset` None: it ends when `when` no longer holds. `fields`: those `when` reads. `written`,
    `written_reset`: the two as the file has them.
    """

    severity: Severity
    when: Condition
    reset: Condition | None
    for_ms: int
    fields: frozenset[str]
    judged: Judged | None
    nodes: tuple[Node, ...]
    text: str
    written: Written
    written_reset: Written | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One rule for one kind. `levels` ascending by severity; `profile` holds defaults for missing profile names.

    `no_data_ms` None: silence is not watched. `hold_ms` None: HOLD_INTERVALS expected intervals of the device.
    `title`: what it is called, by language; without one it is shown by its id.
    """

    id: str
    kind: str
    levels: tuple[Level, ...]
    line: int
    no_data_ms: int | None = None
    no_data_severity: Severity = Severity.MINOR
    schedule: Schedule | None = None
    hold_ms: int | None = None
    summary: Summary = field(default_factory=dict)
    profile: Profile = field(default_factory=dict)
    runbook: str | None = None
    title: Summary = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What makes the rule this rule for stored state: levels, conditions, times."""
        return "|".join((self.id, self.kind, str(self.hold_ms), *(level.text for level in self.levels)))


@dataclass(frozen=True, slots=True)
class Case:
    """A test case written beside the rules. None in `given`: the message lacks the field (all None: no message)."""

    name: str
    rule: str
    line: int
    every_ms: int
    given: Mapping[str, tuple[JsonScalar | None, ...]]
    expect: tuple[str, ...]
    start_ms: int | None = None
    profile: Profile = field(default_factory=dict)
    at: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RuleBook:
    """All rules and cases of a file."""

    file: str
    rules: tuple[Rule, ...]
    cases: tuple[Case, ...] = ()

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of that id, or None."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)

    def only(self, rule_id: str) -> "RuleBook":
        """The same book with one rule."""
        return RuleBook(self.file, tuple(rule for rule in self.rules if rule.id == rule_id))


def form_of_value(value: float | str | bool) -> Form:
    """The form a profile value has."""
    if isinstance(value, bool):
        return Form.FLAG
    return Form.TEXT if isinstance(value, str) else Form.NUMBER
