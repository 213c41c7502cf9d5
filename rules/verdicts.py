"""Episodes of tasks: no show, missed road, too short, too few passes."""

from dataclasses import dataclass, replace

import numpy as np

from citywarden.model.alert import Finding, Reason
from citywarden.model.work import Task, TaskReport, Verdict
from rules.episodes import Episode
from rules.examination import Court
from rules.judgement import Judged, judge
from rules.observation import NEVER
from rules.points import History
from rules.wording import SEVERITY, summarise


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a task stands. `awaited`: past the time by which the vehicle had to be there, and it was not in time.

    `first_in_ms`: its first fix in the buffer (NEVER: none). `judged` None: its window has not ended. `final`: its
    grace has.
    """

    number: int
    awaited: bool
    first_in_ms: int
    judged: Judged | None
    final: bool


def task_episodes(court: Court, standing: Standing, history: History) -> tuple[Episode, ...]:
    """Everything the rules hold against a task now, and what they did."""
    task, settings = court.table.tasks[standing.number], court.settings
    episodes = []
    if standing.awaited:
        due_ms = min(task.start_ms + round(settings.no_show_s * 1000), task.end_ms)
        minutes = (due_ms - task.start_ms) / 60_000
        here = standing.first_in_ms if standing.first_in_ms < NEVER else None
        raised = _finding(task, "work.no_show", due_ms, minutes, settings.no_show_s / 60, "min")
        episodes.append(Episode(replace(raised, reason=Reason.NO_DATA), "work.no_show", task.id, here))
    judged = standing.judged
    if judged is None or judged.report.status not in (Verdict.MET, Verdict.NOT_MET):
        return tuple(episodes)
    report = judged.report
    if _lacks(court, task, report):
        episodes.append(_missed(task, report, None))
    elif judged.last_ms > task.end_ms:
        before = _at_window_end(court, standing.number, history).report
        if _lacks(court, task, before):
            episodes.append(_missed(task, before, judged.last_ms))
    if standing.final:
        if "short_duration" in report.reasons and task.min_duration_s is not None:
            found = (report.work_duration_s / 60, task.min_duration_s / 60, "min")
            rule = "work.short_duration"
            episodes.append(Episode(_finding(task, rule, task.end_ms, *found), rule, task.id))
        if "short_passes" in report.reasons and task.passes > 1:
            rule = "work.short_passes"
            episodes.append(Episode(_finding(task, rule, task.end_ms, report.passes, task.passes, ""), rule, task.id))
    return tuple(episodes)


def _lacks(court: Court, task: Task, report: TaskReport) -> bool:
    long_run = any(run.length_m >= court.settings.missed_alert_m for run in report.missed)
    return long_run or report.coverage_pct < task.min_coverage_pct


def _at_window_end(court: Court, number: int, history: History) -> Judged:
    table = court.table
    ended = replace(court, table=replace(table, high_ms=np.minimum(table.high_ms, table.end_ms)))
    return judge(ended, np.array([number]), history, int(table.end_ms[number]))[0]


def _missed(task: Task, report: TaskReport, cleared_ms: int | None) -> Episode:
    rule = "route.missed"
    missed = sum(run.length_m for run in report.missed)
    coverage = (report.coverage_pct, task.min_coverage_pct, "%")
    return Episode(_finding(task, rule, task.end_ms, *coverage, missed_m=missed), rule, task.id, cleared_ms)


def _finding(
    task: Task, rule: str, at_ms: int, value: float, threshold: float, unit: str, missed_m: float = 0.0
) -> Finding:
    longest = max(task.lines, key=len)
    lon, lat = longest[len(longest) // 2]
    return Finding(
        tenant=task.tenant, rule=rule, kind="vehicle", subject=f"{task.vehicle}/{task.id}", severity=SEVERITY[rule],
        at_ms=at_ms, reason=Reason.JUDGED, value=round(float(value), 2), unit=unit,
        threshold=round(float(threshold), 2), lat=lat, lon=lon,
        summary=summarise(
            rule, vehicle=task.vehicle, task=task.id, value=value, threshold=threshold, missed_m=missed_m
        ),
    )  # fmt: skip
