"""Plan and tasks of a day: what the roads and zones of a plan file mean on the calendar."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from citywarden.model.errors import Problem
from citywarden.model.work import Task, Zone

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class DailyWindow:
    """A window of every day, in minutes since local midnight; one that ends before it starts crosses midnight.

    A local time that a clock change skips or repeats is read with the offset that held before the change.
    """

    start_min: int
    end_min: int
    timezone: ZoneInfo | None = None

    def on(self, day: date, default: ZoneInfo) -> tuple[int, int]:
        """Start and end in ms of the window that starts on a local day; equal when a clock change swallows it."""
        zone = self.timezone or default
        last = day + timedelta(days=1) if self.end_min <= self.start_min else day
        return _instant(day, self.start_min, zone), _instant(last, self.end_min, zone)


@dataclass(frozen=True, slots=True)
class TaskTemplate:
    """A planned road: `task` with everything but its times, and the daily window that gives them. `window` None: the
    task happens once and has its times, so that one object serves wherever it is asked for.
    """

    task: Task
    window: DailyWindow | None = None

    def on(self, day: date, default: ZoneInfo) -> Task | None:
        """The task whose window starts on that local day, or None."""
        if self.window is None:
            return self.task if self.task.day == day else None
        start_ms, end_ms = self.window.on(day, default)
        if end_ms <= start_ms:
            return None
        name = f"{self.task.id}@{day.isoformat()}"
        return replace(self.task, id=name, start_ms=start_ms, end_ms=end_ms, day=day)


@dataclass(frozen=True, slots=True)
class Plan:
    """All planned roads and zones, in WGS-84. `warnings`: what was ignored, for a person to look at."""

    templates: tuple[TaskTemplate, ...]
    zones: tuple[Zone, ...]
    timezone: ZoneInfo
    warnings: tuple[Problem, ...] = ()

    def tasks_on(self, day: date) -> tuple[Task, ...]:
        """Tasks whose window starts on a local day of the plan's time zone, in the order of the file."""
        found = (template.on(day, self.timezone) for template in self.templates)
        return tuple(task for task in found if task is not None)

    def tasks_between(self, start_ms: int, end_ms: int) -> tuple[Task, ...]:
        """Tasks whose window overlaps [start_ms, end_ms), by start, then in the order of the file."""
        tasks = [t for day in _days(start_ms - 2 * _DAY_MS, end_ms, self.timezone) for t in self.tasks_on(day)]
        return tuple(sorted((t for t in tasks if t.start_ms < end_ms and t.end_ms > start_ms), key=_start))

    @property
    def fixed(self) -> tuple[Task, ...]:
        """Tasks with a window of their own date, whenever that is."""
        return tuple(template.task for template in self.templates if template.window is None)


def _start(task: Task) -> int:
    return task.start_ms


def _instant(day: date, minutes: int, zone: ZoneInfo) -> int:
    local = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minutes)
    return round(local.timestamp() * 1000)


def local_day(at_ms: int, zone: ZoneInfo) -> date:
    """The day it is there, `at_ms` since 1970 UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).date()


def _days(start_ms: int, end_ms: int, zone: ZoneInfo) -> Iterator[date]:
    day, last = local_day(start_ms, zone), local_day(end_ms, zone)
    while day <= last:
        yield day
        day += timedelta(days=1)
