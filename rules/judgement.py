"""Judging tasks: what a vehicle's fixes in a window prove of the work that was planned there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from citywarden.columns import Bools, Floats, Ints
from citywarden.coordinates import project
from citywarden.model.work import Evidence, TaskReport, Verdict
from rules.areas import Areas
from rules.coverage import Coverage, cover
from rules.datum import misread
from rules.distance import farthest
from rules.motion import PLAUSIBLE_KMH, STANDING_M, breaks, derive_speed, hold_flags, look_ahead, pauses_ms
from rules.points import ACCURATE, VALID, History, Points
from rules.raster import Located, Roads
from rules.strokes import Deed, Steps, Strokes, strokes
from rules.tasktable import TaskTable
from rules.worksettings import WorkSettings

_BLOCK_ROWS = 30_000
_MANY = 6
"""Fewer fixes than this say nothing about a datum."""


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


@dataclass(frozen=True, slots=True)
class Judged:
    """A report, and the time (ms) of the last step that covered any of the road (0: none did)."""

    report: TaskReport
    last_ms: int


def judge(court: Court, which: Ints, history: History, now_ms: int) -> list[Judged]:
    """Reports of the tasks `which` (numbers in the table), in that order, as of `now_ms`."""
    judged: list[Judged] = []
    for block in _blocks(court.table, which):
        case = examine(court, block, history)
        last = case.coverage.last_ms.tolist()
        judged.extend(map(Judged, _reports(court, case, now_ms), last))
    return judged


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


def _blocks(table: TaskTable, which: Ints) -> list[Ints]:
    """Tasks in lots whose windows hold about a cacheful of fixes at one every ten seconds."""
    rows = np.cumsum((table.high_ms[which] - table.low_ms[which]) // 10_000 + 1)
    return [lot for lot in np.split(which, np.flatnonzero(np.diff(rows // _BLOCK_ROWS)) + 1) if len(lot)]


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


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Per task: durations in s, lengths in m."""

    work_s: Floats
    idle_s: Floats
    unknown_s: Floats
    overspeed_s: Floats
    driven_m: Floats
    effective_m: Floats
    rows: Ints
    inside: Ints


def _total(of: Ints, values: Floats | Bools, count: int) -> Floats:
    return np.bincount(of, values, count).astype(np.float64)


def _sums(court: Court, case: Case) -> _Sums:
    settings, steps, count = court.settings, case.steps, len(case.which)
    of, seconds = steps.task, steps.pause_ms / 1000.0
    on_route = case.inside | case.equipped[of]
    working = steps.working & on_route
    before = np.append(False, working[:-1])
    work = _total(of, seconds * (steps.joined & working & before), count)
    limit = court.table.v_high[case.which][of] * settings.overspeed_factor
    over = case.on & case.equipped[of] & (steps.speed_kmh > limit)
    overspeed = _total(of, seconds * (steps.joined & over & np.append(False, over[:-1])), count)
    idle = _total(of, _idle(steps, case, settings), count)
    start, end = court.table.start_ms[case.which][of], court.table.end_ms[case.which][of]
    gap = np.minimum(steps.ts_ms, end) - np.maximum(steps.ts_ms - steps.pause_ms, start)
    unknown = _total(of, np.where(~steps.joined & ~steps.first, np.maximum(gap, 0) / 1000.0, 0.0), count)
    standing = (steps.speed_kmh < 1.0) & (steps.step_m < 10 * STANDING_M)
    plausible = steps.step_m / 1000.0 <= PLAUSIBLE_KMH * np.maximum(seconds, 1.0) / 3600.0
    driven = _total(of, np.where(standing | ~plausible, 0.0, steps.step_m), count)
    effective = np.zeros(len(of))
    done = case.strokes.deed == Deed.COVERED
    row = case.strokes.row[done]
    stroke = case.strokes.high_m[done] - case.strokes.low_m[done]
    np.maximum.at(effective, row, np.minimum(stroke, steps.step_m[row]))
    useful = np.minimum(_total(of, effective, count), driven)
    rows, inside = np.bincount(of, minlength=count), _total(of, case.inside, count).astype(np.int64)
    return _Sums(work, idle, unknown, overspeed, driven, useful, rows, inside)


def _idle(steps: Steps, case: Case, settings: WorkSettings) -> Floats:
    """Seconds of each step that are idle in work: half a step into standing, all of it while standing, half out.

    A stand longer than allowed counts nothing.
    """
    slow = steps.slow & (case.equipped[steps.task])
    place = np.arange(len(slow))
    before = np.append(False, slow[:-1]) & steps.joined
    begins = slow & ~before
    if not begins.any():
        return np.zeros(len(slow))
    run = np.cumsum(begins) - 1
    start = np.flatnonzero(begins)
    last = np.maximum.reduceat(np.where(slow, place, -1), start)
    short = steps.ts_ms[last] - steps.ts_ms[start] <= settings.idle_in_work_s * 1000
    on_before = np.append(False, case.on[:-1])
    share = (slow.astype(float) + before) / 2 * (steps.joined & case.on & on_before)
    mine = np.where(slow, run, np.append(0, run[:-1]))
    return np.where(short[np.maximum(mine, 0)], share, 0.0) * steps.pause_ms / 1000.0


def _reports(court: Court, case: Case, now_ms: int) -> list[TaskReport]:
    sums = _sums(court, case)
    coarse = _too_coarse(court, case)
    deviation = farthest(court, case.which, case.points, case.steps, case.located.distance_m)
    suspect = _suspect(court, case, sums)
    reports = []
    for k, number in enumerate(case.which.tolist()):
        task = court.table.tasks[number]
        planned = float(court.roads.segments.length_m[court.table.road[number]])
        covered, driven = float(case.coverage.covered_m[k]), float(sums.driven_m[k])
        effective = float(sums.effective_m[k])
        report = TaskReport(
            task=task.id,
            vehicle=task.vehicle,
            operation=task.operation,
            start_ms=task.start_ms,
            end_ms=task.end_ms,
            status=Verdict.OPEN,
            reasons=(),
            evidence=Evidence.EQUIPMENT if case.equipped[k] else Evidence.GPS_ONLY,
            work_duration_s=round(float(sums.work_s[k]), 3),
            idle_in_work_s=round(float(sums.idle_s[k]), 3),
            unknown_s=round(float(sums.unknown_s[k]), 3),
            planned_m=round(planned, 3),
            covered_m=round(covered, 3),
            coverage_pct=round(100.0 * covered / planned, 3),
            passes=int(case.coverage.passes[k]),
            driven_m=round(driven, 3),
            effective_m=round(effective, 3),
            empty_running_pct=round(100.0 * (driven - effective) / driven, 3) if driven > 0 else 0.0,
            overspeed_s=round(float(sums.overspeed_s[k]), 3),
            max_deviation_m=None if np.isnan(deviation[k]) else round(float(deviation[k]), 3),
            missed=case.coverage.missed[k],
            notes=_notes(case, k),
        )
        if now_ms >= task.end_ms:
            why = ("no_data",) if not sums.rows[k] else ("sampling_too_coarse",) if coarse[k] else ()
            if k in suspect:
                why = ("datum_suspect",)
            reports.append(_verdict(report, court, number, why, int(sums.inside[k])))
        else:
            reports.append(report)
    return reports


def _verdict(report: TaskReport, court: Court, number: int, why: Sequence[str], inside: int) -> TaskReport:
    if why:
        return replace(report, status=Verdict.NOT_JUDGED, reasons=tuple(why))
    task, settings = court.table.tasks[number], court.settings
    reasons = []
    if not inside:
        reasons.append("no_show")
    if report.coverage_pct < task.min_coverage_pct:
        reasons.append("low_coverage")
    if task.min_duration_s is not None and report.work_duration_s < settings.duration_share * task.min_duration_s:
        reasons.append("short_duration")
    if task.passes > 1 and report.passes < task.passes:
        reasons.append("short_passes")
    busy = report.work_duration_s + report.overspeed_s
    if report.overspeed_s > settings.overspeed_share * busy and busy > 0:
        reasons.append("overspeed")
    return replace(report, status=Verdict.NOT_MET if reasons else Verdict.MET, reasons=tuple(reasons))


def _notes(case: Case, k: int) -> tuple[str, ...]:
    mine = case.points.take(case.steps.task == k) if len(case.which) > 1 else case.points
    if not len(mine):
        return ()
    notes = []
    if np.isnan(mine.speed_kmh).any():
        notes.append("speed_derived")
    if np.isnan(mine.heading_deg).any():
        notes.append("heading_derived")
    if not (mine.flags & ACCURATE).any():
        notes.append("accuracy_unknown")
    return tuple(notes)


def _too_coarse(court: Court, case: Case) -> Bools:
    """Tasks whose fixes inside the window lie farther apart than may be judged, in the median."""
    steps, count = case.steps, len(case.which)
    start, end = court.table.start_ms[case.which][steps.task], court.table.end_ms[case.which][steps.task]
    counted = ~steps.first & (steps.ts_ms >= start) & (steps.ts_ms <= end)
    wide = np.bincount(steps.task, counted & (steps.pause_ms > court.settings.too_coarse_s * 1000), count)
    return np.asarray(2 * wide > np.bincount(steps.task, counted, count))


def _suspect(court: Court, case: Case, sums: _Sums) -> set[int]:
    """Tasks that cover nothing because track and plan are in different datums."""
    far = case.located.distance_m > court.settings.deviation_m
    many = np.bincount(case.steps.task, far & case.on, len(case.which))
    found = set()
    for k in np.flatnonzero((case.coverage.covered_m == 0) & (many >= _MANY)).tolist():
        mine = np.flatnonzero((case.steps.task == k) & case.on)
        if 2 * many[k] > len(mine) and misread(court, np.full(len(mine), case.which[k]), case.points.take(mine)):
            found.add(k)
    return found
