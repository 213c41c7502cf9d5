"""Planned work, and what was judged of it."""

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from citywarden.model.wire import report_item, time_window
from citywarden.model.work import Task, TaskReport, Verdict
from dashboards.api.questions import Word
from dashboards.api.shapes import Listed, ReportBody, TaskBody
from dashboards.sources import Sources


def work(sources: Sources) -> APIRouter:
    """Routes of the tasks."""
    router = APIRouter(prefix="/api/v1/tasks", tags=["work"])

    @router.get("", response_model=Listed[TaskBody])
    async def tasks(
        date: Annotated[
            date | None, Query(description="Day of the plan; today in the tenant's time zone if left out")
        ] = None,
    ) -> dict[str, object]:
        """Tasks of a day, with how they stand."""
        day = date or datetime.fromtimestamp(sources.now_ms() / 1000, UTC).astimezone(sources.timezone).date()
        reports = {report.task: report for report in await sources.work.reports(day)}
        planned = await sources.work.tasks(day)
        return {"items": [_task_body(task, reports.get(task.id), sources) for task in planned], "next": None}

    @router.get("/{task}/report", response_model=ReportBody)
    async def report(task: Word) -> dict[str, object]:
        """What was judged of a task, as an item of the replay report; `status` is `open` while its window lasts."""
        return report_item(await sources.work.report(task), sources.timezone)

    return router


def _task_body(task: Task, report: TaskReport | None, sources: Sources) -> dict[str, object]:
    return {
        "task": task.id,
        "name": task.name,
        "tenant": task.tenant,
        "date": task.day,
        "vehicle": task.vehicle,
        "operation": task.operation,
        "window": time_window(task.start_ms, task.end_ms, sources.timezone),
        "passes": task.passes,
        "min_duration_s": task.min_duration_s,
        "min_coverage_pct": task.min_coverage_pct,
        "status": Verdict.OPEN if report is None else report.status,
        "reasons": [] if report is None else list(report.reasons),
        "coverage_pct": 0.0 if report is None else round(report.coverage_pct, 3),
    }
