"""The demo city: what stands in it, who drives in it, and what is planned, all from a seed and the time it starts.

Set in Futian, Shenzhen. The outlines are real (fleet/demo/README.md); the roads, devices and work are invented.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from random import Random

from shapely.geometry import Point, shape
from shapely.geometry.base import BaseGeometry
from shapely.prepared import prep

from citywarden.model.device import Device
from fleet import furniture
from fleet.crew import muster
from fleet.driver import Driver
from fleet.furniture import Ground
from fleet.playback import Fix
from fleet.recorded import recorded
from fleet.roads import PLANE, Roads, lay_roads, street_name
from fleet.shifts import Behaviour

LAND = ("Futian", "Luohu", "Nanshan")
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each; the demo's own by default."""

    streetlights: int = 400
    flood_points: int = 60
    gas_detectors: int = 60
    vehicles: int = 30
    others: int = 20
    """Of each further kind."""

    @classmethod
    def of(cls, devices: int, other_kinds: int = 0) -> "Size":
        """`devices` (at least one of each) in the demo's mix."""
        others = max(1, round(devices * 20 / (550 + 20 * other_kinds)))
        placed = devices - others * other_kinds
        flood, gas, vehicles = (max(1, round(placed * share / 550)) for share in (60, 60, 30))
        return cls(max(1, placed - flood - gas - vehicles), flood, gas, vehicles, others)


@dataclass(frozen=True, slots=True, eq=False)
class City:
    """A simulated city. `plan`: the contract's plan; `districts`, `streets`: GeoJSON for maps.

    `drivers`: by vehicle id. `behaviours`: by task id, how each planned road is really driven. `recorded`: by vehicle
    id, the fixes of real vehicles. `start_ms`: the moment everything is laid around.
    """

    tenant: str
    seed: int
    start_ms: int
    devices: tuple[Device, ...]
    plan: Json
    districts: Json
    streets: Json
    drivers: Mapping[str, Driver]
    behaviours: Mapping[str, Behaviour]
    recorded: Mapping[str, Sequence[Fix]]

    @property
    def plan_text(self) -> str:
        """The plan as a file's text."""
        return json.dumps(self.plan, ensure_ascii=False)


def city(
    seed: int, now_ms: int, tenant: str = "demo", size: Size | None = None, other_kinds: Sequence[str] = (),
    with_recorded: bool = True,
) -> City:  # fmt: skip
    """The city of a seed as it is at `now_ms`. Same arguments, same city.

    `other_kinds`: kinds beyond the four that have their place here; they get devices at junctions. `with_recorded`:
    with the recorded truck among the vehicles.
    """
    size = size or Size()
    roads = lay_roads(seed, lambda lat, lon: bool(district_at(lat, lon)))
    ground = Ground(tenant, roads, lambda lat, lon: district_at(lat, lon) or LAND[0])
    rng = Random(f"city {seed}")
    devices = [
        *furniture.lamps(ground, size.streetlights, rng),
        *furniture.flood_points(ground, size.flood_points, rng),
        *furniture.gas_detectors(ground, size.gas_detectors),
        *furniture.others(ground, other_kinds, size.others, rng),
    ]
    fleet = muster(ground, seed, now_ms, size.vehicles)
    plan: Json = {"type": "FeatureCollection", "features": [*fleet.places, *fleet.tasks]}
    truck, fixes = recorded(tenant, now_ms)
    guests = [truck] if with_recorded else []
    return City(
        tenant, seed, now_ms, (*devices, *fleet.devices, *guests), plan, districts(), _streets(roads), fleet.drivers,
        fleet.behaviours, {truck.id: fixes} if with_recorded else {},
    )  # fmt: skip


@cache
def districts() -> Json:
    """Outlines of Shenzhen's districts as GeoJSON, `name_zh` and `name_en` in the properties."""
    loaded: Json = json.loads(files("fleet").joinpath("demo/shenzhen_districts.geojson").read_text("utf-8"))
    return loaded


@cache
def _land() -> list[tuple[str, BaseGeometry]]:
    collection = districts()["features"]
    assert isinstance(collection, list)
    outlines = {f["properties"]["name_en"]: shape(f["geometry"]) for f in collection}
    return [(name, prep(outlines[name])) for name in LAND]


def district_at(lat: float, lon: float) -> str:
    """English name of the district of the demo's land, "" outside of it."""
    return next((name for name, outline in _land() if outline.contains(Point(lon, lat))), "")


def _streets(roads: Roads) -> Json:
    """Centre lines of the roads with their names, for the map."""
    features = []
    for street in roads.streets:
        zh, en = street_name(*next(pairwise(street)))
        line = {"type": "LineString", "coordinates": PLANE.line(roads.junctions[j] for j in street)}
        features.append({"type": "Feature", "properties": {"name_zh": zh, "name_en": en}, "geometry": line})
    return {"type": "FeatureCollection", "features": features}
