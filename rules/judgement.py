"""Judging tasks: what a vehicle's fixes in a window prove of the work that was planned there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from citywarden.columns import Bools, Ints
from citywarden.model.work import Evidence, TaskReport, Verdict
from rules.datum import misread
from rules.distance import farthest
from rules.examination import Case, Court, examine
from rules.points import ACCURATE, History
from rules.reopening import Tail, tails
from rules.sums import add_up
from rules.tasktable import TaskTable

_BLOCK_ROWS = 30_000
_MANY = 6
"""Fewer fixes than this say nothing about a datum."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A report, and the time (ms) of the last step that covered any of the road (0: none did).

    `tail`: what tells whether more fixes can change it; None where it has to be judged again in any case.
    """

    report: TaskReport
    last_ms: int
    tail: Tail | None = None


def judge(court: Court, which: Ints, history: History, now_ms: int) -> list[Judged]:
    """Reports of the tasks `which` (numbers in the table), in that order, as of `now_ms`."""
    judged: list[Judged] = []
    for block in _blocks(court.table, which):
        case = examine(court, block, history)
        last = case.coverage.last_ms.tolist()
        ends = tails(case.steps, case.points, case.coverage.covered_m > 0, case.equipped)
        judged.extend(map(Judged, _reports(court, case, now_ms), last, ends))
    return judged


def _blocks(table: TaskTable, which: Ints) -> list[Ints]:
    """Tasks in lots whose windows hold about a cacheful of fixes at one every ten seconds."""
    rows = np.cumsum((table.high_ms[which] - table.low_ms[which]) // 10_000 + 1)
    return [lot for lot in np.split(which, np.flatnonzero(np.diff(rows // _BLOCK_ROWS)) + 1) if len(lot)]


def _reports(court: Court, case: Case, now_ms: int) -> list[TaskReport]:
    sums = add_up(court, case)
    coarse = _too_coarse(court, case)
    deviation = farthest(court, case.which, case.points, case.steps, case.located.distance_m)
    suspect = _suspect(court, case)
    notes = _notes(case)
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
            notes=notes[k],
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


def _notes(case: Case) -> list[tuple[str, ...]]:
    """By task, how far the data carries."""
    task, count = case.steps.task, len(case.which)
    some = np.bincount(task, minlength=count) > 0
    found = {
        "speed_derived": np.bincount(task, np.isnan(case.points.speed_kmh), count) > 0,
        "heading_derived": np.bincount(task, np.isnan(case.points.heading_deg), count) > 0,
        "accuracy_unknown": some & (np.bincount(task, case.points.flags & ACCURATE != 0, count) == 0),
    }
    return [tuple(note for note, holds in found.items() if holds[k]) for k in range(count)]


def _too_coarse(court: Court, case: Case) -> Bools:
    """Tasks whose fixes inside the window lie farther apart than may be judged, in the median."""
    steps, count = case.steps, len(case.which)
    start, end = court.table.start_ms[case.which][steps.task], court.table.end_ms[case.which][steps.task]
    counted = ~steps.first & (steps.ts_ms >= start) & (steps.ts_ms <= end)
    wide = np.bincount(steps.task, counted & (steps.pause_ms > court.settings.too_coarse_s * 1000), count)
    return np.asarray(2 * wide > np.bincount(steps.task, counted, count))


def _suspect(court: Court, case: Case) -> set[int]:
    """Tasks that cover nothing because track and plan are in different datums."""
    far = case.located.distance_m > court.settings.deviation_m
    task, count = case.steps.task, len(case.which)
    many = np.bincount(task, far & case.on, count)
    working = np.bincount(task, case.on, count)
    asked = np.flatnonzero((case.coverage.covered_m == 0) & (many >= _MANY) & (2 * many > working))
    if not len(asked):
        return set()
    place = np.full(count, -1, np.int64)
    place[asked] = np.arange(len(asked))
    mine = np.flatnonzero(case.on & (place[task] >= 0))
    found = misread(court, case.which[asked], place[task[mine]], case.points.take(mine))
    return set(asked[found].tolist())
