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
class FixedWindow:
    """A window that happens once. Both ends in ms since 1970 UTC."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class TaskTemplate:
    """A planned road: `task` with everything but its times, and the window that gives them."""

    task: Task
    window: DailyWindow | FixedWindow

    def on(self, day: date, default: ZoneInfo) -> Task | None:
        """The task whose window starts on that local day, or None."""
        if isinstance(self.window, DailyWindow):
            start_ms, end_ms = self.window.on(day, default)
            if end_ms <= start_ms:
                return None
            name = f"{self.task.id}@{day.isoformat()}"
            return replace(self.task, id=name, start_ms=start_ms, end_ms=end_ms, day=day)
        if _local_day(self.window.start_ms, default) != day:
            return None
        return replace(self.task, start_ms=self.window.start_ms, end_ms=self.window.end_ms, day=day)


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
        windows = ((t, t.window) for t in self.templates)
        found = (
            t.on(_local_day(w.start_ms, self.timezone), self.timezone) for t, w in windows if isinstance(w, FixedWindow)
        )
        return tuple(task for task in found if task is not None)


def _start(task: Task) -> int:
    return task.start_ms


def _instant(day: date, minutes: int, zone: ZoneInfo) -> int:
    local = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minutes)
    return round(local.timestamp() * 1000)


def _local_day(at_ms: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).date()


def _days(start_ms: int, end_ms: int, zone: ZoneInfo) -> Iterator[date]:
    day, last = _local_day(start_ms, zone), _local_day(end_ms, zone)
    while day <= last:
        yield day
        day += timedelta(days=1)
