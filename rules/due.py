"""What time and late fixes bring: tasks judged when their window or grace ends, and again when that may change."""

from dataclasses import dataclass, replace

import numpy as np

from citywarden.columns import Bools, Ints
from citywarden.model.alert import Finding
from citywarden.model.work import TaskReport
from rules.episodes import changes
from rules.judgement import judge
from rules.observation import NEVER, pairs
from rules.points import Points
from rules.reopening import Tail, reopened
from rules.verdicts import Standing, task_episodes
from rules.workstate import FINAL, JUDGED, OPEN, State


@dataclass(frozen=True, slots=True, eq=False)
class _Standing:
    """Where the tasks `which` stand by now: `reached` (how far they can be judged), `shown_up`, and `awaited`: past
    the time by which the vehicle had to be there, and it was not in time.
    """

    which: Ints
    reached: Ints
    awaited: Bools
    shown_up: Ints


def judge_due(state: State, points: Points, shaken: Ints) -> tuple[State, list[Finding], list[TaskReport]]:
    """Judge tasks whose window, or grace, has ended since the last call, and again those that `points` may change.

    `points`: fixes that were new, and are in the history by now. `shaken`: tasks whose first fix may be another one.
    """
    table = state.table
    row, task = pairs(table, points, table.low_ms, table.high_ms)
    touched, at = np.unique(task, return_inverse=True)
    turned = state.turns.between(state.looked_ms, state.now_ms)
    state = replace(state, looked_ms=state.now_ms)
    which = np.unique(np.concatenate([touched, turned, shaken]))
    if not len(which):
        return state, [], []
    now = _standing(state, which)
    due = (now.reached > state.stage[which]) & (table.end_ms[which] > state.since_ms)
    closed = np.flatnonzero(now.reached[np.searchsorted(which, touched)] > OPEN)
    back = np.full(len(touched), -1)
    back[closed] = np.arange(len(closed))
    mine = back[at] >= 0
    late = touched[closed]
    late = late[reopened(state.court, late, _tails(state, late), points, row[mine], back[at[mine]])]
    due[np.searchsorted(which, late)] = True
    same = due & (state.stage[which] == JUDGED) & np.isin(which, late, invert=True)
    same[same] = [tail is not None for tail in _tails(state, which[same])]
    return _settle(state, now, due, due & ~same)


def _tails(state: State, which: Ints) -> list[Tail | None]:
    """Of each task. A window that ended before anyone listened is not judged for what its vehicle does elsewhere
    afterwards, as if it had been judged at its end.
    """
    found: list[Tail | None] = []
    for number, end_ms in zip(which.tolist(), state.table.end_ms[which].tolist(), strict=True):
        one = state.judged.get(state.table.tasks[number].id)
        if one is None:
            found.append(Tail(end_ms, False, True, True, False, False) if end_ms <= state.since_ms else None)
        else:
            found.append(one.tail)
    return found


def _standing(state: State, which: Ints) -> _Standing:
    table, now, settle = state.table, state.now_ms, round(state.settings.settle_s * 1000)
    start, end, high = table.start_ms[which], table.end_ms[which], table.high_ms[which]
    reached = np.where(now >= high + settle, FINAL, np.where(now >= end + settle, JUDGED, OPEN))
    due_ms, first_in = np.minimum(start + round(state.settings.no_show_s * 1000), end), state.first_in[which]
    awaited = (now >= due_ms + settle) & (first_in > due_ms) & (due_ms > state.since_ms)
    return _Standing(which, reached, awaited, np.where(awaited, np.where(first_in < NEVER, 2, 1), 0))


def _settle(state: State, now: _Standing, due: Bools, new: Bools) -> tuple[State, list[Finding], list[TaskReport]]:
    """Say what has changed of tasks that are due and of who has shown up; judge those of which there is `new`."""
    table, judged = state.table, dict(state.judged)
    fresh: list[TaskReport] = []
    todo = now.which[new]
    for number, one in zip(todo.tolist(), judge(state.court, todo, state.history, state.now_ms), strict=True):
        before = judged.get(table.tasks[number].id)
        if before is None or before.report != one.report:
            fresh.append(one.report)
        judged[table.tasks[number].id] = one
    changed = np.flatnonzero(due | (now.shown_up != state.shown_up[now.which]))
    stage, shown_up = state.stage.copy(), state.shown_up.copy()
    stage[now.which] = np.maximum(stage[now.which], now.reached)
    shown_up[now.which] = now.shown_up
    state = replace(state, judged=judged, stage=stage, shown_up=shown_up)
    work = dict(state.work)
    findings: list[Finding] = []
    for place in changed.tolist():
        number = int(now.which[place])
        task = table.tasks[number].id
        standing = Standing(
            number,
            bool(now.awaited[place]),
            int(state.first_in[number]),
            judged.get(task),
            bool(now.reached[place] == FINAL),
        )
        found = task_episodes(state.court, standing, state.history)
        findings.extend(changes(work.get(task, ()), found))
        work[task] = found
    return replace(state, work=work), findings, fresh
