"""Scenarios: what people expect of the life of alerts, written down and run on the server's own desk.

rules: rules.yaml                # rule file; without one the rules that come with the server
routes: routes.yaml              # routing file whose targets, routes and manners are tried
devices:
  g1: {kind: gas, district: Futian, profile: {underpass: A}}
scenarios:
- name: nobody is there
  start: 2026-11-22T20:00:00+08:00
  steps:
  - {at: 0s, reading: {g1: {methane_lel_pct: 30}}, told: [team opened g1], open: [g1 major firing]}
  - {at: 5m, say: {subject: v1, rule: work.idle, level: minor}}       # a finding without readings
  - {at: 10m, told: [boss overdue g1]}
  - {at: 11m, acknowledge: g1, by: Li, told: [team acknowledged g1, boss acknowledged g1]}
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator, Field

from citywarden.alerts.routefile import LongSpan, Row, Span, Texts, listed
from citywarden.model.errors import ConfigurationError, Problem
from citywarden.yamlfile import Lines, line_of, parse_yaml

Scalar = bool | float | str
DEEDS = ("acknowledge", "assign", "resolve", "close")


class DeviceRow(Row):
    """A device of the scenarios. Without `lat` and `lon` it stands in the middle of Shenzhen."""

    kind: Annotated[str, Field(min_length=1)]
    district: str = ""
    profile: Mapping[str, Scalar] = Field(default_factory=dict)
    lat: float = 22.5431
    lon: float = 114.0579


class Said(Row):
    """A finding of a rule, without readings; `kind` where the subject is no device of the file."""

    subject: Annotated[str, Field(min_length=1)]
    rule: Annotated[str, Field(min_length=1)]
    level: Literal["ok", "info", "minor", "major", "critical"]
    kind: str | None = None


class SilenceRow(Row):
    """A silence that begins with the step and lasts `for`."""

    span: Annotated[LongSpan, Field(alias="for")]
    why: str = "a scenario"
    tenant: Texts = ()
    kind: Texts = ()
    rule: Texts = ()
    subject: Texts = ()
    district: Texts = ()


def _said(value: object) -> object:
    return [value] if isinstance(value, dict) else value


def _moment(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


class Step(Row):
    """What happens `at` a time after the start, and what is expected then.

    Deeds name subjects. `told`: `TARGET CHANGE SUBJECT` of every message since the step before, in any order; `open`:
    `SUBJECT LEVEL STATUS [HOLD]` of every open alert, in any order. What is not given is not looked at.
    """

    at: Span
    reading: Mapping[str, Mapping[str, Scalar | None]] = Field(default_factory=dict)
    say: Annotated[tuple[Said, ...], BeforeValidator(_said)] = ()
    acknowledge: Texts = ()
    assign: Texts = ()
    resolve: Texts = ()
    close: Texts = ()
    to: str = "somebody"
    by: str = "somebody"
    note: str | None = None
    silence: SilenceRow | None = None
    told: Annotated[tuple[str, ...] | None, BeforeValidator(listed)] = None
    open: Annotated[tuple[str, ...] | None, BeforeValidator(listed)] = None

    def deeds(self) -> Sequence[tuple[str, str]]:
        """(what is done, to which subject) in the order they are done."""
        return [(name, subject) for name in DEEDS for subject in getattr(self, name)]


class Scenario(Row):
    """Steps in the order of their times."""

    name: Annotated[str, Field(min_length=1)]
    start: Annotated[AwareDatetime | None, BeforeValidator(_moment)] = None
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]


class _File(Row):
    rules: Path | None = None
    routes: Path
    devices: Mapping[str, DeviceRow] = Field(default_factory=dict)
    scenarios: Annotated[tuple[Scenario, ...], Field(min_length=1)]


class ScenarioFile(Row):
    """A checked file. Paths are relative to it. `lines`: of each scenario's steps."""

    file: str
    rules: Path | None
    routes: Path
    devices: Mapping[str, DeviceRow]
    scenarios: tuple[Scenario, ...]
    lines: tuple[tuple[int | None, ...], ...]


def parse_scenarios(text: str, file: str) -> ScenarioFile:
    """The scenarios of a file's text. Raises ConfigurationError with every problem."""
    parsed, lines = parse_yaml(text, file, _File)
    problems: list[Problem] = []
    for i, scenario in enumerate(parsed.scenarios):
        problems += _check(file, lines, i, scenario, parsed.devices)
    if problems:
        raise ConfigurationError(problems)
    base = Path(file).parent
    return ScenarioFile(
        file=file,
        rules=None if parsed.rules is None else base / parsed.rules,
        routes=base / parsed.routes,
        devices=parsed.devices,
        scenarios=parsed.scenarios,
        lines=tuple(
            tuple(line_of(lines, ("scenarios", i, "steps", k)) for k in range(len(scenario.steps)))
            for i, scenario in enumerate(parsed.scenarios)
        ),
    )


def _check(file: str, lines: Lines, i: int, scenario: Scenario, devices: Mapping[str, DeviceRow]) -> list[Problem]:
    """What is wrong between the parts of a scenario."""
    found: list[Problem] = []

    def wrong(k: int, key: str, what: str) -> None:
        line = line_of(lines, ("scenarios", i, "steps", k, key))
        found.append(Problem(file, line, f"scenarios[{i}].steps[{k}].{key}", what))

    last_ms = 0
    for k, step in enumerate(scenario.steps):
        if step.at < last_ms:
            wrong(k, "at", "it is before the step before it, expected the steps in the order of their times")
        last_ms = step.at
        for name in step.reading:
            if name not in devices:
                wrong(k, "reading", f"no device `{name}`, expected one of {', '.join(devices) or 'none'}")
        for said in step.say:
            if said.kind is None and said.subject not in devices:
                wrong(k, "say", f"no device `{said.subject}`, expected one, or its `kind`")
    return found
