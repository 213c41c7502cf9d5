"""Did the work really happen? The live judge of a fleet: fixes and time in, findings and task reports out.

`step` is a pure function: the same fixes lead to the same episodes and reports however they are cut into batches,
shuffled, repeated or filled in late. A recording is judged by one step that takes it whole, and one that lets time
pass.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from citywarden.columns import Columns, Ints
from citywarden.model.alert import Finding
from citywarden.model.work import Task, TaskReport, Zone
from rules.areas import Areas, areas
from rules.compliance import Carries, comply, fresh_carries, grown_carries, slot_bands, without
from rules.episodes import Episode, changes
from rules.judgement import Court, Judged, judge
from rules.observation import NEVER, Memory, blank, grown_memory, observe, pairs, without_memory
from rules.points import MAX_VEHICLES, History, Points, from_columns
from rules.tasktable import EMPTY_NETWORK, Network, TaskTable, VehicleKey, extend, task_table
from rules.vehicles import OFFLINE, Situation, heard_after_all, told, unheard
from rules.verdicts import Standing, task_episodes
from rules.worksettings import WorkSettings

__all__ = ["Outcome", "State", "WorkSettings", "replan", "reports", "start", "step"]

KIND = "vehicle"
_OPEN, _JUDGED, _FINAL = 0, 1, 2
_LOT_ROWS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """All that judging remembers. Treat it as a value: `step` and `replan` give a new one and leave the old alone.

    `since_ms`: nothing is said of windows that ended before it. `vehicles`: key of each slot. By task number:
    `first_in` (ms of the first fix in the buffer), `stage` (how far it is judged), `shown_up` (0 in time or not due,
    1 missing, 2 late). `episodes` by slot, `work` and `judged` by task id. `silent`: slots that are offline.
    """

    settings: WorkSettings
    since_ms: int
    now_ms: int
    slots: Mapping[VehicleKey, int]
    vehicles: tuple[VehicleKey, ...]
    zones: tuple[Zone, ...]
    areas: Areas
    network: Network
    table: TaskTable
    history: History
    memory: Memory
    carries: Carries
    first_in: Ints
    stage: Ints
    shown_up: Ints
    judged: Mapping[str, Judged]
    episodes: Mapping[int, tuple[Episode, ...]]
    silent: frozenset[int]
    work: Mapping[str, tuple[Episode, ...]]

    @property
    def court(self) -> Court:
        return Court(self.table, self.network.roads, self.areas, self.settings)

    @property
    def alerts(self) -> list[Episode]:
        """Every episode of vehicles and tasks that is remembered, by time raised."""
        every = [e for group in (*self.episodes.values(), *self.work.values()) for e in group]
        return sorted(every, key=lambda e: (e.finding.at_ms, e.finding.rule, e.finding.subject))


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The state after a step, what changed of the rules, and the tasks judged or judged again by it."""

    state: State
    findings: list[Finding]
    reports: list[TaskReport]


def start(tasks: Sequence[Task], zones: Sequence[Zone], settings: WorkSettings, now_ms: int) -> State:
    """A judge that has seen nothing yet. Windows that ended before `now_ms` are not held against anyone.

    To take up work in progress, start at an earlier `now_ms` and step through what the store has since then.
    """
    state = State(
        settings=settings,
        since_ms=now_ms,
        now_ms=now_ms,
        slots={},
        vehicles=(),
        zones=(),
        areas=areas(()),
        network=EMPTY_NETWORK,
        table=task_table((), {}, EMPTY_NETWORK, settings),
        history=History(),
        memory=blank(0),
        carries=fresh_carries(0),
        first_in=np.zeros(0, np.int64),
        stage=np.zeros(0, np.int64),
        shown_up=np.zeros(0, np.int64),
        judged={},
        episodes={},
        silent=frozenset(),
        work={},
    )
    return replan(state, tasks, zones, now_ms)


def replan(state: State, tasks: Sequence[Task], zones: Sequence[Zone], now_ms: int) -> State:
    """The plan from now on. Tasks that have ended stay for the retention; others that `tasks` lacks are dropped.

    A task whose id is known keeps what was judged of it, unless it has changed.
    """
    oldest = now_ms - round(state.settings.retention_s * 1000)
    given = {task.id for task in tasks}
    ended = [t for t in state.table.tasks if t.id not in given and oldest < t.end_ms <= now_ms]
    every = [*ended, *tasks]
    state = _with_vehicles(state, [(task.tenant, task.vehicle) for task in every])
    network = extend(state.network if len(state.network.number) < 4 * len(every) + 64 else EMPTY_NETWORK, every)
    table = task_table(every, state.slots, network, state.settings)
    before = {task.id: i for i, task in enumerate(state.table.tasks)}
    old = np.array([before[t.id] if t.id in before and state.table.tasks[before[t.id]] == t else -1 for t in every])
    kept = {t.id for t, number in zip(every, old.tolist(), strict=True) if number >= 0}
    state = replace(
        state,
        now_ms=max(now_ms, state.now_ms),
        zones=tuple(zones),
        areas=state.areas if tuple(zones) == state.zones else areas(zones),
        network=network,
        table=table,
        first_in=_carried(state.first_in, old, NEVER),
        stage=_carried(state.stage, old, _OPEN),
        shown_up=_carried(state.shown_up, old, 0),
        judged={name: one for name, one in state.judged.items() if name in kept},
        work={name: some for name, some in state.work.items() if name in kept},
        history=state.history.since(oldest) if len(state.history) else state.history,
        episodes={slot: recent for slot, some in state.episodes.items() if (recent := _recent(some, oldest))},
    )
    return _met_before(state, np.flatnonzero(old < 0))


def step(state: State, columns: Columns | None, now_ms: int) -> Outcome:
    """Take in a batch of kind `vehicle` (None: only time passes) as of `now_ms`."""
    state = replace(state, now_ms=max(now_ms, state.now_ms))
    findings: list[Finding] = []
    touched = np.zeros(0, np.int64)
    if columns is not None and len(columns):
        state, points = _admit(state, columns)
        if len(points):
            _, task = pairs(state.table, points, state.table.low_ms, state.table.high_ms)
            touched = np.unique(task)
            state, findings = _take_in(state, points)
    state, quiet = _listen(state)
    state, verdicts, reports = _judge_due(state, touched)
    return Outcome(state, findings + quiet + verdicts, reports)


def reports(state: State, now_ms: int) -> list[TaskReport]:
    """What is known of every task of the plan, by number; those whose window has not ended are `open`."""
    known = [state.judged.get(task.id) for task in state.table.tasks]
    todo = np.flatnonzero([one is None for one in known])
    fresh = dict(zip(todo.tolist(), judge(state.court, todo, state.history, now_ms), strict=True))
    return [(one or fresh[i]).report for i, one in enumerate(known)]


def catch_up(state: State, vehicles: Sequence[VehicleKey], points: Points, now_ms: int) -> State:
    """Take in what was known before a restart: ordered `points` whose group is the place of the vehicle in `vehicles`.

    Nothing of it is told again.
    """
    state = _with_vehicles(state, vehicles)
    slots = np.array([state.slots[key] for key in vehicles], np.int64)
    if len(points):
        state, _ = _take_in(state, points.regroup(slots[points.group]).ordered())
    return step(state, None, now_ms).state


def _admit(state: State, columns: Columns) -> tuple[State, Points]:
    """Slots for vehicles never seen, and the fixes of the batch that are news."""
    keys = [(device.tenant, device.id) for device in columns.devices]
    state = _with_vehicles(state, keys)
    slots = np.array([state.slots[key] for key in keys], np.int64)
    points = from_columns(columns, slots, state.settings.max_hdop)
    late = points.ts_ms <= state.memory.heard_ms[points.group]
    if late.any():
        new = np.ones(len(points), np.bool_)
        new[late] = state.history.news(points.take(late))
        points = points.take(new)
    return state, points


def _take_in(state: State, points: Points) -> tuple[State, list[Finding]]:
    """Vehicles in order of time go on from where they stood; those with late fixes are gone through anew."""
    late = np.unique(points.group[points.ts_ms <= state.memory.heard_ms[points.group]])
    behind = np.zeros(len(state.slots), np.bool_)
    behind[late] = True
    state = replace(state, history=state.history.add(points))
    findings: list[Finding] = []
    for lot in _lots(points.take(~behind[points.group]) if len(late) else points):
        state, found = _observe(state, lot, np.zeros(0, np.int64))
        findings.extend(found)
    if not len(late):
        return state, sorted(findings, key=_at)
    anew = state.history.gather(late, np.zeros_like(late), np.full_like(late, NEVER))
    anew = anew.regroup(late[anew.group])
    mine = behind[state.table.slot]
    state = replace(
        state,
        memory=without_memory(state.memory, late),
        carries=without(state.carries, late),
        first_in=np.where(mine, NEVER, state.first_in),
    )
    for lot in _lots(anew):
        state, found = _observe(state, lot, np.unique(lot.group))
        findings.extend(found)
    return state, sorted(findings, key=_at)


def _lots(points: Points) -> Iterator[Points]:
    """Whole vehicles in lots that fit a processor's cache."""
    if len(points) <= 2 * _LOT_ROWS:
        yield points
        return
    starts = np.flatnonzero(np.append(True, np.diff(points.group) != 0))
    lots = starts[np.flatnonzero(np.append(True, np.diff(starts // _LOT_ROWS) != 0))]
    for low, high in pairwise([*lots.tolist(), len(points)]):
        yield points.take(slice(low, high))


def _at(finding: Finding) -> int:
    return finding.at_ms


def _observe(state: State, points: Points, anew: Ints) -> tuple[State, list[Finding]]:
    """Pass fixes by the rules. Episodes of the slots `anew` are made from nothing and compared with the old ones."""
    if not len(points):
        return state, []
    court = state.court
    base = dict(state.episodes)
    for slot in anew.tolist():
        oldest = int(points.ts_ms[np.searchsorted(points.group, slot)])
        base[slot] = tuple(e for e in base.pop(slot, ()) if e.finding.at_ms < oldest)
    for slot in heard_after_all(points, state.memory, state.silent, state.settings):
        base[slot] = tuple(e for e in base.get(slot, ()) if not (e.name == OFFLINE and e.cleared_ms is None))
    seen, silence, memory, first_in = observe(court, points, state.memory, state.first_in)
    events, carries = comply(court, seen, state.carries, slot_bands(court, len(state.slots)))
    episodes = told(Situation(court, state.history, state.vehicles, seen, silence), events, base)
    findings: list[Finding] = []
    for slot, after in episodes.items():
        if (before := state.episodes.get(slot, ())) is not after:
            findings.extend(changes(before, after))
    silent = state.silent - set(np.unique(points.group).tolist())
    state = replace(state, memory=memory, carries=carries, first_in=first_in, episodes=episodes, silent=silent)
    return state, findings


def _listen(state: State) -> tuple[State, list[Finding]]:
    """Vehicles that have fallen silent by now."""
    new = unheard(state.memory, state.vehicles, state.silent, state.settings, state.now_ms)
    if not new:
        return state, []
    episodes = dict(state.episodes)
    for slot, episode in new.items():
        episodes[slot] = (*episodes.get(slot, ()), episode)
    state = replace(state, episodes=episodes, silent=state.silent | set(new))
    return state, [episode.finding for episode in new.values()]


def _judge_due(state: State, touched: Ints) -> tuple[State, list[Finding], list[TaskReport]]:
    """Judge tasks whose window, or grace, has ended, and again those that got fixes late."""
    table, now, settle = state.table, state.now_ms, round(state.settings.settle_s * 1000)
    reached = np.where(now >= table.high_ms + settle, _FINAL, np.where(now >= table.end_ms + settle, _JUDGED, _OPEN))
    due = (reached > state.stage) & (table.end_ms > state.since_ms)
    due[touched] |= reached[touched] > _OPEN
    which = np.flatnonzero(due)
    judged = dict(state.judged)
    fresh: list[TaskReport] = []
    for number, one in zip(which.tolist(), judge(state.court, which, state.history, now), strict=True):
        before = judged.get(table.tasks[number].id)
        if before is None or before.report != one.report:
            fresh.append(one.report)
        judged[table.tasks[number].id] = one
    due_ms = np.minimum(table.start_ms + round(state.settings.no_show_s * 1000), table.end_ms)
    awaited = (now >= due_ms + settle) & (state.first_in > due_ms) & (due_ms > state.since_ms)
    shown_up = np.where(awaited, np.where(state.first_in < NEVER, 2, 1), 0)
    changed = np.union1d(which, np.flatnonzero(shown_up != state.shown_up))
    state = replace(state, judged=judged, stage=np.maximum(state.stage, reached), shown_up=shown_up)
    work = dict(state.work)
    findings: list[Finding] = []
    for number in changed.tolist():
        task = table.tasks[number].id
        standing = Standing(
            number,
            bool(awaited[number]),
            int(state.first_in[number]),
            judged.get(task),
            bool(reached[number] == _FINAL),
        )
        new = task_episodes(state.court, standing, state.history)
        findings.extend(changes(work.get(task, ()), new))
        work[task] = new
    return replace(state, work=work), findings, fresh


def _with_vehicles(state: State, keys: Iterable[VehicleKey]) -> State:
    new = [key for key in dict.fromkeys(keys) if key not in state.slots]
    if not new:
        return state
    count = len(state.slots) + len(new)
    if count > MAX_VEHICLES:
        raise ValueError(f"{count} vehicles are more than can be judged in one place ({MAX_VEHICLES})")
    slots = dict(state.slots)
    for key in new:
        slots[key] = len(slots)
    return replace(
        state,
        slots=slots,
        vehicles=(*state.vehicles, *new),
        memory=grown_memory(state.memory, count),
        carries=grown_carries(state.carries, count),
    )


def _met_before(state: State, new: Ints) -> State:
    """First fixes in the buffers of tasks that are new, of what the history has already."""
    if not len(new) or not len(state.history):
        return state
    table = state.table
    slots = np.unique(table.slot[new])
    past = state.history.gather(slots, np.zeros_like(slots), np.full_like(slots, NEVER))
    if not len(past):
        return state
    past = past.regroup(slots[past.group])
    fresh = blank(len(state.slots))
    _, _, _, first_in = observe(state.court, past, fresh, np.full(len(table), NEVER))
    merged = state.first_in.copy()
    merged[new] = first_in[new]
    return replace(state, first_in=merged)


def _carried(values: Ints, old: Ints, missing: int) -> Ints:
    """Values by old number, for the new numbering; `missing` where there was none."""
    return np.array([int(values[i]) if i >= 0 else missing for i in old.tolist()], np.int64)


def _recent(episodes: tuple[Episode, ...], oldest_ms: int) -> tuple[Episode, ...]:
    return tuple(e for e in episodes if e.cleared_ms is None or e.cleared_ms >= oldest_ms)
