"""The memory of judging work, and the plan it is held against."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from citywarden.columns import Ints
from citywarden.model.work import Task, Zone
from rules.areas import Areas, areas
from rules.compliance import Carries, SlotBands, fresh_carries, grown_carries, slot_bands
from rules.episodes import Episode
from rules.examination import Court
from rules.judgement import Judged
from rules.observation import NEVER, Memory, blank, grown_memory, observe
from rules.points import MAX_VEHICLES, History
from rules.tasktable import EMPTY_NETWORK, Network, TaskTable, VehicleKey, extend, task_table
from rules.worksettings import WorkSettings

OPEN, JUDGED, FINAL = 0, 1, 2
"""How far a task is judged: not yet, at the end of its window, after its grace."""

NEVER_LOOKED = -(1 << 62)


@dataclass(frozen=True, slots=True, eq=False)
class Turns:
    """Moments at which a task can be judged, or its vehicle is missing: ascending `at_ms`, and the `task` of each."""

    at_ms: Ints
    task: Ints

    def between(self, after_ms: int, until_ms: int) -> Ints:
        """Tasks of the moments in (after_ms, until_ms]; several times where it has several."""
        low, high = np.searchsorted(self.at_ms, [after_ms, until_ms], "right")
        return self.task[low:high]


def turns_of(table: TaskTable, settings: WorkSettings) -> Turns:
    """The moments of all tasks: end of the window, of the grace, and when its vehicle has to have been there."""
    awaited = np.minimum(table.start_ms + round(settings.no_show_s * 1000), table.end_ms)
    at_ms = np.concatenate([table.end_ms, table.high_ms, awaited]) + round(settings.settle_s * 1000)
    order = np.argsort(at_ms, kind="stable")
    return Turns(at_ms[order], order % max(len(table), 1))


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """All that judging remembers. Treat it as a value: `step` and `replan` give a new one and leave the old alone.

    `since_ms`: nothing is said of windows that ended before it. `vehicles`: key of each slot. By task number:
    `first_in` (ms of the first fix in the buffer), `stage` (how far it is judged), `shown_up` (0 in time or not due,
    1 missing, 2 late). `episodes` by slot, `work` and `judged` by task id. `silent`: slots that are offline.
    `turns`: when time alone changes something of a task, which has been looked at up to `looked_ms`.
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
    turns: Turns
    looked_ms: int
    bands: SlotBands
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


def start(tasks: Sequence[Task], zones: Sequence[Zone], settings: WorkSettings, now_ms: int) -> State:
    """A judge that has seen nothing yet. Windows that ended before `now_ms` are not held against anyone.

    To take up work in progress, start at an earlier `now_ms` and step through what the store has since then.
    """
    table = task_table((), {}, EMPTY_NETWORK, settings)
    state = State(
        settings=settings,
        since_ms=now_ms,
        now_ms=now_ms,
        slots={},
        vehicles=(),
        zones=(),
        areas=areas(()),
        network=EMPTY_NETWORK,
        table=table,
        turns=turns_of(table, settings),
        looked_ms=NEVER_LOOKED,
        bands=slot_bands(table, 0),
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
    state = with_vehicles(state, [(task.tenant, task.vehicle) for task in every])
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
        turns=turns_of(table, state.settings),
        looked_ms=NEVER_LOOKED,
        bands=slot_bands(table, len(state.slots)),
        first_in=_carried(state.first_in, old, NEVER),
        stage=_carried(state.stage, old, OPEN),
        shown_up=_carried(state.shown_up, old, 0),
        judged={name: replace(one, tail=None) for name, one in state.judged.items() if name in kept},
        work={name: some for name, some in state.work.items() if name in kept},
        history=state.history.since(oldest) if len(state.history) else state.history,
        episodes={slot: recent for slot, some in state.episodes.items() if (recent := _recent(some, oldest))},
    )
    return _met_before(state, np.flatnonzero(old < 0))


def with_vehicles(state: State, keys: Iterable[VehicleKey]) -> State:
    """With a slot for every vehicle in `keys`. Raises ValueError when there are too many."""
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
        bands=slot_bands(state.table, count),
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
