"""Planned tasks as columns, their roads indexed: what judging looks up by the thousand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from citywarden.columns import Bools, Floats, Ints
from citywarden.model.work import Coordinates, Operation, Task
from rules.points import on_bit, spans
from rules.raster import Roads
from rules.worksettings import WorkSettings

EQUIPMENT: Mapping[Operation, str] = {
    Operation.SWEEP: "brush",
    Operation.WASH: "pump",
    Operation.SPRINKLE: "pump",
    Operation.COLLECT: "lift",
}
VehicleKey = tuple[str, str]
"""(tenant, vehicle id)."""


@dataclass(frozen=True, slots=True, eq=False)
class TaskTable:
    """t tasks; arrays (t,). `low_ms`..`high_ms`: the time in which work counts for the task.

    `low_ms` is the window's start less the tolerance, `high_ms` its end plus the grace, both cut where another task
    of the vehicle on the same road has its own window. `signal`: bit of the equipment that must be on.
    `by_slot`: the numbers of all tasks by vehicle; those of slot s are `by_slot[begins[s]:begins[s + 1]]`.
    """

    tasks: tuple[Task, ...]
    slot: Ints
    road: Ints
    start_ms: Ints
    end_ms: Ints
    low_ms: Ints
    high_ms: Ints
    buffer_m: Floats
    v_low: Floats
    v_high: Floats
    signal: Ints
    collects: Bools
    both_ways: Bools
    by_slot: Ints
    begins: Ints

    def __len__(self) -> int:
        return len(self.tasks)

    def of(self, slots: Ints) -> Ints:
        """Numbers of the tasks of some vehicles, ascending; a vehicle without any is fine."""
        slots = slots[slots < len(self.begins) - 1]
        place, _ = spans(self.begins[slots], self.begins[slots + 1])
        return np.sort(self.by_slot[place])


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Roads by their geometry: tasks on the same road share one entry of the index."""

    roads: Roads
    number: Mapping[tuple[Coordinates, ...], int]


EMPTY_NETWORK = Network(Roads(), {})


def extend(network: Network, tasks: Sequence[Task]) -> Network:
    """With the roads of `tasks` in it."""
    number = dict(network.number)
    new: list[tuple[Coordinates, ...]] = []
    for task in tasks:
        if task.lines not in number:
            number[task.lines] = len(number)
            new.append(task.lines)
    return Network(network.roads.add(new), number) if new else network


def task_table(
    tasks: Sequence[Task], slots: Mapping[VehicleKey, int], network: Network, settings: WorkSettings
) -> TaskTable:
    """Columns of `tasks`; their vehicles are in `slots`, their roads in `network`."""
    bands = [task.speed_band_kmh or settings.speed_bands_kmh[task.operation] for task in tasks]
    slot = _ints([slots[task.tenant, task.vehicle] for task in tasks])
    road = _ints([network.number[task.lines] for task in tasks])
    start, end = _ints([t.start_ms for t in tasks]), _ints([t.end_ms for t in tasks])
    low, high = _counted(slot, road, start, end, settings)
    by_slot = np.argsort(slot, kind="stable")
    return TaskTable(
        tasks=tuple(tasks),
        slot=slot,
        road=road,
        start_ms=start,
        end_ms=end,
        low_ms=low,
        high_ms=high,
        buffer_m=np.array([t.buffer_m for t in tasks], np.float64),
        v_low=np.array([band[0] for band in bands], np.float64),
        v_high=np.array([band[1] for band in bands], np.float64),
        signal=_ints([on_bit(EQUIPMENT[t.operation]) for t in tasks]),
        collects=np.array([t.operation is Operation.COLLECT for t in tasks], np.bool_),
        both_ways=np.array([t.bidirectional for t in tasks], np.bool_),
        by_slot=by_slot,
        begins=np.searchsorted(slot[by_slot], np.arange(len(slots) + 1)),
    )


def _counted(slot: Ints, road: Ints, start: Ints, end: Ints, settings: WorkSettings) -> tuple[Ints, Ints]:
    """Window with tolerance and grace; neighbours on the same road of the same vehicle share the time between."""
    low = start - round(settings.window_tolerance_s * 1000)
    high = end + round(settings.grace_s * 1000)
    order = np.lexsort((start, road, slot))
    one, two = order[:-1], order[1:]
    same = (slot[one] == slot[two]) & (road[one] == road[two])
    one, two = one[same], two[same]
    middle = np.maximum((end[one] + start[two]) // 2, 0)
    high[one] = np.maximum(np.minimum(high[one], middle), end[one])
    low[two] = np.minimum(np.maximum(low[two], middle), start[two])
    return low, high


def _ints(values: Sequence[int]) -> Ints:
    return np.array(values, np.int64)
