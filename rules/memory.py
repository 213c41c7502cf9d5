"""What the rules remember of every device, and what may be done to it from outside a step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from citywarden.columns import Ints
from citywarden.model.alert import Severity
from citywarden.model.device import Device, DeviceKey
from citywarden.model.kind import Kind, Kinds
from citywarden.seating import Seats
from rules.levels import Levels
from rules.roster import NEVER_MS, Roster
from rules.rulebook import NO_DATA, Rule, RuleBook
from rules.silence import Silence


@dataclass(slots=True, eq=False)
class KindState:
    """The devices of one kind and where they stand on its rules."""

    roster: Roster
    levels: dict[str, Levels] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)

    def grow(self) -> None:
        """As much room everywhere as the roster has."""
        for levels in self.levels.values():
            levels.grow(self.roster.room)
        for silence in self.silences.values():
            silence.grow(self.roster.room)

    def enroll(self, devices: Sequence[Device], now_ms: int, seats: Seats | None = None) -> Ints:
        """The slot of each device; those not watched yet are from `now_ms` on. `seats`: their numbers."""
        enrolled, room = self.roster.enrolled, self.roster.room
        slots = self.roster.slots(devices, now_ms, seats)
        if self.roster.room != room:
            self.grow()
        if self.roster.enrolled != enrolled:
            for silence in self.silences.values():
                silence.stir()
        return slots


@dataclass(slots=True, eq=False)
class State:
    """Everything the rules remember. It has one owner: `step` and the others change it in place and give it back."""

    book: RuleBook
    timezone: ZoneInfo
    started_ms: int
    kinds: dict[str, KindState]


def start(book: RuleBook, kinds: Kinds, timezone: ZoneInfo, now_ms: int) -> State:
    """A state that knows no device yet. Silence counts from `now_ms`, ms since 1970 UTC, at the earliest."""
    return State(book, timezone, now_ms, {name: _of_kind(kind, book) for name, kind in kinds.items()})


def _of_kind(kind: Kind, book: RuleBook) -> KindState:
    rules = [rule for rule in book.rules if rule.kind == kind.name]
    levels = {rule.id: Levels(rule) for rule in rules if rule.levels}
    silences = {rule.id: Silence(rule) for rule in rules if rule.no_data_ms is not None}
    return KindState(Roster(kind, rules), levels, silences)


def enroll(state: State, devices: Iterable[Device], now_ms: int) -> State:
    """Take in devices of the registry, new or changed. One that never sends is silent counting from `now_ms`."""
    by_kind: dict[str, list[Device]] = {}
    gone: list[DeviceKey] = []
    for device in devices:
        if not device.enabled:
            gone.append(device.key)
        elif device.kind in state.kinds:
            by_kind.setdefault(device.kind, []).append(device)
    for kind, members in by_kind.items():
        state.kinds[kind].enroll(members, max(now_ms, state.started_ms))
    return forget(state, gone)


def forget(state: State, keys: Iterable[DeviceKey]) -> State:
    """Devices that exist no more, or are disabled: nothing is said of them any more, nor are they missed."""
    by_kind: dict[str, list[DeviceKey]] = {}
    for key in keys:
        by_kind.setdefault(key.kind, []).append(key)
    for kind, members in by_kind.items():
        if kind in state.kinds:
            part = state.kinds[kind]
            slots = part.roster.forget(members)
            for levels in part.levels.values():
                levels.clear(slots)
            for silence in part.silences.values():
                silence.silent[slots] = False
    return state


def standing(state: State, rule_id: str, key: DeviceKey) -> str:
    """Where a device stands on a rule: `no_data`, the severity's word, `pending` or `ok`."""
    part = state.kinds[key.kind]
    slot = part.roster.slot_of.get(key)
    if slot is None:
        return "ok"
    if rule_id in part.silences and part.silences[rule_id].silent[slot]:
        return "no_data"
    levels = part.levels.get(rule_id)
    if levels is None:
        return "ok"
    if levels.level[slot]:
        return levels.rule.levels[int(levels.level[slot]) - 1].severity.word
    return "pending" if levels.pending[slot] else "ok"


def reconcile(state: State, open_alerts: Iterable[tuple[str, str, str, str, Severity]]) -> State:
    """After a restart: exactly the open alerts stand, (rule, tenant, kind, subject, severity) each.

    What was raised but is not open any more is ok again, and is raised anew if it still holds. Alerts of rules that
    the book does not have are not touched. A severity the rule does not have counts as its next lower level.
    """
    for part in state.kinds.values():
        for levels in part.levels.values():
            levels.level[:] = 0
            levels.stir()
        for silence in part.silences.values():
            silence.silent[:] = False
            silence.stir()
    for rule_id, tenant, kind, subject, severity in open_alerts:
        rule = state.book.rule(rule_id) or state.book.rule(rule_id.removesuffix(NO_DATA))
        known = state.kinds.get(kind)
        if rule is None or rule.kind != kind or known is None:
            continue
        slot = int(known.enroll([_known_or_bare(known.roster, DeviceKey(tenant, kind, subject))], NEVER_MS)[0])
        if rule_id != rule.id and rule.id in known.silences:
            known.silences[rule.id].silent[slot] = True
        elif rule_id == rule.id and rule.levels:
            known.levels[rule.id].level[slot] = _level_of(rule, severity)
            known.levels[rule.id].pending[slot] = 0
    return state


def _known_or_bare(roster: Roster, key: DeviceKey) -> Device:
    slot = roster.slot_of.get(key)
    return roster.device(slot) if slot is not None else Device(key.tenant, key.kind, key.id)


def _level_of(rule: Rule, severity: Severity) -> int:
    return max((i + 1 for i, level in enumerate(rule.levels) if level.severity <= severity), default=1)
