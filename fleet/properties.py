"""Properties of a plan's features: a table of keys, each with what it may be."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from citywarden.model.errors import Problem
from citywarden.model.work import Coordinates, Operation, Task, Zone, ZoneKind
from fleet.schedule import DailyWindow, TaskTemplate, local_day

T = TypeVar("T")
TASK_KEYS = (
    "task", "name", "vehicle", "operation", "window", "timezone", "passes", "min_duration_min", "min_coverage_pct",
    "buffer_m", "speed_band_kmh", "bidirectional",
)  # fmt: skip
ZONE_KEYS = ("zone", "name")
OPERATIONS = {str(operation): operation for operation in Operation}
UNDATED = date(1970, 1, 1)
_DAILY = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
_MAX_WINDOW_MS = 48 * 3_600_000
_WINDOW = "`2026-11-22T06:00+08:00/2026-11-22T07:00+08:00` or daily `22:00-05:00`"


@dataclass(frozen=True, slots=True)
class Findings:
    """Collects what is wrong with one feature; `place` names it."""

    file: str
    place: str
    problems: list[Problem]
    warnings: list[Problem]

    def wrong(self, key: str, value: object, expected: str) -> None:
        """One problem: the key, the value it has (None: leave it out), what was expected."""
        what = f"expected {expected}" if value is None else f"{_short(value)} given, expected {expected}"
        self.problems.append(Problem(self.file, None, f"{self.place}.{key}", what))

    def unknown(self, keys: Mapping[str, object], known: tuple[str, ...]) -> None:
        """Keys nobody reads are warned about; one that looks like a slip of the pen is a problem."""
        for key in keys:
            if key not in known:
                if near := get_close_matches(key, [k for k in known if k not in keys], 1, 0.8):
                    self.wrong(key, None, f"a known key; did you mean `{near[0]}`?")
                else:
                    self.warnings.append(Problem(self.file, None, f"{self.place}.{key}", "not a known key; ignored"))


@dataclass(frozen=True, slots=True)
class Common:
    """What all tasks of a plan have in common; `timezone` says on which day a window starts.

    Values that are equal are one object: a province's plan says the same few things a hundred thousand times.
    """

    tenant: str
    crs: str
    timezone: ZoneInfo
    _said: dict[tuple[type, object], object] = field(default_factory=dict)

    def one(self, value: T) -> T:
        """The first value that was equal to this one."""
        return self._said.setdefault((type(value), value), value)  # type: ignore[return-value]


def read_task(
    keys: Mapping[str, object], lines: tuple[Coordinates, ...], common: Common, found: Findings
) -> TaskTemplate | None:
    """A planned road, or None when something is wrong with it."""
    if isinstance(task := keys.get("task"), str) and task:
        found = Findings(found.file, f"{found.place} ({task})", found.problems, found.warnings)
    before = len(found.problems)
    found.unknown(keys, TASK_KEYS)
    name = _text(keys, "task", found)
    vehicle = _text(keys, "vehicle", found)
    if not isinstance(operation := keys.get("operation"), str) or operation not in OPERATIONS:
        found.wrong("operation", operation or "nothing", f"one of {', '.join(OPERATIONS)}")
    window = _window(keys, found)
    passes = _number(keys, "passes", (1, 100), found)
    if passes is not None and passes != int(passes):
        found.wrong("passes", passes, "a whole number")
    minutes = _number(keys, "min_duration_min", (0, 2880), found)
    coverage = _number(keys, "min_coverage_pct", (0, 100), found)
    buffer_m = _number(keys, "buffer_m", (1, 100), found)
    band = _band(keys, found)
    both = keys.get("bidirectional", False)
    if not isinstance(both, bool):
        found.wrong("bidirectional", both, "true or false")
    if len(found.problems) > before or not lines or window is None:
        return None
    daily = window if isinstance(window, DailyWindow) else None
    start_ms, end_ms = (0, 0) if isinstance(window, DailyWindow) else window
    title, one = str(keys.get("name") or name), common.one
    return TaskTemplate(
        Task(
            id=name, name=name if title == name else one(title), vehicle=one(vehicle),
            operation=OPERATIONS[str(operation)], lines=lines, start_ms=start_ms, end_ms=end_ms,
            day=UNDATED if daily else one(local_day(start_ms, common.timezone)), tenant=common.tenant,
            passes=int(passes or 1), min_duration_s=None if minutes is None else one(minutes * 60),
            min_coverage_pct=95.0 if coverage is None else one(coverage),
            buffer_m=15.0 if buffer_m is None else one(buffer_m), speed_band_kmh=one(band), bidirectional=bool(both),
            crs=common.crs,
        ),
        daily,
    )  # fmt: skip


def read_zone(keys: Mapping[str, object], rings: tuple[Coordinates, ...], found: Findings) -> Zone | None:
    """A zone, or None when something is wrong with it."""
    found.unknown(keys, ZONE_KEYS)
    words = [str(k) for k in ZoneKind]
    if (kind := keys.get("zone")) not in words:
        found.wrong("zone", kind or "nothing", f"one of {', '.join(words)}")
        return None
    return Zone(ZoneKind(str(kind)), rings, str(keys.get("name") or "")) if rings else None


def _text(keys: Mapping[str, object], key: str, found: Findings) -> str:
    value = keys.get(key)
    if not isinstance(value, str) or not value.strip():
        found.wrong(key, "nothing" if value is None else value, "a text that is not empty")
        return ""
    return value.strip()


def _number(keys: Mapping[str, object], key: str, bounds: tuple[float, float], found: Findings) -> float | None:
    value = keys.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not bounds[0] <= value <= bounds[1]:
        found.wrong(key, value, f"a number from {bounds[0]:g} to {bounds[1]:g}")
        return None
    return float(value)


def _band(keys: Mapping[str, object], found: Findings) -> tuple[float, float] | None:
    value = keys.get("speed_band_kmh")
    if value is None:
        return None
    ends = value if isinstance(value, list) else []
    numbers = [float(v) for v in ends if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(ends) == len(numbers) == 2 and 0 <= numbers[0] < numbers[1] <= 200:
        return numbers[0], numbers[1]
    found.wrong("speed_band_kmh", value, "[lo, hi] in km/h with 0 <= lo < hi <= 200")
    return None


def _window(keys: Mapping[str, object], found: Findings) -> DailyWindow | tuple[int, int] | None:
    """A daily window, or start and end in ms of one that happens once."""
    zone: ZoneInfo | None = None
    if (name := keys.get("timezone")) is not None:
        try:
            zone = ZoneInfo(str(name))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            found.wrong("timezone", name, "a name of the time zone database, such as Asia/Shanghai")
    value = keys.get("window")
    if not isinstance(value, str):
        found.wrong("window", "nothing" if value is None else value, _WINDOW)
        return None
    if daily := _DAILY.fullmatch(value.strip()):
        h1, m1, h2, m2 = map(int, daily.groups())
        if max(h1, h2) > 24 or max(m1, m2) > 59 or max(h1 * 60 + m1, h2 * 60 + m2) > 1440 or h1 == 24:
            found.wrong("window", value, "times from 00:00 to 24:00")
            return None
        start, end = h1 * 60 + m1, h2 * 60 + m2
        if start == end:
            found.wrong("window", value, "a window that is longer than nothing (a whole day is 00:00-24:00)")
            return None
        return DailyWindow(start, end, zone)
    return _fixed(value, found)


def _fixed(value: str, found: Findings) -> tuple[int, int] | None:
    try:
        start, end = (datetime.fromisoformat(part.strip()) for part in value.split("/"))
    except ValueError:
        found.wrong("window", value, _WINDOW)
        return None
    if start.tzinfo is None or end.tzinfo is None:
        found.wrong("window", value, "both times with an offset from UTC, such as +08:00 or Z")
        return None
    start_ms, end_ms = round(start.timestamp() * 1000), round(end.timestamp() * 1000)
    if end_ms <= start_ms:
        found.wrong("window", value, "an end after the start")
        return None
    if end_ms - start_ms > _MAX_WINDOW_MS:
        found.wrong("window", value, "a window of at most 48 hours")
        return None
    return start_ms, end_ms


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
