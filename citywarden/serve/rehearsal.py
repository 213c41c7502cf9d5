"""Scenarios played: readings through the rules, findings through the desk, time passing, on an empty database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from citywarden.alerts import outbox
from citywarden.alerts.desk import Desk
from citywarden.alerts.machine import Policy
from citywarden.alerts.matching import Matcher
from citywarden.alerts.routefile import Routing, parse_routes
from citywarden.alerts.scenariofile import Scenario, ScenarioFile, Step, parse_scenarios
from citywarden.alerts.silences import Silence
from citywarden.columns import Reading, from_readings
from citywarden.model.alert import Finding, Reason, Severity, Status
from citywarden.model.device import Device
from citywarden.model.errors import ConfigurationError, Problem
from citywarden.model.kind import Form, JsonScalar, Kinds
from citywarden.serve.prepare import default_rules
from citywarden.serve.tables import open_database
from rules import thresholds
from rules.rulebook import RuleBook
from rules.rulefile import parse

TENANT = "test"
SHORT_MS, LONG_MS = 5_000, 60_000
LONG_FROM_MS = 2 * 3_600_000
"""Time passes in steps of 5 s, and of a minute where two hours or more lie between two steps."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a step expected and what came instead. `what`: told or open."""

    line: int | None
    at_ms: int
    what: str
    expected: tuple[str, ...]
    got: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scenario went; `differences` empty: as expected."""

    name: str
    differences: tuple[Difference, ...]


def rehearse(text: str, file: str, kinds: Kinds, zone: ZoneInfo) -> list[Outcome]:
    """Play every scenario of a file. Raises ConfigurationError with every problem of it and the files it names."""
    found = parse_scenarios(text, file)
    problems: list[Problem] = []
    book: RuleBook | None = None
    routing: Routing | None = None
    try:
        rules = _read(found.rules) if found.rules else default_rules()
        book = parse(rules, str(found.rules or "rules/default.yaml"), kinds)
    except ConfigurationError as error:
        problems.extend(error.problems)
    try:
        routing = parse_routes(_read(found.routes), str(found.routes), zone, "en")
    except ConfigurationError as error:
        problems.extend(error.problems)
    problems += [
        Problem(file, None, f"devices.{name}.kind", f"`{row.kind}` is no kind, but a reading of it is given")
        for name, row in found.devices.items()
        if row.kind not in kinds and any(name in step.reading for s in found.scenarios for step in s.steps)
    ]
    if problems or book is None or routing is None:
        raise ConfigurationError(problems)
    stage = _Stage(found, book, routing, kinds, zone)
    return [
        Outcome(scenario.name, tuple(_Play(stage, scenario).run(lines)))
        for scenario, lines in zip(found.scenarios, found.lines, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Stage:
    file: ScenarioFile
    book: RuleBook
    routing: Routing
    kinds: Kinds
    zone: ZoneInfo

    def devices(self) -> dict[str, Device]:
        return {
            name: Device(TENANT, row.kind, name, name, row.district, row.lat, row.lon, profile=row.profile)
            for name, row in self.file.devices.items()
        }


class _Play:
    """One scenario on its own desk."""

    def __init__(self, stage: _Stage, scenario: Scenario) -> None:
        self._stage, self._scenario = stage, scenario
        self._devices = stage.devices()
        start = scenario.start or datetime(2026, 6, 1, 12, tzinfo=stage.zone)
        self._start_ms = round(start.astimezone(UTC).timestamp() * 1000)
        self._rules = thresholds.start(stage.book, stage.kinds, stage.zone, self._start_ms)
        known = [device for device in self._devices.values() if device.kind in stage.kinds]
        self._rules = thresholds.enroll(self._rules, known, self._start_ms)
        self._engine = open_database("sqlite://")
        self._desk = Desk(
            self._engine, stage.routing.routes, Policy(), self._district, stage.routing.manners, self._profile
        )
        self._told = 0

    def run(self, lines: Sequence[int | None]) -> list[Difference]:
        """Play it; `lines`: where the steps stand."""
        found: list[Difference] = []
        now_ms = self._start_ms
        for step, line in zip(self._scenario.steps, lines, strict=True):
            at_ms = self._start_ms + step.at
            now_ms = self._pass_time(now_ms, at_ms)
            self._do(step, at_ms)
            self._desk.tick(at_ms)
            seen = {"told": self._heard(), "open": self._opened()}
            wanted: Mapping[str, tuple[str, ...] | None] = {"told": step.told, "open": step.open}
            found += [
                Difference(line, step.at, what, tuple(sorted(words)), seen[what])
                for what, words in wanted.items()
                if words is not None and tuple(sorted(words)) != seen[what]
            ]
        self._engine.dispose()
        return found

    def _pass_time(self, now_ms: int, until_ms: int) -> int:
        stride_ms = LONG_MS if until_ms - now_ms >= LONG_FROM_MS else SHORT_MS
        while now_ms < until_ms:
            now_ms = min(now_ms + stride_ms, until_ms)
            self._rules, findings = thresholds.step(self._rules, None, now_ms)
            if findings:
                self._desk.apply(findings, now_ms, {})
            self._desk.tick(now_ms)
        return now_ms

    def _do(self, step: Step, now_ms: int) -> None:
        for name, fields in step.reading.items():
            device = self._devices[name]
            values = self._values(device, fields)
            columns = from_readings(self._stage.kinds[device.kind], [Reading(device, now_ms, now_ms, values)])
            self._rules, findings = thresholds.step(self._rules, columns, now_ms)
            self._desk.apply(findings, now_ms, {})
        self._desk.apply([self._finding(step, i, now_ms) for i in range(len(step.say))], now_ms, {})
        for deed, subject in step.deeds():
            for alert in [a for a in self._desk.open() if a.subject == subject]:
                if deed == "assign":
                    self._desk.assign(alert.id, step.by, step.to, step.note, now_ms)
                else:
                    act = {"acknowledge": self._desk.acknowledge, "resolve": self._desk.resolve,
                           "close": self._desk.close}[deed]  # fmt: skip
                    act(alert.id, step.by, step.note, now_ms)
        if wanted := step.silence:
            matcher = Matcher(wanted.tenant, wanted.kind, wanted.rule, wanted.subject, wanted.district)
            self._desk.silence(Silence(now_ms, now_ms + wanted.span, step.by, wanted.why, matcher, now_ms), now_ms)

    def _values(self, device: Device, fields: Mapping[str, bool | float | str | None]) -> dict[str, JsonScalar]:
        kind = self._stage.kinds[device.kind]
        values: dict[str, JsonScalar] = {}
        for name, value in fields.items():
            quantity = kind.quantity(name)
            if quantity is None:
                what = f"`{name}` is no field of {kind.name}"
                raise ConfigurationError([Problem(self._stage.file.file, None, f"reading.{device.id}", what)])
            if value is not None:
                values[name] = float(value) if quantity.form is Form.NUMBER else value
        return values

    def _finding(self, step: Step, i: int, now_ms: int) -> Finding:
        said = step.say[i]
        device = self._devices.get(said.subject)
        kind = said.kind or (device.kind if device else "")
        severity = None if said.level == "ok" else Severity[said.level.upper()]
        reason = Reason.THRESHOLD if severity else Reason.CLEARED
        return Finding(TENANT, said.rule, kind, said.subject, severity, now_ms, reason)

    def _heard(self) -> tuple[str, ...]:
        """Messages since the last time."""
        sent = self._desk.read(lambda connection: outbox.find(connection, limit=100_000)).items
        new = [d for d in sent if d.seq > self._told]
        self._told = max((d.seq for d in sent), default=self._told)
        return tuple(sorted(f"{d.target} {d.notice.change} {d.notice.alert.subject}" for d in new))

    def _opened(self) -> tuple[str, ...]:
        told = [a for a in self._desk.open() if a.status is not Status.PENDING]
        return tuple(sorted(f"{a.subject} {a.severity.word} {a.status} {a.hold}".rstrip() for a in told))

    def _district(self, _tenant: str, _kind: str, subject: str) -> str:
        device = self._devices.get(subject.partition("/")[0])
        return device.district if device else ""

    def _profile(self, _tenant: str, _kind: str, subject: str) -> Mapping[str, float | str | bool]:
        device = self._devices.get(subject.partition("/")[0])
        return device.profile if device else {}


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise ConfigurationError([Problem(str(file), None, "", error.strerror or "cannot be read")]) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError([Problem(str(file), None, "", f"is not UTF-8: {error.reason}")]) from None
