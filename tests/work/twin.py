"""The judge once more: slow, plain Python, one fix at a time, with pyproj and GEOS for the geometry.

It knows one task on a road of one part, and equipment `brush`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pyproj
import shapely

from citywarden.model.work import Task
from rules.worksettings import WorkSettings
from tests.work.scene import Fix, lonlat

_PLANE = pyproj.Transformer.from_crs("EPSG:4490", "EPSG:4547", always_xy=True)


@dataclass
class Spot:
    """A fix as the twin sees it."""

    ts_s: float
    x: float
    y: float
    kmh: float | None
    heading: float | None
    told: bool
    brush: bool
    buffer_m: float
    measure: float = 0.0
    off: float = math.inf
    distance: float = math.inf
    piece: int = 0


@dataclass
class Verdict:
    """What the twin found."""

    work_s: float = 0.0
    idle_s: float = 0.0
    unknown_s: float = 0.0
    overspeed_s: float = 0.0
    driven_m: float = 0.0
    covered: list[bool] = field(default_factory=list)
    passes: int = 0
    reasons: list[str] = field(default_factory=list)


class Twin:
    """One task and its road."""

    def __init__(self, task: Task, settings: WorkSettings) -> None:
        self.task, self.settings = task, settings
        self.road = [_PLANE.transform(lon, lat) for lon, lat in task.lines[0]]
        self.line = shapely.LineString(self.road)
        band = task.speed_band_kmh or settings.speed_bands_kmh[task.operation]
        self.low, self.high = band
        self.starts = [0.0]
        for a, b in pairwise(self.road):
            self.starts.append(self.starts[-1] + math.dist(a, b))
        self.cells = max(math.ceil(self.line.length / settings.cell_m - 1e-9), 1)
        self.size = self.line.length / self.cells

    def judge(self, fixes: Sequence[Fix]) -> Verdict:
        spots = self.spots(fixes)
        found = Verdict(covered=[False] * self.cells)
        equipped = any(s.told for s in spots)
        on = [s.brush or not equipped for s in spots]
        working = [o and s.kmh is not None and self.low <= s.kmh <= self.high for s, o in zip(spots, on, strict=True)]
        inside = [min(s.off, s.distance) <= s.buffer_m for s in spots]
        counted = [w and (equipped or i) for w, i in zip(working, inside, strict=True)]
        visits: list[list[tuple[float, int]]] = [[] for _ in range(self.cells)]
        blame: list[dict[str, bool]] = [{} for _ in range(self.cells)]
        excursion = 0
        for i in range(1, len(spots)):
            a, b = spots[i - 1], spots[i]
            seconds = b.ts_s - a.ts_s
            excursion += b.distance > b.buffer_m + self.settings.pass_leave_m
            step = math.dist((a.x, a.y), (b.x, b.y))
            if not (b.kmh is not None and b.kmh < 1 and step < 30) and step / 1000 <= 150 * max(seconds, 1) / 3600:
                found.driven_m += step
            if seconds > self.settings.max_gap_s:
                found.unknown_s += seconds
                if a.distance <= 50 and b.distance <= 50:
                    self.blame(blame, a.measure, b.measure, "no_data")
                continue
            if counted[i - 1] and counted[i]:
                found.work_s += seconds
            limit = self.high * self.settings.overspeed_factor
            if equipped and all(o and s.kmh is not None and s.kmh > limit for o, s in ((on[i - 1], a), (on[i], b))):
                found.overspeed_s += seconds
            for low, high, deed in self.deeds(a, b, step, (on[i - 1], on[i]), (working[i - 1], working[i])):
                if deed == "covered":
                    for cell in self.between(low, high):
                        visits[cell].append((b.ts_s, excursion))
                else:
                    self.blame(blame, low, high, deed)
        found.idle_s = self.idle(spots, on, equipped)
        self.finish(found, visits, blame, bool(spots))
        return found

    def finish(
        self, found: Verdict, visits: list[list[tuple[float, int]]], blame: list[dict[str, bool]], any_: bool
    ) -> None:
        passes = []
        for cell, seen in enumerate(visits):
            count = 0
            for i, (at, trip) in enumerate(seen):
                again = i > 0 and seen[i - 1][1] == trip and at - seen[i - 1][0] < self.settings.pass_gap_s
                count += not again
            passes.append(count)
            found.covered[cell] = count > 0
        found.passes = sorted(passes)[math.floor((self.cells - 1) * 0.1)]
        for cell in range(self.cells):
            order = ("too_fast", "not_working", "wrong_way", "no_data") if any_ else ()
            why = next((word for word in order if word in blame[cell]), "not_driven" if any_ else "no_data")
            found.reasons.append("" if found.covered[cell] else why)

    def spots(self, fixes: Sequence[Fix]) -> list[Spot]:
        """One a moment, sorted, what is missing derived."""
        s = self.settings
        spots: list[Spot] = []
        held: bool | None = None
        for fix in sorted({fix.ts_ms: fix for fix in fixes}.values(), key=lambda f: f.ts_ms):
            x, y = _PLANE.transform(*lonlat(fix.x, fix.y))
            gap = not spots or fix.ts_ms / 1000 - spots[-1].ts_s > s.max_gap_s
            held = fix.brush if fix.brush is not None else None if gap else held
            wide = fix.hdop is None and self.task.buffer_m == s.buffer_m
            buffer_m = max(self.task.buffer_m, s.unknown_accuracy_buffer_m) if wide else self.task.buffer_m
            kmh = fix.speed
            if kmh is None and not gap:
                kmh = math.dist((x, y), (spots[-1].x, spots[-1].y)) / (fix.ts_ms / 1000 - spots[-1].ts_s) * 3.6
            spots.append(Spot(fix.ts_ms / 1000, x, y, kmh, fix.heading, held is not None, bool(held), buffer_m))
        for a, b in pairwise(spots):
            if a.kmh is None and b.ts_s - a.ts_s <= s.max_gap_s:
                a.kmh = b.kmh
        for spot in spots:
            self.place(spot)
        return spots

    def place(self, spot: Spot) -> None:
        point = shapely.Point(spot.x, spot.y)
        spot.distance = spot.off = shapely.distance(self.line, point)
        spot.measure = shapely.line_locate_point(self.line, point)
        distances = [shapely.LineString(leg).distance(point) for leg in pairwise(self.road)]
        spot.piece = distances.index(min(distances))
        if spot.distance > 50:
            spot.off = math.inf
            return
        for piece, end in ((0, 0), (len(self.road) - 2, 1)):
            (ax, ay), (bx, by) = self.road[piece], self.road[piece + 1]
            length = math.dist((ax, ay), (bx, by))
            along = ((spot.x - ax) * (bx - ax) + (spot.y - ay) * (by - ay)) / length
            if spot.piece == piece and (along < 0 if end == 0 else along > length):
                spot.off = abs((spot.x - ax) * (by - ay) - (spot.y - ay) * (bx - ax)) / length
                spot.measure = self.starts[piece] + along

    def facing(self, spot: Spot, a: Spot, b: Spot, step: float) -> int:
        if spot.heading is None:
            if step < 3.0:
                return 1
            heading = math.atan2(b.x - a.x, b.y - a.y)
        else:
            heading = math.radians(spot.heading)
        at = spot.measure - self.starts[spot.piece]
        length = self.starts[spot.piece + 1] - self.starts[spot.piece]
        legs = [spot.piece]
        if at <= 20 and spot.piece > 0:
            legs.append(spot.piece - 1)
        if length - at <= 20 and spot.piece < len(self.road) - 2:
            legs.append(spot.piece + 1)
        for leg in legs:
            (ax, ay), (bx, by) = self.road[leg], self.road[leg + 1]
            dot = (math.sin(heading) * (bx - ax) + math.cos(heading) * (by - ay)) / math.dist((ax, ay), (bx, by))
            if abs(dot) >= math.cos(math.radians(45)) - 1e-9:
                return 1 if dot > 0 else -1
        return 0

    def deeds(
        self, a: Spot, b: Spot, step: float, on: tuple[bool, bool], working: tuple[bool, bool]
    ) -> list[tuple[float, float, str]]:
        """What a step did to which stretch."""
        if a.off > a.buffer_m or b.off > b.buffer_m:
            return []
        along = b.measure - a.measure
        fastest = max(a.kmh or 0.0, b.kmh or 0.0)
        if abs(along) > 1.5 * max(fastest / 3.6 * (b.ts_s - a.ts_s), step) + 10:
            return []
        faces = (self.facing(a, a, b, step), self.facing(b, a, b, step))
        ahead, reverse = faces == (1, 1), faces == (-1, -1)
        right = 0 not in faces if self.task.bidirectional else ahead and along >= 0
        if not right:
            wrong = not self.task.bidirectional and (reverse or along < -2) and max(faces) <= 0
            return [(a.measure, b.measure, "wrong_way")] if wrong else []
        slow = [o and s.kmh is not None and s.kmh < self.low for o, s in zip(on, (a, b), strict=True)]
        fast = any(o and s.kmh is not None and s.kmh > self.high for o, s in zip(on, (a, b), strict=True))
        doing = [w or s for w, s in zip(working, slow, strict=True)]
        excuse = "too_fast" if fast else "not_working"
        middle = (a.measure + b.measure) / 2
        if all(doing):
            return [(a.measure, b.measure, "covered")] if any(working) else []
        if working[0]:
            return [(a.measure, middle, "covered"), (middle, b.measure, excuse)]
        if working[1]:
            return [(a.measure, middle, excuse), (middle, b.measure, "covered")]
        return [(a.measure, b.measure, excuse)]

    def idle(self, spots: list[Spot], on: list[bool], equipped: bool) -> float:
        total, i = 0.0, 0
        slow = [equipped and o and s.kmh is not None and s.kmh < self.low for s, o in zip(spots, on, strict=True)]

        def near(one: int, two: int) -> bool:
            return spots[two].ts_s - spots[one].ts_s <= self.settings.max_gap_s

        while i < len(spots):
            if not slow[i]:
                i += 1
                continue
            j = i
            while j + 1 < len(spots) and slow[j + 1] and near(j, j + 1):
                j += 1
            if spots[j].ts_s - spots[i].ts_s <= self.settings.idle_in_work_s:
                total += spots[j].ts_s - spots[i].ts_s
                if i > 0 and near(i - 1, i) and on[i - 1]:
                    total += (spots[i].ts_s - spots[i - 1].ts_s) / 2
                if j + 1 < len(spots) and near(j, j + 1) and on[j + 1]:
                    total += (spots[j + 1].ts_s - spots[j].ts_s) / 2
            i = j + 1
        return total

    def between(self, a: float, b: float) -> range:
        low, high = min(a, b), max(a, b)
        first = max(math.ceil(low / self.size - 0.5 - 1e-9), 0)
        last = min(math.floor(high / self.size - 0.5 + 1e-9), self.cells - 1)
        return range(first, last + 1)

    def blame(self, blame: list[dict[str, bool]], a: float, b: float, why: str) -> None:
        for cell in self.between(a, b):
            blame[cell][why] = True
