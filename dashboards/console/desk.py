"""What the console reads slowly from the sources and keeps between two looks: registry, work, history."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from math import isnan

from citywarden.columns import Columns
from citywarden.model.alert import Alert, AlertQuery
from citywarden.model.device import Device, DeviceKey
from citywarden.model.work import Task, TaskReport, Verdict
from dashboards.console.day import begun
from dashboards.sources import Directory, Inbox, Sources, WorkDesk

PAGE = 1000
HOUR_MS = 3_600_000
ALERT_HOURS = 12
WORST_FLOODS = 5


@dataclass(frozen=True, slots=True)
class Work:
    """The tasks the wall shows: all of `day`, and what still runs of the day before."""

    day: date
    tasks: Mapping[str, Task] = field(default_factory=dict)
    reports: Mapping[str, TaskReport] = field(default_factory=dict)

    def today(self) -> list[TaskReport]:
        """Reports of the day's own tasks."""
        return [r for name, r in self.reports.items() if name in self.tasks and self.tasks[name].day == self.day]

    def jobs(self) -> dict[str, list[Task]]:
        """Tasks by vehicle."""
        by: dict[str, list[Task]] = {}
        for task in self.tasks.values():
            by.setdefault(task.vehicle, []).append(task)
        return by

    def with_report(self, report: TaskReport) -> "Work":
        return replace(self, reports={**self.reports, report.task: report})


@dataclass(frozen=True, slots=True)
class Hours:
    """A vehicle's hours: worked, and demanded by its tasks whose window has begun."""

    vehicle: str
    name: str
    worked_h: float
    required_h: float


@dataclass(frozen=True, slots=True)
class History:
    """What the wall's charts draw. Times ms."""

    alerts: Sequence[tuple[int, Mapping[str, int]]] = ()
    depths: Sequence[tuple[str, Sequence[tuple[int, float]]]] = ()
    work: Sequence[Hours] = ()


def day_of(now_ms: int, sources: Sources) -> date:
    """The city's date."""
    return datetime.fromtimestamp(now_ms / 1000, sources.timezone).date()


async def read_registry(directory: Directory) -> dict[DeviceKey, Device]:
    """Every registered device, page by page."""
    found: dict[DeviceKey, Device] = {}
    cursor: str | None = None
    while True:
        page = await directory.find(None, None, PAGE, cursor)
        found.update((device.key, device) for device in page.items)
        if page.next is None:
            return found
        cursor = page.next


async def read_work(desk: WorkDesk, day: date, now_ms: int) -> Work:
    """The day's tasks and reports, and those of the day before whose window is still open."""
    tasks = {task.id: task for task in await desk.tasks(day)}
    reports = {report.task: report for report in await desk.reports(day)}
    late = {task.id: task for task in await desk.tasks(day - timedelta(days=1)) if task.end_ms > now_ms}
    if late:
        reports |= {r.task: r for r in await desk.reports(day - timedelta(days=1)) if r.task in late}
    return Work(day, late | tasks, reports)


async def read_alerts_since(inbox: Inbox, since_ms: int, limit: int = 5000) -> list[Alert]:
    """Alerts updated since, at most `limit`."""
    found: list[Alert] = []
    cursor: str | None = None
    while len(found) < limit:
        page = await inbox.find(AlertQuery(since_ms=since_ms, limit=min(PAGE, limit), cursor=cursor))
        found.extend(page.items)
        if page.next is None:
            break
        cursor = page.next
    return found


def alerts_by_hour(alerts: Iterable[Alert], now_ms: int, hours: int = ALERT_HOURS) -> list[tuple[int, dict[str, int]]]:
    """Alerts raised in each of the last `hours` clock hours, by severity; the running hour is the last."""
    last = now_ms // HOUR_MS
    table: dict[int, dict[str, int]] = {(last - i) * HOUR_MS: {} for i in reversed(range(hours))}
    for alert in alerts:
        counts = table.get(alert.raised_ms // HOUR_MS * HOUR_MS)
        if counts is not None:
            counts[alert.severity.word] = counts.get(alert.severity.word, 0) + 1
    return list(table.items())


def worst_floods(readings: Columns, names: Mapping[DeviceKey, str]) -> list[tuple[str, list[tuple[int, float]]]]:
    """(name, [(ms, cm), ...]) of each device, the deepest first; at most some 180 points each keep their maxima."""
    lines: list[tuple[float, str, list[tuple[int, float]]]] = []
    depth = readings.fields["depth_cm"]
    for i, device in enumerate(readings.devices):
        rows = [
            (int(ts), float(cm))
            for ts, cm in zip(readings.ts_ms[readings.device == i], depth[readings.device == i], strict=True)
            if not isnan(cm)
        ]
        if rows:
            lines.append((max(cm for _, cm in rows), names.get(device.key) or device.name or device.id, _thin(rows)))
    return [(name, rows) for _, name, rows in sorted(lines, key=lambda line: (-line[0], line[1]))]


def _thin(rows: Sequence[tuple[int, float]], limit: int = 180) -> list[tuple[int, float]]:
    step = -(-len(rows) // limit)
    return [max(rows[i : i + step], key=lambda row: row[1]) for i in range(0, len(rows), step)]


def work_hours(work: Work, names: Mapping[str, str], now_ms: int, limit: int = 12) -> list[Hours]:
    """Hours of today by vehicle, most worked first."""
    done: dict[str, float] = {}
    wanted: dict[str, float] = {}
    for report in work.today():
        task = work.tasks[report.task]
        done[report.vehicle] = done.get(report.vehicle, 0.0) + report.work_duration_s / 3600
        if report.status is not Verdict.NOT_JUDGED and begun(report, now_ms):
            wanted[report.vehicle] = wanted.get(report.vehicle, 0.0) + (task.min_duration_s or 0.0) / 3600
    order = sorted(done, key=lambda v: (-done[v], v))[:limit]
    return [Hours(v, names.get(v) or v, done[v], wanted.get(v, 0.0)) for v in order]
