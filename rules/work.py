"""Did the work really happen? The live judge of a fleet: fixes and time in, findings and task reports out.

`step` is a pure function: the same fixes lead to the same episodes and reports however they are cut into batches,
shuffled, repeated or filled in late. A recording is judged by one step that takes it whole, and one that lets time
pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from citywarden.columns import Columns, Ints
from citywarden.model.alert import Finding
from citywarden.model.work import TaskReport
from rules.compliance import comply, without
from rules.due import judge_due
from rules.episodes import changes
from rules.judgement import judge
from rules.observation import NEVER, observe, without_memory
from rules.points import NONE, Points, from_columns
from rules.tasktable import VehicleKey
from rules.vehicles import OFFLINE, Situation, heard_after_all, told, unheard
from rules.worksettings import WorkSettings
from rules.workstate import State, replan, start, with_vehicles

__all__ = ["Outcome", "State", "WorkSettings", "replan", "reports", "start", "step"]

KIND = "vehicle"
_LOT_ROWS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The state after a step, what changed of the rules, and the tasks judged or judged again by it."""

    state: State
    findings: list[Finding]
    reports: list[TaskReport]


def step(state: State, columns: Columns | None, now_ms: int) -> Outcome:
    """Take in a batch of kind `vehicle` (None: only time passes) as of `now_ms`."""
    state = replace(state, now_ms=max(now_ms, state.now_ms))
    findings: list[Finding] = []
    points, shaken = NONE, np.zeros(0, np.int64)
    if columns is not None and len(columns):
        state, points = _admit(state, columns)
        if len(points):
            state, findings, shaken = _take_in(state, points)
    state, quiet = _listen(state)
    state, verdicts, reports = judge_due(state, points, shaken)
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
    state = with_vehicles(state, vehicles)
    slots = np.array([state.slots[key] for key in vehicles], np.int64)
    if len(points):
        state, _, _ = _take_in(state, points.regroup(slots[points.group]).ordered())
    return step(state, None, now_ms).state


def _admit(state: State, columns: Columns) -> tuple[State, Points]:
    """Slots for vehicles never seen, and the fixes of the batch that are news."""
    keys = [(device.tenant, device.id) for device in columns.devices]
    state = with_vehicles(state, keys)
    slots = np.array([state.slots[key] for key in keys], np.int64)
    points = from_columns(columns, slots, state.settings.max_hdop)
    late = points.ts_ms <= state.memory.heard_ms[points.group]
    if late.any():
        new = np.ones(len(points), np.bool_)
        new[late] = state.history.news(points.take(late))
        points = points.take(new)
    return state, points


def _take_in(state: State, points: Points) -> tuple[State, list[Finding], Ints]:
    """Vehicles in order of time go on from where they stood; those with late fixes are gone through anew.

    Returns also the numbers of the tasks of these.
    """
    late = np.unique(points.group[points.ts_ms <= state.memory.heard_ms[points.group]])
    behind = np.zeros(len(state.slots), np.bool_)
    behind[late] = True
    state = replace(state, history=state.history.add(points))
    findings: list[Finding] = []
    for lot in _lots(points.take(~behind[points.group]) if len(late) else points):
        state, found = _observe(state, lot, np.zeros(0, np.int64))
        findings.extend(found)
    if not len(late):
        return state, sorted(findings, key=_at), late
    anew = state.history.gather(late, np.zeros_like(late), np.full_like(late, NEVER))
    anew = anew.regroup(late[anew.group])
    mine = behind[state.table.slot]
    shaken = np.flatnonzero(mine)
    state = replace(
        state,
        memory=without_memory(state.memory, late),
        carries=without(state.carries, late),
        first_in=np.where(mine, NEVER, state.first_in),
    )
    for lot in _lots(anew):
        state, found = _observe(state, lot, np.unique(lot.group))
        findings.extend(found)
    return state, sorted(findings, key=_at), shaken


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
    events, carries = comply(court, seen, state.carries, state.bands)
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
