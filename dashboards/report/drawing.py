"""Drawings of the report as inline SVG: the map, a road from end to end, a window from start to end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from citywarden.coordinates import distance_m
from citywarden.model.work import Coordinates, Task, TaskReport, TrackPoint, Verdict
from dashboards.report import words
from dashboards.report.contents import Contents

_WIDTH = 1000.0
_MOST_LABELS = 40
_GAP_MS = 60_000
_STEP_PX = 0.7
_TICKS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 240)

Path = NDArray[np.float64]
"""(n, 2) of drawing units."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Degrees to drawing units: x = (lon - west) * kx, y = (north - lat) * ky."""

    west: float
    north: float
    kx: float
    ky: float
    height: float
    metres_per_unit: float

    def place(self, lon: Path, lat: Path) -> Path:
        return np.column_stack([(lon - self.west) * self.kx, (self.north - lat) * self.ky])


def map_of(contents: Contents) -> str:
    """The planned roads coloured by what became of them, zones, and what the vehicles did; empty without a road."""
    frame = _frame(contents)
    if frame is None:
        return ""
    parts = [f'<svg class="map" viewBox="0 0 {_WIDTH:.0f} {frame.height:.0f}" role="img">']
    for zone in contents.zones:
        rings = " ".join("M" + _points(frame.place(*_columns(ring))) + "Z" for ring in zone.rings)
        parts.append(f'<path class="zone {zone.kind.value}" d="{rings}"><title>{escape(zone.name)}</title></path>')
    labels, roads = [], []
    for task, report in zip(contents.tasks, contents.reports, strict=True):
        for kind, line in _pieces(task, report):
            roads.append((kind != "covered", f'<path class="road {kind}" d="M{_points(frame.place(*line.T))}"/>'))
        middle = frame.place(*_columns(task.lines[0]))[len(task.lines[0]) // 2]
        labels.append(f'<text class="label" x="{middle[0]:.1f}" y="{middle[1] - 8:.1f}">{escape(task.name)}</text>')
    parts.extend(drawn for _, drawn in sorted(roads, key=lambda road: road[0]))
    for track in contents.tracks.values():
        parts.extend(_trace(frame, track))
    if len(labels) <= _MOST_LABELS:
        parts.extend(labels)
    parts.append(_scale_bar(frame))
    return "".join([*parts, "</svg>"])


def strip_of(report: TaskReport) -> str:
    """The road drawn out straight: covered and missed stretches to scale, with metres."""
    total = max(report.planned_m, 1.0)
    parts = ['<svg class="strip" viewBox="0 0 1000 34" preserveAspectRatio="none">']
    kind = "unjudged" if report.status is Verdict.NOT_JUDGED else "covered"
    parts.append(f'<rect class="{kind}" x="0" y="2" width="1000" height="18"/>')
    for run in report.missed if kind == "covered" else ():
        x, width = run.from_m / total * 1000, run.length_m / total * 1000
        parts.append(f'<rect class="{run.reason.value}" x="{x:.1f}" y="2" width="{width:.1f}" height="18"/>')
    parts.append("</svg>")
    marks = "".join(f"<span>{words.length(total * share, 'en')}</span>" for share in (0, 0.25, 0.5, 0.75, 1))
    return "".join(parts) + f'<div class="marks">{marks}</div>'


def timeline_of(report: TaskReport, track: Sequence[TrackPoint], contents: Contents) -> str:
    """The window from start to end: what the vehicle did when."""
    span = max(report.end_ms - report.start_ms, 1)
    parts = ['<svg class="timeline" viewBox="0 0 1000 24" preserveAspectRatio="none">']
    parts.append('<rect class="silent" x="0" y="2" width="1000" height="18"/>')
    for state, first_ms, last_ms in _spells(track, report.start_ms, report.end_ms):
        x, width = (first_ms - report.start_ms) / span * 1000, (last_ms - first_ms) / span * 1000
        parts.append(f'<rect class="{state}" x="{x:.2f}" y="2" width="{max(width, 0.6):.2f}" height="18"/>')
    every = next((t for t in _TICKS_MIN if span / 60_000 / t <= 8), _TICKS_MIN[-1]) * 60_000
    marks = []
    for at_ms in range(-(-report.start_ms // every) * every, report.end_ms + 1, every):
        share = (at_ms - report.start_ms) / span
        marks.append(f'<span style="left:{share * 100:.2f}%">{words.clock(at_ms, contents.zone)}</span>')
    return "".join([*parts, "</svg>", f'<div class="ticks">{"".join(marks)}</div>'])


def _frame(contents: Contents) -> _Frame | None:
    lines = [line for task in contents.tasks for line in task.lines]
    if not lines:
        return None
    lon, lat = (np.concatenate(c) for c in zip(*(_columns(line) for line in lines), strict=True))
    middle = (lat.min() + lat.max()) / 2
    wide = max(float(distance_m(middle, lon.min(), middle, lon.max())), 200.0)
    high = max(float(distance_m(lat.min(), lon.min(), lat.max(), lon.min())), wide * 0.2)
    per_lon = float(distance_m(middle, lon.min(), middle, lon.min() + 0.01)) * 100
    per_lat = float(distance_m(lat.min(), lon.min(), lat.min() + 0.01, lon.min())) * 100
    wide, high = max(wide, high * 1.2) * 1.16, high + wide * 0.16
    scale = _WIDTH / wide
    return _Frame(
        west=float((lon.min() + lon.max()) / 2 - wide / 2 / per_lon),
        north=float((lat.min() + lat.max()) / 2 + high / 2 / per_lat),
        kx=per_lon * scale,
        ky=per_lat * scale,
        height=high * scale,
        metres_per_unit=1 / scale,
    )


def _columns(line: Coordinates) -> tuple[Path, Path]:
    at = np.array(line, np.float64)
    return at[:, 0], at[:, 1]


def _points(path: Path) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in path.tolist())


def _pieces(task: Task, report: TaskReport) -> Iterator[tuple[str, Path]]:
    """Stretches of a road with the class each is drawn in."""
    if report.status is Verdict.NOT_JUDGED:
        yield from (("unjudged", np.array(line)) for line in task.lines)
        return
    covered_from = 0.0
    for run in sorted(report.missed, key=lambda run: run.from_m):
        yield from (("covered", part) for part in _between(task.lines, covered_from, run.from_m))
        yield from ((run.reason.value, part) for part in _between(task.lines, run.from_m, run.to_m))
        covered_from = run.to_m
    yield from (("covered", part) for part in _between(task.lines, covered_from, report.planned_m + 1.0))


def _between(lines: Sequence[Coordinates], low_m: float, high_m: float) -> Iterator[Path]:
    """The parts of a road between two distances along it."""
    start = 0.0
    for line in lines:
        at = np.array(line, np.float64)
        step = distance_m(at[:-1, 1], at[:-1, 0], at[1:, 1], at[1:, 0])
        measure = start + np.append(0.0, np.cumsum(step))
        low, high = max(low_m, float(measure[0])), min(high_m, float(measure[-1]))
        if high - low > 0.01:
            inner = measure[(measure > low) & (measure < high)]
            where = np.concatenate([[low], inner, [high]])
            yield np.column_stack([np.interp(where, measure, at[:, 0]), np.interp(where, measure, at[:, 1])])
        start = float(measure[-1])


def _trace(frame: _Frame, track: Sequence[TrackPoint]) -> Iterator[str]:
    """A vehicle's way, coloured by what it did; standing is a dot, a gap a dashed line."""
    if not track:
        return
    at = frame.place(np.array([p.lon for p in track]), np.array([p.lat for p in track]))
    inside = (at > -_WIDTH * 0.2).all(axis=1) & (at[:, 0] < _WIDTH * 1.2) & (at[:, 1] < frame.height * 1.2)
    place = 0
    for state, run in groupby(track, key=lambda p: p.state):
        count = len(list(run))
        first = max(place - 1, 0)
        path, seen = at[first : place + count], inside[first : place + count]
        place += count
        if not seen.any():
            continue
        if state == "idle":
            x, y = path[-1]
            yield f'<circle class="idle" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
        if len(path) > 1:
            yield f'<path class="track {state}" d="M{_points(_thinned(path))}"/>'


def _thinned(path: Path) -> Path:
    kept = [path[0]]
    for point in path[1:-1]:
        if np.abs(point - kept[-1]).max() >= _STEP_PX:
            kept.append(point)
    return np.array([*kept, path[-1]])


def _spells(track: Sequence[TrackPoint], start_ms: int, end_ms: int) -> Iterator[tuple[str, int, int]]:
    """Spans of one state within the window; a state lasts until the next fix."""
    current: tuple[str, int, int] | None = None
    for before, after in pairwise(track):
        low, high = max(before.ts_ms, start_ms), min(after.ts_ms, end_ms)
        if high <= low:
            continue
        state = "unknown" if after.ts_ms - before.ts_ms > _GAP_MS else before.state
        if state == "unknown" and after.ts_ms - before.ts_ms <= _GAP_MS:
            state = "driving"
        if current is not None and current[0] == state and current[2] == low:
            current = (state, current[1], high)
        else:
            if current is not None:
                yield current
            current = (state, low, high)
    if current is not None:
        yield current


def _scale_bar(frame: _Frame) -> str:
    wanted = frame.metres_per_unit * 160
    metres = next(m for m in (5000, 2000, 1000, 500, 200, 100, 50, 20, 10) if m <= max(wanted, 10))
    width, y = metres / frame.metres_per_unit, frame.height - 16
    return (
        f'<g class="scale"><path d="M16,{y - 6:.1f} V{y:.1f} H{16 + width:.1f} V{y - 6:.1f}"/>'
        f'<text x="20" y="{y - 6:.1f}">{words.length(metres, "en")}</text>'
        f'<path d="M{_WIDTH - 24:.0f},40 V16 m-5,7 l5,-8 l5,8"/><text x="{_WIDTH - 29:.0f}" y="54">N</text></g>'
    )
