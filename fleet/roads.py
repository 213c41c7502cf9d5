"""The demo's own road grid: junctions, lanes for each direction, shortest ways, in metres on a local plane.

The roads are invented; they only stand where Futian, Shenzhen, is.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from random import Random

Xy = tuple[float, float]
"""Metres east and north of the plane's origin."""

Inside = Callable[[float, float], bool]
"""Whether a place (lat, lon in degrees) may hold a junction."""

Junction = tuple[int, int]
"""Column (from the west) and row (from the south) of the grid."""

ORIGIN_LAT, ORIGIN_LON = 22.543, 114.054
COLUMNS, ROWS = 13, 7
COLUMN_M, ROW_M = 760.0, 520.0
TURN_DEG = -3.5
"""The grid leans a little, as the city does."""

LANE_M = 8.0
"""Half the distance between the two carriageways: vehicles keep right."""

CORNER_M = 15.0
"""A lane ends this far from the junction; the junction itself belongs to no road."""

_DIGITS = "零一二三四五六七八九十"


@dataclass(frozen=True, slots=True)
class Plane:
    """Local east/north metres around a point; below 0.05 % off within 8 km."""

    lat: float
    lon: float
    m_per_lat: float = field(init=False)
    m_per_lon: float = field(init=False)

    def __post_init__(self) -> None:
        phi = math.radians(self.lat)
        north = 111_132.92 - 559.82 * math.cos(2 * phi) + 1.175 * math.cos(4 * phi)
        east = 111_412.84 * math.cos(phi) - 93.5 * math.cos(3 * phi) + 0.118 * math.cos(5 * phi)
        object.__setattr__(self, "m_per_lat", north)
        object.__setattr__(self, "m_per_lon", east)

    def degrees(self, at: Xy) -> tuple[float, float]:
        """(lat, lon) of a point of the plane."""
        return self.lat + at[1] / self.m_per_lat, self.lon + at[0] / self.m_per_lon

    def metres(self, lat: float, lon: float) -> Xy:
        """The point of the plane at (lat, lon)."""
        return (lon - self.lon) * self.m_per_lon, (lat - self.lat) * self.m_per_lat

    def line(self, points: Iterable[Xy]) -> list[list[float]]:
        """GeoJSON positions ([lon, lat], 0.1 m) of points of the plane."""
        return [[round(lon, 6), round(lat, 6)] for lat, lon in map(self.degrees, points)]


PLANE = Plane(ORIGIN_LAT, ORIGIN_LON)


class Path:
    """A polyline in metres with measures along it. At least one point; repeated points are dropped."""

    def __init__(self, points: Iterable[Xy]) -> None:
        kept: list[Xy] = []
        for point in points:
            if not kept or math.dist(kept[-1], point) > 0.01:
                kept.append(point)
        self.points = tuple(kept)
        measures = [0.0]
        for a, b in pairwise(kept):
            measures.append(measures[-1] + math.dist(a, b))
        self.measures = tuple(measures)

    @property
    def length_m(self) -> float:
        return self.measures[-1]

    def at(self, measure_m: float) -> tuple[Xy, float]:
        """Point and heading (degrees from north, clockwise) at a measure; ends are held."""
        if len(self.points) == 1:
            return self.points[0], 0.0
        i = next((i for i, m in enumerate(self.measures[1:]) if m >= measure_m), len(self.points) - 2)
        (x1, y1), (x2, y2) = self.points[i], self.points[i + 1]
        span = self.measures[i + 1] - self.measures[i]
        share = min(1.0, max(0.0, (measure_m - self.measures[i]) / span))
        heading = math.degrees(math.atan2(x2 - x1, y2 - y1)) % 360.0
        return (x1 + share * (x2 - x1), y1 + share * (y2 - y1)), heading

    def part(self, from_m: float, to_m: float) -> "Path":
        """The piece between two measures, in the same direction."""
        inner = (p for p, m in zip(self.points, self.measures, strict=True) if from_m < m < to_m)
        return Path([self.at(from_m)[0], *inner, self.at(to_m)[0]])


@dataclass(frozen=True)
class Roads:
    """The grid: where each junction is, and which neighbours it has."""

    junctions: dict[Junction, Xy]

    @cached_property
    def neighbours(self) -> dict[Junction, tuple[Junction, ...]]:
        return {
            (c, r): tuple(n for n in ((c + 1, r), (c, r + 1), (c - 1, r), (c, r - 1)) if n in self.junctions)
            for c, r in self.junctions
        }

    def lane(self, a: Junction, b: Junction) -> tuple[Xy, Xy]:
        """The right-hand carriageway from junction `a` to its neighbour `b`, without the junctions."""
        (x1, y1), (x2, y2) = self.junctions[a], self.junctions[b]
        length = math.dist((x1, y1), (x2, y2))
        ux, uy = (x2 - x1) / length, (y2 - y1) / length
        rx, ry = uy * LANE_M, -ux * LANE_M
        start = (x1 + ux * CORNER_M + rx, y1 + uy * CORNER_M + ry)
        end = (x2 - ux * CORNER_M + rx, y2 - uy * CORNER_M + ry)
        return start, end

    def path(self, way: Sequence[Junction]) -> Path:
        """The lanes along a way of neighbouring junctions, joined across the junctions."""
        return Path(point for a, b in pairwise(way) for point in self.lane(a, b))

    def way(self, start: Junction, goal: Junction) -> list[Junction]:
        """A shortest way between two junctions, both included. Raises KeyError when there is none."""
        before: dict[Junction, Junction] = {}
        best = {start: 0.0}
        heap = [(0.0, start)]
        while heap:
            far, here = heapq.heappop(heap)
            if here == goal:
                break
            if far > best[here]:
                continue
            for there in self.neighbours[here]:
                reach = far + math.dist(self.junctions[here], self.junctions[there])
                if reach < best.get(there, math.inf):
                    best[there], before[there] = reach, here
                    heapq.heappush(heap, (reach, there))
        way = [goal]
        while way[-1] != start:
            way.append(before[way[-1]])
        return way[::-1]

    def reach(self, start: Junction) -> set[Junction]:
        """Every junction one can drive to from `start`."""
        seen, waiting = {start}, [start]
        while waiting:
            for there in self.neighbours[waiting.pop()]:
                if there not in seen:
                    seen.add(there)
                    waiting.append(there)
        return seen

    @cached_property
    def streets(self) -> list[list[Junction]]:
        """Every road as its junctions from west to east or south to north; runs of at least three."""
        found = []
        for row in range(ROWS):
            found += _runs([(c, row) for c in range(COLUMNS)], self.junctions)
        for column in range(COLUMNS):
            found += _runs([(column, r) for r in range(ROWS)], self.junctions)
        return found


def _runs(line: Sequence[Junction], known: Iterable[Junction]) -> list[list[Junction]]:
    runs: list[list[Junction]] = [[]]
    for junction in line:
        if junction in known:
            runs[-1].append(junction)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if len(run) >= 3]


def lay_roads(seed: int, inside: Inside) -> Roads:
    """The grid of a seed: junctions shifted a little, those outside the land or poorly connected left out."""
    rng = Random(f"roads {seed}")
    turn = math.radians(TURN_DEG)
    spots: dict[Junction, Xy] = {}
    for c in range(COLUMNS):
        for r in range(ROWS):
            x = (c - (COLUMNS - 1) / 2) * COLUMN_M + rng.uniform(-60, 60)
            y = (r - (ROWS - 1) / 2) * ROW_M + rng.uniform(-45, 45) + 60 * math.sin(c / 2.2)
            at = (x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn))
            if inside(*PLANE.degrees(at)):
                spots[c, r] = at
    while True:
        roads = Roads(spots)
        reached = roads.reach((COLUMNS // 2, ROWS // 2))
        kept = {j: at for j, at in spots.items() if j in reached and len(roads.neighbours[j]) >= 2}
        if len(kept) == len(spots):
            return roads
        spots = kept


def street_name(a: Junction, b: Junction) -> tuple[str, str]:
    """Chinese and English name of the road two neighbouring junctions are on."""
    if a[1] == b[1]:
        return f"示范{chinese(a[1] + 1)}路", f"Demo Road {a[1] + 1}"
    return f"示范{chinese(a[0] + 1)}街", f"Demo Street {a[0] + 1}"


def chinese(number: int) -> str:
    """A number of 1 to 19 in Chinese digits."""
    tens, ones = divmod(number, 10)
    return ("十" if tens else "") + (_DIGITS[ones] if ones or not tens else "")
