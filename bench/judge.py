"""How fast work is judged: a thousand vehicle-days whole, live batches, memory, adding a road.

`python -m bench.judge [--json] [--small]`. One process, one core.
"""

import argparse
import gc
import json
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from citywarden.columns import Columns
from citywarden.model.device import Device
from citywarden.model.work import Coordinates, Operation, Task
from ingest.kinds import all_kinds
from rules import work
from rules.judgement import judge
from rules.points import History, from_columns
from rules.tasktable import EMPTY_NETWORK, extend
from rules.worksettings import WorkSettings

START_MS = 1_795_392_000_000
DAY = date(2026, 11, 23)
EVERY_S = 10
LAT, LON = 22.54, 114.05
M_LAT, M_LON = 110_740.0, 102_900.0


def road(rng: np.random.Generator, length_m: float, step_m: float = 25.0) -> Coordinates:
    """A winding road of a city: a vertex every 25 m."""
    count = int(length_m / step_m)
    bend = np.cumsum(rng.normal(0, 0.1, count)) + rng.uniform(0, 2 * np.pi)
    x = rng.uniform(-10_000, 10_000) + np.append(0, np.cumsum(np.cos(bend) * step_m))
    y = rng.uniform(-10_000, 10_000) + np.append(0, np.cumsum(np.sin(bend) * step_m))
    return tuple(zip((LON + x / M_LON).tolist(), (LAT + y / M_LAT).tolist(), strict=True))


def task(vehicle: int, number: int, line: Coordinates, start_s: int, end_s: int) -> Task:
    """A sweep of one road in one window."""
    return Task(
        id=f"T{vehicle}-{number}",
        name="",
        vehicle=f"v{vehicle}",
        operation=Operation.SWEEP,
        lines=(line,),
        start_ms=START_MS + start_s * 1000,
        end_ms=START_MS + end_s * 1000,
        day=DAY,
        tenant="t",
        passes=1,
    )


def drive(rng: np.random.Generator, line: Coordinates, points: int, speed_kmh: float) -> dict[str, np.ndarray]:
    """Fixes up and along a road again and again at a working speed, 3 m of noise."""
    at = np.array(line)
    x, y = (at[:, 0] - LON) * M_LON, (at[:, 1] - LAT) * M_LAT
    measure = np.append(0, np.cumsum(np.hypot(np.diff(x), np.diff(y))))
    along = np.arange(points) * speed_kmh / 3.6 * EVERY_S % measure[-1]
    px, py = np.interp(along, measure, x), np.interp(along, measure, y)
    piece = np.clip(np.searchsorted(measure, along, side="right") - 1, 0, len(x) - 2)
    heading = np.degrees(np.arctan2(np.diff(x)[piece], np.diff(y)[piece])) % 360
    px, py = px + rng.normal(0, 3, points), py + rng.normal(0, 3, points)
    return {"lon": LON + px / M_LON, "lat": LAT + py / M_LAT, "heading_deg": heading}


def columns(vehicles: list[int], tracks: list[dict[str, np.ndarray]], first: int, count: int) -> Columns:
    """Fixes `first`..`first + count` of each vehicle's track as one batch."""
    kind = all_kinds()["vehicle"]
    size = len(vehicles) * count
    fields = {q.field: np.full(size, np.nan) for q in kind.numeric}
    for name in ("lon", "lat", "heading_deg"):
        fields[name] = np.concatenate([t[name][first : first + count] for t in tracks])
    fields["speed_kmh"] = np.full(size, 8.0)
    for name in ("ignition", "brush", "hdop"):
        fields[name] = np.ones(size)
    ts = np.tile(START_MS + (first + np.arange(count)) * EVERY_S * 1000, len(vehicles))
    devices = tuple(Device("t", "vehicle", f"v{v}") for v in vehicles)
    device = np.repeat(np.arange(len(vehicles), dtype=np.int32), count)
    return Columns(kind, devices, device, ts, ts, fields, {})


def timed(action: Callable[[], object]) -> tuple[float, object]:
    """CPU seconds of a call, and what it gave."""
    gc.collect()
    begin = time.process_time()
    result = action()
    return time.process_time() - begin, result


def whole_days(vehicles: int) -> dict[str, float]:
    """A recording judged whole: reports alone, and with every rule on the way."""
    rng = np.random.default_rng(1)
    hours, points = 8, 8 * 3600 // EVERY_S
    lines = [road(rng, 5000) for _ in range(vehicles)]
    tasks = [task(v, 0, line, 0, hours * 3600) for v, line in enumerate(lines)]
    batch = columns(list(range(vehicles)), [drive(rng, line, points, 8.0) for line in lines], 0, points)
    settings = WorkSettings(peak_bans_min=())
    index_s, state = timed(lambda: work.start(tasks, (), settings, 0))
    assert isinstance(state, work.State)
    history = History().add(from_columns(batch, np.arange(vehicles), settings.max_hdop))
    judge_s, judged = timed(lambda: judge(state.court, np.arange(vehicles), history, START_MS * 2))
    assert isinstance(judged, list)
    covered = np.mean([one.report.coverage_pct for one in judged])
    step_s, _ = timed(lambda: work.step(state, batch, START_MS + hours * 3_600_000 + 3_600_000))
    return {
        "days_points": len(batch),
        "days_index_s": index_s,
        "days_judge_s": judge_s,
        "days_judge_points_per_s": len(batch) / judge_s,
        "days_all_rules_points_per_s": len(batch) / step_s,
        "days_mean_coverage_pct": float(covered),
    }


def live(vehicles: int) -> dict[str, float]:
    """Batches of 5,000 mixed fixes, five of each of a thousand vehicles, each vehicle in the middle of its task."""
    rng = np.random.default_rng(2)
    lines = [road(rng, 5000) for _ in range(vehicles)]
    tasks = [task(v, 0, line, 0, 8 * 3600) for v, line in enumerate(lines)]
    tracks = [drive(rng, line, 8 * 360, 8.0) for line in lines]
    batches = [columns(list(range(vehicles)), tracks, first, 5) for first in range(0, 400, 5)]
    state = work.start(tasks, (), WorkSettings(peak_bans_min=()), 0)
    costs = []
    for i, batch in enumerate(batches):
        begin = time.process_time()
        state = work.step(state, batch, START_MS + (i * 5 + 5) * EVERY_S * 1000).state
        costs.append((time.process_time() - begin) / len(batch) * 1e6)
    return {
        "live_points": len(batches[0]),
        "live_us_per_point": float(np.mean(costs)),
        "live_us_per_point_median": float(np.median(costs)),
        "live_us_per_point_worst": float(np.max(costs)),
    }


def memory(tasks_count: int) -> dict[str, float]:
    """Ten tasks of 500 m for each vehicle, all of them in the state with an 8 h day of fixes."""
    rng = np.random.default_rng(3)
    vehicles = tasks_count // 10
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = [road(rng, 500) for _ in range(tasks_count)]
    tasks = [task(i // 10, i % 10, line, i % 10 * 2880, (i % 10 + 1) * 2880) for i, line in enumerate(lines)]
    state = work.start(tasks, (), WorkSettings(peak_bans_min=()), 0)
    index = state.network.roads.nbytes / 1e6
    for part in range(10):
        tracks = [drive(rng, lines[v * 10 + part], 288, 8.0) for v in range(vehicles)]
        batch = columns(list(range(vehicles)), tracks, 0, 288)
        batch = replace(batch, ts_ms=batch.ts_ms + part * 2_880_000)
        state = work.step(state, batch, START_MS).state
    del tracks, batch
    gc.collect()
    fixes = sum(getattr(c, name).nbytes for c in state.history.chunks for name in ("key", "lat", "lon", "speed_kmh",
                "heading_deg", "load_kg", "flags")) / 1e6  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    now = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    return {
        "memory_rss_growth_mb": now - before,
        "memory_tasks": len(tasks),
        "memory_index_mb": index,
        "memory_fixes_mb": fixes,
        "memory_fixes": float(len(state.history)),
        "memory_peak_rss_growth_mb": peak - before,
    }


def adding(roads: int) -> dict[str, float]:
    """Adding one road of 5 km to an index of a thousand of them."""
    rng = np.random.default_rng(4)
    lines = [road(rng, 5000) for _ in range(roads)]
    network = extend(EMPTY_NETWORK, [task(i, 0, line, 0, 1) for i, line in enumerate(lines)])
    costs = []
    for i in range(50):
        new = [task(roads + i, 0, road(rng, 5000), 0, 1)]
        begin = time.process_time()
        network = extend(network, new)
        costs.append((time.process_time() - begin) * 1000)
    return {
        "add_road_ms_median": float(np.median(costs)),
        "add_road_ms_worst": float(np.max(costs)),
        "index_mb_per_1000_km": network.roads.nbytes / 1e6 / (len(network.roads) * 5) * 1000,
    }


LIMITS = {
    "days_judge_points_per_s": (">=", 1_000_000.0),
    "live_us_per_point": ("<=", 3.0),
    "memory_rss_growth_mb": ("<=", 500.0),
    "add_road_ms_median": ("<=", 20.0),
}
"""What is wanted of each figure."""


def main() -> None:
    """Run all and print a table, or one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="a twentieth of the size, to see that it runs")
    arguments = parser.parse_args()
    scale = 20 if arguments.small else 1
    figures = memory(10_000 // scale) | whole_days(1000 // scale) | live(1000 // scale) | adding(1000 // scale)
    if arguments.json:
        print(json.dumps({name: round(value, 4) for name, value in figures.items()}))
        return
    for name, value in figures.items():
        sign, limit = LIMITS.get(name, ("", 0.0))
        wanted = f"   wanted {sign} {limit:,.0f}" if sign else ""
        print(f"{name:32} {value:16,.2f}{wanted}")


if __name__ == "__main__":
    main()
