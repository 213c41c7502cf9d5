"""Looking at the fixes of tasks: motion, equipment, strokes and coverage, without a verdict yet."""

from dataclasses import dataclass

import numpy as np

from citywarden.columns import Bools, Floats, Ints
from citywarden.coordinates import project
from rules.areas import Areas
from rules.coverage import Coverage, cover
from rules.motion import breaks, derive_speed, hold_flags, look_ahead, pauses_ms
from rules.points import ACCURATE, VALID, History, Points
from rules.raster import Located, Roads
from rules.strokes import Steps, Strokes, strokes
from rules.tasktable import TaskTable
from rules.worksettings import WorkSettings


@dataclass(frozen=True, slots=True, eq=False)
class Court:
    """What a judgement needs to know besides the fixes."""

    table: TaskTable
    roads: Roads
    areas: Areas
    settings: WorkSettings


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """The fixes of some tasks, what was made of them, and the coverage that follows.

    `which`: number of each task in the table; `steps.task` counts along it. `equipped[k]`: task k is judged by its
    equipment. `on`: the task's equipment is on; `inside`: the fix lies in the task's buffer.
    """

    which: Ints
    points: Points
    steps: Steps
    located: Located
    strokes: Strokes
    coverage: Coverage
    equipped: Bools
    on: Bools
    inside: Bools


def examine(court: Court, which: Ints, history: History) -> Case:
    """Look at the fixes of some tasks without a verdict."""
    table, settings = court.table, court.settings
    points = history.gather(table.slot[which], table.low_ms[which], table.high_ms[which] + 1)
    points = points.take(points.flags & VALID != 0)
    steps, equipped, on = _steps(court, which, points)
    located = court.roads.locate(steps.road, steps.x, steps.y)
    inside = located.distance_m <= steps.buffer_m
    for branch in located.branches:
        inside[branch.index] |= branch.off_m <= steps.buffer_m[branch.index]
    made = strokes(steps, located, court.roads, settings)
    silent = np.bincount(steps.task, minlength=len(which)) == 0
    length = court.roads.segments.length_m[table.road[which]]
    coverage = cover(steps, made, located.distance_m, length, settings, silent)
    return Case(which, points, steps, located, made, coverage, equipped, on, inside)


def _steps(court: Court, which: Ints, points: Points) -> tuple[Steps, Bools, Bools]:
    table, settings = court.table, court.settings
    task, ts_ms, first = points.group, points.ts_ms, breaks(points)
    of = which[task]
    road = table.road[of]
    central = court.roads.segments.meridian[table.road[which]]
    same = len(central) > 0 and bool((central == central[0]).all())
    x, y = project(points.lat, points.lon, central[0] if same else central[task])
    step_m = np.where(first, 0.0, np.hypot(np.diff(x, prepend=x[:1]), np.diff(y, prepend=y[:1])))
    pause, gap = pauses_ms(points, first), round(settings.max_gap_s * 1000)
    speed = derive_speed(points.speed_kmh, step_m, pause, first, gap)
    speed = look_ahead(speed, points.speed_kmh, pause, first, gap)
    flags = hold_flags(points.flags, pause, first, gap)
    signal = table.signal[of]
    told = flags & (signal >> 1).astype(np.uint16) != 0
    equipped = np.bincount(task, told, len(which)) > 0
    running = flags & signal.astype(np.uint16) != 0
    if (lifting := table.collects[of]).any():
        running = np.where(lifting, _recently(running, ts_ms, first, settings.lift_hold_s), running)
    on = running | ~equipped[task]
    low, high = table.v_low[of], table.v_high[of]
    heading = np.radians(points.heading_deg)
    steps = Steps(
        task=task,
        road=road,
        ts_ms=ts_ms,
        pause_ms=pause,
        first=first,
        joined=~first & (pause <= gap),
        x=x,
        y=y,
        step_m=step_m,
        speed_kmh=speed,
        heading_x=np.sin(heading),
        heading_y=np.cos(heading),
        buffer_m=row_buffer(table.buffer_m[of], points.flags & ACCURATE != 0, settings),
        both_ways=table.both_ways[of],
        working=on & (speed >= low) & (speed <= high),
        slow=on & (speed < low),
        fast=on & (speed > high),
    )
    return steps, equipped, on


def row_buffer(buffer_m: Floats, accurate: Bools, settings: WorkSettings) -> Floats:
    """A task's buffer, wider where the fix tells no accuracy and the plan has not set a buffer of its own."""
    wide = ~accurate & (buffer_m == settings.buffer_m)
    return np.where(wide, np.maximum(buffer_m, settings.unknown_accuracy_buffer_m), buffer_m)


def _recently(on: Bools, ts_ms: Ints, first: Bools, within_s: float) -> Bools:
    """On now or at most `within_s` ago."""
    mark = np.maximum.accumulate(np.where(on | first, np.arange(len(on)), 0))
    return np.asarray(on[mark] & (ts_ms - ts_ms[mark] <= within_s * 1000)) if len(on) else on
