"""All rules as one pure step: live server, replay and tests drive the same function."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from citywarden.columns import Columns
from citywarden.model.alert import Finding, Severity
from citywarden.model.device import Device, DeviceKey
from citywarden.model.work import Task, TaskReport, Zone
from rules import archive, thresholds, work, worksave
from rules.rulebook import NO_DATA

WORK_RULES = ("route.", "work.", "vehicle.")
"""How the ids of the rules for planned work begin (domain.md, section 1)."""

VEHICLE = "vehicle"
"""The one kind whose work is judged."""

Captured = tuple[archive.Content, archive.Content]
"""Of the thresholds and of the work of vehicles."""

_HEADER = struct.Struct("<4sQ")
_MAGIC = b"CWR1"


@dataclass(slots=True)
class State:
    """Everything the rules remember. Owned by one caller, who gives it to `step` and goes on with what comes back."""

    levels: thresholds.State
    work: work.State


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step found: changes of level, and tasks that were judged or judged anew."""

    state: State
    findings: tuple[Finding, ...]
    reports: tuple[TaskReport, ...]


def step(state: State, batch: Sequence[Columns], now_ms: int) -> Outcome:
    """Judge readings by event time, then everything that `now_ms` alone decides (no data, no show, a window's end)."""
    findings: list[Finding] = []
    reports: list[TaskReport] = []
    levels, judged = state.levels, state.work
    for columns in batch:
        levels, found = thresholds.step(levels, columns, now_ms)
        findings += found
        if columns.kind.name == VEHICLE:
            outcome = work.step(judged, columns, now_ms)
            judged = outcome.state
            findings += outcome.findings
            reports += outcome.reports
    if not batch:
        levels, found = thresholds.step(levels, None, now_ms)
        outcome = work.step(judged, None, now_ms)
        judged = outcome.state
        findings += [*found, *outcome.findings]
        reports += outcome.reports
    return Outcome(State(levels, judged), tuple(findings), tuple(reports))


def enroll(state: State, devices: Iterable[Device], now_ms: int) -> State:
    """Devices that exist, so that one that never sends is missed."""
    return State(thresholds.enroll(state.levels, devices, now_ms), state.work)


def forget(state: State, keys: Iterable[DeviceKey]) -> State:
    """Devices that exist no more."""
    return State(thresholds.forget(state.levels, keys), state.work)


def replan(state: State, tasks: Sequence[Task], zones: Sequence[Zone], now_ms: int) -> State:
    """The tasks of the days around now."""
    return State(state.levels, work.replan(state.work, tasks, zones, now_ms))


def reconcile(state: State, open_alerts: Sequence[tuple[str, str, str, str, Severity]]) -> State:
    """After a restart: the levels are those of the open alerts, (rule, tenant, kind, subject, severity) each."""
    return State(thresholds.reconcile(state.levels, open_alerts), state.work)


def has_rule(state: State, rule: str) -> bool:
    """Whether alerts of `rule` can still come and go: a rule of the book, or one of those for planned work."""
    return rule.startswith(WORK_RULES) or state.levels.book.rule(rule.removesuffix(NO_DATA)) is not None


def capture(state: State) -> Captured:
    """What is to be saved of the state, as it is now. Packing it may go on beside later steps."""
    return thresholds.capture(state.levels), worksave.capture(state.work)


def pack(captured: Captured) -> bytes:
    """Bytes that `split` takes apart again."""
    levels, judged = map(archive.pack, captured)
    return _HEADER.pack(_MAGIC, len(levels)) + levels + judged


def split(data: bytes) -> tuple[bytes, bytes]:
    """The dumps of (thresholds, work). Raises ValueError when the bytes are no dump."""
    if len(data) < _HEADER.size or data[:4] != _MAGIC:
        raise ValueError("no dump of rule state")
    _, size = _HEADER.unpack_from(data)
    return data[_HEADER.size : _HEADER.size + size], data[_HEADER.size + size :]
