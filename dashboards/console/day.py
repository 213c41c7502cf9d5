"""A vehicle's day, and the work of a day for those who supervise it: numbers and rows for the pages. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from citywarden.model.work import Task, TaskReport, TrackPoint, Verdict
from dashboards.console.roads import length_m, road_view, stretches

HOLE_MS = 60_000
"""Two fixes further apart say nothing of what was between them (as the rules see it)."""

ABSENCE_MS = 15 * 60_000
"""A longer hole is not drawn on the map: nobody knows the way."""

Span = tuple[str, int, int]
"""(state, start_ms, end_ms)."""


def spans(track: Sequence[TrackPoint]) -> list[Span]:
    """What the vehicle did, as runs of one state; a hole of more than a minute is unknown."""
    runs: list[Span] = []
    for a, b in pairwise(track):
        state = "unknown" if b.ts_ms - a.ts_ms > HOLE_MS else a.state
        if runs and runs[-1][0] == state and runs[-1][2] == a.ts_ms:
            runs[-1] = (state, runs[-1][1], b.ts_ms)
        else:
            runs.append((state, a.ts_ms, b.ts_ms))
    return runs


def track_lines(track: Sequence[TrackPoint]) -> list[list[object]]:
    """[state, [[lon, lat], ...]] runs for the map; a hole is drawn as unknown."""
    lines: list[list[object]] = []
    run: list[list[float]] = []
    state = ""
    for a, b in pairwise(track):
        if b.ts_ms - a.ts_ms > ABSENCE_MS:
            state = ""
            continue
        here = "unknown" if b.ts_ms - a.ts_ms > HOLE_MS else a.state
        if here != state:
            run = [[round(a.lon, 6), round(a.lat, 6)]]
            lines.append([here, run])
            state = here
        run.append([round(b.lon, 6), round(b.lat, 6)])
    return lines


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of a day. m and s; shares in %, None where nothing was driven or planned.

    Planned and covered are of the tasks whose window has begun: the others cannot be covered yet.
    """

    driven_m: float
    effective_m: float
    work_s: float
    planned_m: float
    covered_m: float
    met: int
    judged: int
    ahead: int

    @property
    def empty_pct(self) -> float | None:
        return None if self.driven_m <= 0 else 100.0 * max(0.0, self.driven_m - self.effective_m) / self.driven_m

    @property
    def coverage_pct(self) -> float | None:
        return None if self.planned_m <= 0 else 100.0 * self.covered_m / self.planned_m

    @property
    def met_pct(self) -> float | None:
        return None if self.judged == 0 else 100.0 * self.met / self.judged


def begun(report: TaskReport, now_ms: int) -> bool:
    """Whether the task's window has opened, or it has been judged."""
    return report.status is not Verdict.OPEN or report.start_ms <= now_ms


def standing(report: TaskReport, now_ms: int) -> str:
    """How a task stands, as a key of the words: met, not_met, not_judged, running, ahead."""
    if report.status is not Verdict.OPEN:
        return report.status.value
    return "running" if begun(report, now_ms) else "ahead"


def totals(reports: Iterable[TaskReport], now_ms: int) -> Totals:
    """Sums over tasks; only those judged met or not met count for the share of met."""
    rows = list(reports)
    due = [r for r in rows if begun(r, now_ms)]
    return Totals(
        driven_m=sum(r.driven_m for r in rows),
        effective_m=sum(r.effective_m for r in rows),
        work_s=sum(r.work_duration_s for r in rows),
        planned_m=sum(r.planned_m for r in due),
        covered_m=sum(min(r.covered_m, r.planned_m) for r in due),
        met=sum(r.status is Verdict.MET for r in rows),
        judged=sum(r.status in (Verdict.MET, Verdict.NOT_MET) for r in rows),
        ahead=len(rows) - len(due),
    )


def driven_m(track: Sequence[TrackPoint]) -> float:
    """Length of the way, holes left out."""
    return sum(length_m(((a.lon, a.lat), (b.lon, b.lat))) for a, b in pairwise(track) if b.ts_ms - a.ts_ms <= HOLE_MS)


def day_bounds(tasks: Sequence[Task], track: Sequence[TrackPoint], midnight_ms: int) -> tuple[int, int]:
    """The stretch of time to draw: windows and track with a quarter of an hour about them, else the whole day."""
    starts = [t.start_ms for t in tasks] + [p.ts_ms for p in track[:1]]
    ends = [t.end_ms for t in tasks] + [p.ts_ms for p in track[-1:]]
    if not starts:
        return midnight_ms, midnight_ms + 86_400_000
    return min(starts) - 900_000, max(ends) + 900_000


def day_map(
    tasks: Sequence[Task], reports: Mapping[str, TaskReport], track: Sequence[TrackPoint], now_ms: int
) -> dict[str, object]:
    """Roads and track for the map."""
    roads = [road_view(task, stretches(task, reports.get(task.id), now_ms)) for task in tasks]
    return {"roads": roads, "track": track_lines(track)}


@dataclass(frozen=True, slots=True)
class Group:
    """One row of the supervision page. `required_s`: of the tasks whose window has begun."""

    name: str
    required_s: float
    totals: Totals


def groups(
    tasks: Mapping[str, Task], reports: Iterable[TaskReport], name_of: Callable[[TaskReport], str], now_ms: int
) -> list[Group]:
    """Tasks gathered by a name, best first: share met, then coverage."""
    by: dict[str, list[TaskReport]] = {}
    for report in reports:
        by.setdefault(name_of(report), []).append(report)
    found = [
        Group(
            name,
            required_s(tasks, rows, now_ms),
            totals(rows, now_ms),
        )
        for name, rows in by.items()
    ]
    return sorted(found, key=lambda g: (-(g.totals.met_pct or 0.0), -(g.totals.coverage_pct or 0.0), g.name))


def required_s(tasks: Mapping[str, Task], reports: Iterable[TaskReport], now_ms: int) -> float:
    """Work that the plan demands of the tasks whose window has begun."""
    return sum((tasks[r.task].min_duration_s or 0.0) for r in reports if r.task in tasks and begun(r, now_ms))


def worst_roads(reports: Iterable[TaskReport], limit: int = 10) -> list[tuple[TaskReport, float, str]]:
    """(report, missed m, main reason) of judged tasks, most missed first."""
    rows: list[tuple[TaskReport, float, str]] = []
    for report in reports:
        if report.status is Verdict.NOT_MET and report.missed:
            by: dict[str, float] = {}
            for run in report.missed:
                by[run.reason.value] = by.get(run.reason.value, 0.0) + run.length_m
            rows.append((report, sum(by.values()), max(by, key=lambda reason: by[reason])))
    return sorted(rows, key=lambda row: (-row[1], row[0].task))[:limit]
