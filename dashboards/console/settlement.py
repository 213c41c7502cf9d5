"""The judged work of days as CSV, one row a task: what a month is settled by."""

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from citywarden.model.device import Device
from citywarden.model.work import Task, TaskReport, Verdict
from dashboards.console.day import standing
from dashboards.console.desk import day_of, read_registry
from dashboards.console.session import district_names
from dashboards.console.words import named, reason, word
from dashboards.sources import Sources

LONGEST_DAYS = 366

HEADS: tuple[tuple[str, str], ...] = (
    ("日期", "date"), ("公司", "company"), ("辖区", "district"), ("车辆编号", "vehicle"), ("车辆", "vehicle_name"),
    ("任务编号", "task"), ("路段", "road"), ("作业方式", "operation"), ("时段开始", "window_start"),
    ("时段结束", "window_end"), ("结果", "result"), ("原因", "reasons"), ("依据", "evidence"),
    ("计划长度(m)", "planned_m"), ("覆盖长度(m)", "covered_m"), ("覆盖率(%)", "coverage_pct"),
    ("要求覆盖率(%)", "required_coverage_pct"), ("遍数", "passes"), ("要求遍数", "required_passes"),
    ("作业时长(min)", "work_min"), ("应作业时长(min)", "required_min"), ("超速作业(s)", "overspeed_s"),
    ("行驶里程(m)", "driven_m"), ("有效作业里程(m)", "effective_m"), ("空驶率(%)", "empty_running_pct"),
    ("漏作业长度(m)", "missed_m"), ("漏作业路段", "missed"),
)  # fmt: skip
"""Names of the columns in Chinese and English."""


async def settlement(sources: Sources, start: date, stop: date, language: str) -> AsyncIterator[str]:
    """Lines of the file from `start` to `stop`, both included, none later than today; a mark for Excel first."""
    registry = await read_registry(sources.devices)
    vehicles = {device.id: device for device in registry.values() if device.kind == "vehicle"}
    at = 1 if language == "en" else 0
    yield "\ufeff" + _lines([[head[at] for head in HEADS]])
    day = start
    while day <= min(stop, day_of(sources.now_ms(), sources)):
        reports = {report.task: report for report in await sources.work.reports(day)}
        tasks = sorted(await sources.work.tasks(day), key=lambda t: (t.vehicle, t.start_ms, t.id))
        yield _lines(
            [
                settled(task, reports[task.id], vehicles.get(task.vehicle), sources, language)
                for task in tasks
                if task.id in reports
            ]
        )
        day += timedelta(days=1)


def settled(
    task: Task, report: TaskReport, vehicle: Device | None, sources: Sources, language: str
) -> Sequence[str | float | int]:
    """One row, in the order of HEADS. A task that is not judged yet has its state and what was done so far."""
    runs = () if report.status is Verdict.OPEN else report.missed
    missed = "; ".join(f"{m.from_m:.0f}-{m.to_m:.0f} m {reason(m.reason.value, language)}" for m in runs)
    return [
        str(task.day),
        named(vehicle.owner, language) if vehicle is not None else "",
        _district(vehicle, sources.districts, language),
        task.vehicle,
        named(vehicle.name, language) if vehicle is not None else "",
        task.id,
        named(task.name, language),
        word(task.operation.value, language),
        _clock(task.start_ms, sources),
        _clock(task.end_ms, sources),
        word(standing(report, sources.now_ms()), language),
        "; ".join(reason(key, language) for key in report.reasons),
        reason(report.evidence.value, language),
        round(report.planned_m, 1),
        round(report.covered_m, 1),
        round(report.coverage_pct, 2),
        task.min_coverage_pct,
        report.passes,
        task.passes,
        round(report.work_duration_s / 60, 1),
        "" if task.min_duration_s is None else round(task.min_duration_s / 60, 1),
        round(report.overspeed_s),
        round(report.driven_m, 1),
        round(report.effective_m, 1),
        round(report.empty_running_pct, 2),
        round(sum(m.length_m for m in runs), 1),
        missed,
    ]


def _district(vehicle: Device | None, districts: Mapping[str, object], language: str) -> str:
    if vehicle is None:
        return ""
    known = district_names(districts).get(vehicle.district)
    return vehicle.district if known is None else known[1 if language == "en" else 0]


def _clock(ts_ms: int, sources: Sources) -> str:
    return f"{datetime.fromtimestamp(ts_ms / 1000, sources.timezone):%Y-%m-%d %H:%M}"


def _lines(rows: Sequence[Sequence[str | float | int]]) -> str:
    """Rows as CSV. A text that a spreadsheet would take for a formula is kept a text."""
    out = io.StringIO()
    writer = csv.writer(out)
    for row in rows:
        writer.writerow([f"'{c}" if isinstance(c, str) and c[:1] in "=+-@\t\r" and c else c for c in row])
    return out.getvalue()
