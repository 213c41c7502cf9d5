"""A vehicle's day as the demo plans it, and how it is really driven: the tasks met, and the ones that go wrong."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from random import Random

from citywarden.model.work import Operation
from fleet.driver import Gear, Leg
from fleet.roads import Junction, Path, Roads, Xy

TRANSFER_KMH = 30.0
LEAD_S, LAG_S = 70.0, 50.0
"""A window opens this long before the work starts and closes this long after it ends."""

WORK_KMH = {Operation.SWEEP: 7.5, Operation.WASH: 10.0, Operation.SPRINKLE: 13.0, Operation.COLLECT: 12.0}
BLOCKS = {Operation.SWEEP: 4, Operation.WASH: 5, Operation.SPRINKLE: 6, Operation.COLLECT: 3}
"""How many blocks a task is long."""

EMPTY_KG, FULL_KG = 4200.0, 9800.0


class Behaviour(StrEnum):
    """How a task is really driven."""

    NORMAL = "normal"
    SKIP = "skip"
    DETOUR = "detour"
    SPEEDING = "speeding"
    REST = "rest"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Outing:
    """One planned task of a shift. Times in s of the shift's own clock; `moment_s`: when its misbehaviour begins."""

    path: Path
    way: tuple[Junction, ...]
    behaviour: Behaviour
    start_s: float
    end_s: float
    moment_s: float


@dataclass(frozen=True, slots=True)
class Home:
    """Where a vehicle is parked and the junction at the depot's gate."""

    spot: Xy
    gate: Junction


@dataclass(frozen=True, slots=True)
class Site:
    """Where water is taken or waste is tipped."""

    spot: Xy
    gate: Junction


class Shift:
    """Writes down, stretch by stretch, what one vehicle does; the clock starts at 0 s in the depot."""

    def __init__(self, roads: Roads, operation: Operation, home: Home, rng: Random) -> None:
        self.roads, self.operation, self.home, self.rng = roads, operation, home, rng
        self.clock_s = 0.0
        self.here: Xy = home.spot
        self.junction: Junction = home.gate
        self.came_from: Junction | None = None
        self.load_kg = EMPTY_KG if operation is Operation.COLLECT else None
        self.stretches: list[tuple[Path, float, Gear]] = []
        self.outings: list[Outing] = []

    @property
    def idle(self) -> Gear:
        """Engine on, equipment off."""
        load = None if self.load_kg is None else (self.load_kg, self.load_kg)
        fitted = {
            Operation.SWEEP: Gear(brush=False, load_kg=load),
            Operation.WASH: Gear(pump=False, load_kg=load),
            Operation.SPRINKLE: Gear(pump=False, load_kg=load),
            Operation.COLLECT: Gear(lift=False, load_kg=load),
        }
        return fitted[self.operation]

    @property
    def working(self) -> Gear:
        """Engine and equipment on."""
        gear = self.idle
        if self.operation is Operation.SWEEP:
            return replace(gear, brush=True)
        if self.operation is Operation.COLLECT:
            return replace(gear, lift=True)
        return replace(gear, pump=True)

    def stand(self, seconds: float, gear: Gear) -> None:
        """Stay where the vehicle is."""
        if seconds > 0:
            self.stretches.append((Path([self.here]), self.clock_s, gear))
            self.clock_s += seconds

    def drive(self, path: Path, kmh: float, gear: Gear) -> None:
        """Drive from here to the path's start and along it."""
        whole = Path([self.here, *path.points])
        self.here = whole.points[-1]
        if whole.length_m > 0:
            self.stretches.append((whole, self.clock_s, gear))
            self.clock_s += whole.length_m / (kmh / 3.6)

    def transfer(self, goal: Junction) -> None:
        """Drive the shortest way to a junction, equipment off."""
        if goal != self.junction:
            way = self.roads.way(self.junction, goal)
            self.drive(self.roads.path(way), TRANSFER_KMH, self.idle)
            self.junction, self.came_from = goal, way[-2]

    def park(self, seconds: float) -> None:
        """Go home when not there yet, and stay with the engine off."""
        self.transfer(self.home.gate)
        self.drive(Path([self.home.spot]), TRANSFER_KMH, self.idle)
        self.stand(seconds, replace(self.idle, ignition=False))
        self.came_from = None

    def visit(self, site: Site) -> None:
        """Take water, or tip the load, and come back to the road."""
        self.transfer(site.gate)
        self.drive(Path([site.spot]), 12.0, self.idle)
        if self.load_kg is None:
            self.stand(150.0, self.idle)
        else:
            self.stand(30.0, self.idle)
            self.stand(40.0, replace(self.working, load_kg=(self.load_kg, EMPTY_KG)))
            self.load_kg = EMPTY_KG
            self.stand(60.0, self.idle)
        self.came_from = None

    def wander(self, blocks: int) -> list[Junction]:
        """A way of `blocks` blocks from here that turns now and then and uses no block twice."""
        way = [self.junction]
        before = self.came_from
        used: set[frozenset[Junction]] = set()
        for _ in range(blocks):
            here = way[-1]
            ahead = [n for n in self.roads.neighbours[here] if n != before and frozenset((here, n)) not in used]
            if not ahead:
                break
            straight = None if before is None else (2 * here[0] - before[0], 2 * here[1] - before[1])
            weights = [4.0 if n == straight else 1.0 for n in ahead]
            there = self.rng.choices(ahead, weights)[0]
            used.add(frozenset((here, there)))
            before = here
            way.append(there)
        return way

    def work(self, behaviour: Behaviour, blocks: int | None = None, wait_s: float = 0.0) -> Outing:
        """One task from here on; `wait_s`: how long its window has been open before the vehicle came."""
        opens_s = self.clock_s - wait_s
        if wait_s == 0.0:
            self.stand(LEAD_S, self.idle)
        way = self.wander(blocks or BLOCKS[self.operation])
        path = self.roads.path(way)
        moment_s = self._drive_task(path, way, behaviour)
        self.junction, self.came_from = way[-1], way[-2]
        self.stand(LAG_S, self.idle)
        outing = Outing(path, tuple(way), behaviour, opens_s, self.clock_s, moment_s)
        self.outings.append(outing)
        return outing

    def make_up(self, outing: Outing) -> None:
        """Go back and work the block that was skipped."""
        block = _lanes(outing.path).index(_block(outing.path))
        start, goal = outing.way[block : block + 2]
        self.transfer(start)
        self._work_along(outing.path.part(*_block(outing.path)))
        self.junction, self.came_from = goal, start

    def legs(self, offset_ms: int) -> tuple[Leg, ...]:
        """The stretches as legs; `offset_ms` is the time of the shift's 0 s."""
        ends = [start for _, start, _ in self.stretches[1:]] + [self.clock_s]
        return tuple(
            Leg(path, offset_ms + round(start * 1000), offset_ms + round(end * 1000), gear)
            for (path, start, gear), end in zip(self.stretches, ends, strict=True)
        )

    def _drive_task(self, path: Path, way: Sequence[Junction], behaviour: Behaviour) -> float:
        start_m, end_m = self._turn_off(path, way) if behaviour is Behaviour.DETOUR else _block(path)
        if behaviour in (Behaviour.NORMAL, Behaviour.LATE):
            moment_s = self.clock_s
            self._work_along(path)
            return moment_s
        self._work_along(path.part(0.0, start_m))
        moment_s = self.clock_s
        if behaviour is Behaviour.SKIP:
            self.drive(path.part(start_m, end_m), TRANSFER_KMH, self.idle)
        elif behaviour is Behaviour.SPEEDING:
            middle_m = start_m + 0.6 * (end_m - start_m)
            self.drive(path.part(start_m, middle_m), WORK_KMH[self.operation] * 1.4 + 14.0, self.working)
            self._work_along(path.part(middle_m, end_m))
        elif behaviour is Behaviour.DETOUR:
            self._leave(way[_lanes(path).index((start_m, end_m))], way)
            self._work_along(path.part(start_m, end_m))
        else:
            self.stand(400.0, self.idle)
            self._work_along(path.part(start_m, end_m))
        self._work_along(path.part(end_m, path.length_m))
        return moment_s

    def _turn_off(self, path: Path, way: Sequence[Junction]) -> tuple[float, float]:
        """Measures of the block behind the junction nearest to the middle that has a side road."""
        lanes = _lanes(path)
        open_to = [i for i in range(1, len(lanes)) if self._side_roads(way[i], way)]
        return lanes[min(open_to, key=lambda i: abs(i - 0.6 * len(lanes)))] if open_to else _block(path)

    def _side_roads(self, here: Junction, way: Sequence[Junction]) -> list[Junction]:
        return [n for n in self.roads.neighbours[here] if n not in way]

    def _leave(self, here: Junction, way: Sequence[Junction]) -> None:
        """Off into a side road for about 340 m and back."""
        aside = (self._side_roads(here, way) or self.roads.neighbours[here])[0]
        out, back = self.roads.path([here, aside]), self.roads.path([aside, here])
        reach = min(340.0, out.length_m)
        self.drive(out.part(0.0, reach), 20.0, self.idle)
        self.drive(back.part(back.length_m - reach, back.length_m), 20.0, self.idle)

    def _work_along(self, path: Path) -> None:
        """Work a stretch at the operation's pace, with a stop for a light, or for bins, on the way."""
        if path.length_m < 1.0:
            return
        kmh = WORK_KMH[self.operation] * self.rng.uniform(0.94, 1.06)
        if self.operation is Operation.COLLECT:
            self._collect_along(path, kmh)
        elif path.length_m > 900.0 and self.rng.random() < 0.6:
            light_m = path.length_m * self.rng.uniform(0.35, 0.65)
            self.drive(path.part(0.0, light_m), kmh, self.working)
            self.stand(self.rng.uniform(15.0, 50.0), self.working)
            self.drive(path.part(light_m, path.length_m), kmh, self.working)
        else:
            self.drive(path, kmh, self.working)

    def _collect_along(self, path: Path, kmh: float) -> None:
        """From bin to bin, about 120 m apart; at each stop the lift works and the load grows."""
        stops = max(1, math.ceil(path.length_m / 120.0))
        for i in range(stops):
            before = self.load_kg or EMPTY_KG
            self.load_kg = min(FULL_KG, before + self.rng.uniform(40.0, 110.0))
            self.stand(25.0, replace(self.working, load_kg=(before, self.load_kg)))
            piece = path.part(path.length_m * i / stops, path.length_m * (i + 1) / stops)
            self.drive(piece, kmh, self.idle)


def _lanes(path: Path) -> list[tuple[float, float]]:
    """Measures of each block of a way's path; the bits across the junctions lie between them."""
    return list(pairwise(path.measures))[::2]


def _block(path: Path) -> tuple[float, float]:
    """Measures of the block past the middle of a task's path: the one that goes wrong."""
    lanes = _lanes(path)
    return lanes[min(len(lanes) - 1, max(1, round(len(lanes) * 0.6)))]
