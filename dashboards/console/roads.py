"""Planned roads cut into covered, missed and still open stretches. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, hypot, radians

from citywarden.model.work import Coordinates, Task, TaskReport, Verdict

METRES_PER_DEGREE = 111_320.0
"""Of latitude; good to a thousandth at city scale, where only a drawing depends on it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of a planned line in one state: covered, missed, open (being worked), ahead, not_judged."""

    state: str
    reason: str
    from_m: float
    to_m: float
    line: Coordinates


def length_m(line: Coordinates) -> float:
    return sum(_steps(line))


def _steps(line: Coordinates) -> list[float]:
    if not line:
        return []
    wide = METRES_PER_DEGREE * cos(radians(line[0][1]))
    return [hypot((b[0] - a[0]) * wide, (b[1] - a[1]) * METRES_PER_DEGREE) for a, b in pairwise(line)]


def cut(line: Coordinates, from_m: float, to_m: float) -> Coordinates:
    """The part of a line between two distances along it; empty when the range misses it."""
    steps = _steps(line)
    at = [0.0]
    for step in steps:
        at.append(at[-1] + step)
    low, high = max(0.0, from_m), min(at[-1], to_m)
    if high <= low:
        return ()
    inner = [point for point, m in zip(line, at, strict=True) if low < m < high]
    return (_point(line, at, low), *inner, _point(line, at, high))


def _point(line: Coordinates, at: Sequence[float], m: float) -> tuple[float, float]:
    i = min(bisect_right(at, m), len(line) - 1)
    step = at[i] - at[i - 1]
    t = 0.0 if step <= 0 else (m - at[i - 1]) / step
    (x0, y0), (x1, y1) = line[i - 1], line[i]
    return (x0 + (x1 - x0) * t, y0 + (y1 - y0) * t)


def stretches(task: Task, report: TaskReport | None, now_ms: int) -> list[Stretch]:
    """The task's whole line, cut where its state changes; distances run on over the parts of the line.

    While the window is open, what is not covered yet is `open`; before it, `ahead`; only a judged task has missed.
    """
    total = sum(length_m(line) for line in task.lines)
    if total <= 0:
        return []
    scale = _scale(total, report)
    rest = _rest_state(task, report, now_ms)
    runs: list[tuple[float, float, str, str]] = []
    if report is None or rest in ("ahead", "not_judged"):
        runs.append((0.0, total, rest, ""))
    else:
        done = 0.0
        for missed in sorted(report.missed, key=lambda run: run.from_m):
            low, high = max(done, missed.from_m * scale), min(total, missed.to_m * scale)
            if low > done:
                runs.append((done, low, "covered", ""))
            if high > low:
                runs.append((low, high, rest, missed.reason.value))
            done = max(done, high)
        if done < total:
            runs.append((done, total, rest if not report.missed and report.covered_m <= 0 else "covered", ""))
    return list(_draw(task.lines, runs))


def _scale(total_m: float, report: TaskReport | None) -> float:
    """The judge measures in a survey grid, we on a sphere: stretch ours to its length, unless they differ in kind."""
    if report is None or report.planned_m <= 0:
        return 1.0
    return total_m / report.planned_m if 0.9 <= total_m / report.planned_m <= 1.1 else 1.0


def _rest_state(task: Task, report: TaskReport | None, now_ms: int) -> str:
    status = Verdict.OPEN if report is None else report.status
    if status is Verdict.NOT_JUDGED:
        return "not_judged"
    if status is Verdict.OPEN:
        return "ahead" if now_ms < task.start_ms else "open" if now_ms < task.end_ms else "not_judged"
    return "missed"


def _draw(lines: Sequence[Coordinates], runs: Iterable[tuple[float, float, str, str]]) -> Iterable[Stretch]:
    spans = []
    start = 0.0
    for line in lines:
        spans.append((start, line))
        start += length_m(line)
    for low, high, state, reason in runs:
        for offset, line in spans:
            if piece := cut(line, low - offset, high - offset):
                yield Stretch(state, reason, low, high, piece)


def road_view(task: Task, pieces: Sequence[Stretch]) -> list[object]:
    """[task, name, vehicle, [[state, reason, from_m, to_m, [[lon, lat], ...]], ...]] for the map."""
    return [
        task.id,
        task.name,
        task.vehicle,
        [
            [s.state, s.reason, round(s.from_m), round(s.to_m), [[round(x, 6), round(y, 6)] for x, y in s.line]]
            for s in pieces
        ],
    ]


def distance_m(place: tuple[float, float], lines: Iterable[Coordinates]) -> float:
    """From a (lon, lat) to the nearest point of the lines; infinite without any."""
    best = float("inf")
    wide = METRES_PER_DEGREE * cos(radians(place[1]))
    for line in lines:
        flat = [((x - place[0]) * wide, (y - place[1]) * METRES_PER_DEGREE) for x, y in line]
        for (ax, ay), (bx, by) in pairwise(flat):
            dx, dy = bx - ax, by - ay
            square = dx * dx + dy * dy
            t = 0.0 if square == 0 else min(1.0, max(0.0, -(ax * dx + ay * dy) / square))
            best = min(best, hypot(ax + t * dx, ay + t * dy))
    return best
