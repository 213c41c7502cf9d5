"""What stands along the demo's roads: lamps, flood points, gas detectors."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from citywarden.model.device import Device, Profile
from fleet.roads import PLANE, Junction, Roads, Xy, street_name

LAMP_S, FLOOD_S, GAS_S = 8.0, 4.0, 4.0
"""How often a demo device reports, in s: livelier than a real one, so that there is something to see."""

UNDERPASSES = 2
UNDERPASS_LAMPS = 12
UNDERPASS_SPACING_M = 22.0
WORKS_LAMPS = 8
"""Lamps switched off by plan on the road closed for works."""

DistrictOf = Callable[[float, float], str]
"""English district name of (lat, lon), "" outside all."""

Edge = tuple[Junction, Junction]


@dataclass(frozen=True, slots=True)
class Ground:
    """What every placing needs: whose devices they are, the roads, and the districts."""

    tenant: str
    roads: Roads
    district: DistrictOf

    def device(self, kind: str, name: str, title: str, at: Xy, profile: Profile) -> Device:
        """A device at a point of the plane."""
        lat, lon = PLANE.degrees(at)
        lat, lon = round(lat, 6), round(lon, 6)
        return Device(self.tenant, kind, name, title, self.district(lat, lon), lat, lon, profile=profile)

    @property
    def edges(self) -> list[Edge]:
        """Every block once, road by road."""
        return [edge for street in self.roads.streets for edge in pairwise(street)]


def lamps(ground: Ground, count: int, rng: Random) -> Iterator[Device]:
    """`count` lamps: two underpasses that are lit day and night, a closed road, the others evenly along the roads."""
    edges = ground.edges
    special = rng.sample(edges, UNDERPASSES + 1)
    under = min(count // 8, UNDERPASSES * UNDERPASS_LAMPS)
    works = min(count // 16, WORKS_LAMPS)
    spots: list[tuple[Edge, Xy, str]] = []
    for i, edge in enumerate(special[:UNDERPASSES]):
        spots += [(edge, at, "underpass") for at in _tunnel(ground.roads, edge, under // 2 + (i < under % 2))]
    spots += [(edge, at, "works") for edge, at in _along(ground.roads, [special[-1]], works)]
    plain = [edge for edge in edges if edge not in special]
    spots += [(edge, at, "") for edge, at in _along(ground.roads, plain, count - len(spots))]
    numbers: dict[str, int] = {}
    for i, (edge, at, place) in enumerate(spots, 1):
        zh, en = street_name(*edge)
        number = numbers[en] = numbers.get(en, 0) + 1
        if place == "underpass":
            zh, en = f"{zh}下穿", f"{en} underpass"
        nominal = 100.0 if place == "underpass" else rng.choice((120.0, 150.0, 180.0, 250.0))
        profile: dict[str, float | str | bool] = {
            "nominal_power_w": nominal,
            "always_on": place == "underpass",
            "planned_off": place == "works",
            "interval_s": LAMP_S,
        }
        yield ground.device("streetlight", f"L{i:04d}", f"{zh} {number}# / {en} #{number}", at, profile)


def flood_points(ground: Ground, count: int, rng: Random) -> Iterator[Device]:
    """`count` flood points at junctions; where there are more points than junctions, also halfway along blocks."""
    spots = _spread(ground, rng)
    for i in range(1, count + 1):
        (zh, en), at = spots[(i - 1) % len(spots)]
        turn = (i - 1) // len(spots)
        at = (at[0] + 12.0 + 9.0 * turn, at[1] - 12.0)
        yield ground.device("waterlogging", f"W{i:03d}", f"{zh} / {en}", at, {"interval_s": FLOOD_S})


def gas_detectors(ground: Ground, count: int) -> Iterator[Device]:
    """`count` detectors in gas wells along the roads."""
    for i, (edge, at) in enumerate(_along(ground.roads, ground.edges, count, aside_m=14.0), 1):
        zh, en = street_name(*edge)
        yield ground.device("gas", f"G{i:03d}", f"{zh} {i}号燃气井 / {en} gas well {i}", at, {"interval_s": GAS_S})


def others(ground: Ground, kinds: Sequence[str], count: int, rng: Random) -> Iterator[Device]:
    """`count` devices of each kind that has no place of its own in this city, at junctions."""
    spots = _spread(ground, rng)
    for kind in kinds:
        for i in range(1, count + 1):
            (zh, en), at = spots[(i - 1) % len(spots)]
            at = (at[0] - 14.0, at[1] + 14.0 + 9.0 * ((i - 1) // len(spots)))
            yield ground.device(kind, f"{kind[:1].upper()}{kind[1:2]}{i:03d}", f"{zh} / {en}", at, {})


def _spread(ground: Ground, rng: Random) -> list[tuple[tuple[str, str], Xy]]:
    """Junctions in random order with the names of the two roads that cross there."""
    found = []
    for junction, at in sorted(ground.roads.junctions.items()):
        names = dict.fromkeys(street_name(junction, n) for n in ground.roads.neighbours[junction])
        zh, en = zip(*names, strict=True)
        found.append((("与".join(zh) + "路口", " x ".join(en)), at))
    rng.shuffle(found)
    return found


def _tunnel(roads: Roads, edge: Edge, count: int) -> list[Xy]:
    (x1, y1), (x2, y2) = (roads.junctions[j] for j in edge)
    length = math.dist((x1, y1), (x2, y2))
    first = length / 2 - (count - 1) / 2 * UNDERPASS_SPACING_M
    shares = [(first + i * UNDERPASS_SPACING_M) / length for i in range(count)]
    return [(x1 + s * (x2 - x1), y1 + s * (y2 - y1)) for s in shares]


def _along(roads: Roads, edges: Sequence[Edge], count: int, aside_m: float = 11.0) -> list[tuple[Edge, Xy]]:
    """`count` points evenly along the blocks, each with its block, left and right of the road by turns."""
    lengths = [math.dist(roads.junctions[a], roads.junctions[b]) for a, b in edges]
    step = sum(lengths) / max(1, count)
    found: list[tuple[Edge, Xy]] = []
    reached = 0.0
    for (a, b), length in zip(edges, lengths, strict=True):
        (x1, y1), (x2, y2) = roads.junctions[a], roads.junctions[b]
        ux, uy = (x2 - x1) / length, (y2 - y1) / length
        while len(found) < count and (along := (len(found) + 0.5) * step - reached) < length:
            side = aside_m if len(found) % 2 else -aside_m
            found.append(((a, b), (x1 + ux * along + uy * side, y1 + uy * along - ux * side)))
        reached += length
    return found
