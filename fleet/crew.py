"""The demo's vehicles: who they are, what is planned for them, where they are based, and how they really drive."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Final

from citywarden.model.device import Device
from citywarden.model.work import Operation
from fleet.driver import Driver
from fleet.furniture import Ground
from fleet.roads import PLANE, Junction, Roads, Xy, street_name
from fleet.shifts import Behaviour, Home, Outing, Site
from fleet.workday import assign, plan_shift

CHINA = timezone(timedelta(hours=8))
VEHICLE_S = 5.0

DEMANDED_SHARE = 0.7
"""Share of its window that a vehicle of the demo has to work; honest ones work nine tenths of it (our own choice)."""
"""How often a vehicle reports, in s."""

COMPANIES = ("甲保洁公司 / Cleaning Co. A", "乙环境公司 / Environment Co. B", "丙市政公司 / Municipal Co. C")

TITLES: Final[Mapping[Operation, tuple[str, str]]] = {
    Operation.SWEEP: ("扫路车", "Sweeper"),
    Operation.WASH: ("洗扫车", "Washer"),
    Operation.SPRINKLE: ("洒水车", "Sprinkler"),
    Operation.COLLECT: ("垃圾清运车", "Collector"),
}

DEPOT_M, SITE_M = (66.0, 48.0), (34.0, 26.0)
"""Half width and half height of a depot and of the other places."""

Feature = dict[str, object]


@dataclass(slots=True)
class Crew:
    """The vehicles of a city. `places`, `tasks`: features of its plan; `drivers` by vehicle, `behaviours` by task."""

    devices: list[Device] = field(default_factory=list)
    drivers: dict[str, Driver] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    tasks: list[Feature] = field(default_factory=list)
    places: list[Feature] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Base:
    """Where vehicles are at home and what they visit: depots as (centre, gate), the tip, the water point."""

    depots: tuple[tuple[Xy, Junction], ...]
    tip: Site
    water: Site

    def home(self, number: int) -> Home:
        """The parking place of the vehicle with this number."""
        (x, y), gate = self.depots[number % len(self.depots)]
        row, column = divmod(number // len(self.depots), 9)
        return Home((x - 48.0 + 12.0 * column, y - 32.0 + 16.0 * (row % 5)), gate)


def muster(ground: Ground, seed: int, now_ms: int, count: int) -> Crew:
    """`count` vehicles with their shifts laid around `now_ms`."""
    base = _base(ground.roads)
    crew = Crew(places=_places(base))
    numbers = dict.fromkeys(Operation, 0)
    for i, (operation, part) in enumerate(assign(count, Random(f"fleet {seed}"))):
        rng = Random(f"vehicle {seed} {i}")
        home = base.home(i)
        shift, start_s = plan_shift(ground.roads, operation, part, home, (base.tip, base.water), rng)
        offset_ms = now_ms - round(start_s * 1000)
        numbers[operation] += 1
        device = _vehicle(ground, i, operation, numbers[operation], home.spot)
        crew.devices.append(device)
        crew.drivers[device.id] = Driver(
            shift.legs(offset_ms), round(rng.uniform(8_000, 60_000), 1), rng.uniform(0.0, 6.28)
        )
        for n, outing in enumerate(shift.outings, 1):
            task = f"{device.id}-{n:02d}"
            crew.behaviours[task] = outing.behaviour
            crew.tasks.append(_task(task, device.id, operation, outing, offset_ms))
    return crew


def _vehicle(ground: Ground, place: int, operation: Operation, number: int, spot: Xy) -> Device:
    zh, en = TITLES[operation]
    title = f"{zh} {number:02d} / {en} {number:02d}"
    profile: dict[str, float | str | bool] = {"interval_s": VEHICLE_S, "operation": str(operation)}
    device = ground.device("vehicle", f"V{place + 1:02d}", title, spot, profile)
    return replace(device, owner=COMPANIES[place % len(COMPANIES)])


def _base(roads: Roads) -> Base:
    west, east, tip, water = (_corner(roads, share) for share in ((0.3, 0.55), (0.75, 0.7), (0.1, 0.9), (0.5, 0.3)))
    return Base(
        tuple((_aside(roads, gate, (110.0, 105.0)), gate) for gate in (west, east)),
        *(Site(_aside(roads, gate, (75.0, 70.0)), gate) for gate in (tip, water)),
    )


def _places(base: Base) -> list[Feature]:
    (west, _), (east, _) = base.depots
    return [
        _zone("depot", "示范西停车场 / Demo depot west", west, DEPOT_M),
        _zone("depot", "示范东停车场 / Demo depot east", east, DEPOT_M),
        _zone("disposal", "示范转运站 / Demo transfer station", base.tip.spot, SITE_M),
        _zone("water", "示范取水点 / Demo water point", base.water.spot, SITE_M),
    ]


def _task(task: str, vehicle: str, operation: Operation, outing: Outing, offset_ms: int) -> Feature:
    start = offset_ms // 1000 + round(outing.start_s)
    stop = offset_ms // 1000 + round(outing.end_s)
    first, last = street_name(*outing.way[:2]), street_name(*outing.way[-2:])
    zh, en = (a if a == b else f"{a} → {b}" for a, b in zip(first, last, strict=True))
    properties: dict[str, object] = {
        "task": task,
        "name": f"{zh} / {en}",
        "vehicle": vehicle,
        "operation": str(operation),
        "window": f"{_iso(start)}/{_iso(stop)}",
    }
    if operation is not Operation.COLLECT:
        properties["min_duration_min"] = round((stop - start) / 60 * DEMANDED_SHARE)
    line = {"type": "LineString", "coordinates": PLANE.line(outing.path.points)}
    return {"type": "Feature", "properties": properties, "geometry": line}


def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, CHINA).isoformat()


def _corner(roads: Roads, share: tuple[float, float]) -> Junction:
    """The junction nearest to a share of the way across the grid (0, 0 is south-west) that has a north-east block."""
    xs, ys = zip(*roads.junctions.values(), strict=True)
    wanted = (min(xs) + share[0] * (max(xs) - min(xs)), min(ys) + share[1] * (max(ys) - min(ys)))
    inner = {(c, r): at for (c, r), at in roads.junctions.items() if {(c + 1, r), (c, r + 1)} <= set(roads.junctions)}
    return min(inner, key=lambda j: (inner[j][0] - wanted[0]) ** 2 + (inner[j][1] - wanted[1]) ** 2)


def _aside(roads: Roads, gate: Junction, away: Xy) -> Xy:
    """A point in the block north-east of a junction."""
    x, y = roads.junctions[gate]
    return x + away[0], y + away[1]


def _zone(zone: str, name: str, at: Xy, half: tuple[float, float]) -> Feature:
    (x, y), (w, h) = at, half
    ring = PLANE.line([(x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h), (x - w, y - h)])
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": {"zone": zone, "name": name}, "geometry": geometry}
