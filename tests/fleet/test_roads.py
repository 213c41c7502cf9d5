"""The demo's road grid: connected, on the right side of the road, and measured in true metres."""

import itertools
import math

import pytest

from citywarden.coordinates import distance_m
from fleet.city import district_at
from fleet.roads import CORNER_M, LANE_M, PLANE, Path, chinese, lay_roads, street_name

ROADS = lay_roads(1, lambda lat, lon: bool(district_at(lat, lon)))


def test_the_plane_measures_as_the_ellipsoid_does() -> None:
    for at in ((5000.0, 2000.0), (-4000.0, -3000.0)):
        lat, lon = PLANE.degrees(at)
        assert distance_m(PLANE.lat, PLANE.lon, lat, lon) == pytest.approx(math.hypot(*at), rel=5e-4)
        assert PLANE.metres(lat, lon) == pytest.approx(at)


@pytest.mark.parametrize("seed", range(5))
def test_every_junction_can_be_reached_and_left_another_way(seed: int) -> None:
    roads = lay_roads(seed, lambda lat, lon: bool(district_at(lat, lon)))
    assert roads.reach(next(iter(roads.junctions))) == set(roads.junctions)
    assert all(len(there) >= 2 for there in roads.neighbours.values())


def test_junctions_stand_on_land() -> None:
    assert {district_at(*PLANE.degrees(at)) for at in ROADS.junctions.values()} <= {"Futian", "Luohu", "Nanshan"}


def test_lanes_keep_right_and_end_before_the_junction() -> None:
    (x1, y1), (x2, y2) = ROADS.junctions[3, 3], ROADS.junctions[4, 3]
    (ax, ay), (bx, by) = ROADS.lane((3, 3), (4, 3))
    there, back = ROADS.lane((3, 3), (4, 3)), ROADS.lane((4, 3), (3, 3))
    side = (x2 - x1) * (ay - y1) - (y2 - y1) * (ax - x1)
    assert side < 0, "right of the driving direction"
    assert math.dist((ax, ay), (x1, y1)) == pytest.approx(math.hypot(LANE_M, CORNER_M))
    assert math.dist(there[0], back[1]) == pytest.approx(2 * LANE_M)
    assert math.dist((ax, ay), (bx, by)) == pytest.approx(math.dist((x1, y1), (x2, y2)) - 2 * CORNER_M)


def test_the_shortest_way_goes_from_neighbour_to_neighbour() -> None:
    way = ROADS.way((0, 3), (8, 5))
    assert way[0] == (0, 3)
    assert way[-1] == (8, 5)
    assert all(b in ROADS.neighbours[a] for a, b in itertools.pairwise(way))
    assert len(way) == 1 + 8 + 2


def test_a_path_tells_point_heading_and_part() -> None:
    path = Path([(0.0, 0.0), (100.0, 0.0), (100.0, 0.0), (100.0, 50.0)])
    assert path.length_m == 150.0
    assert path.at(40.0) == ((40.0, 0.0), 90.0)
    assert path.at(120.0) == ((100.0, 20.0), 0.0)
    assert path.at(999.0)[0] == (100.0, 50.0)
    assert path.part(50.0, 120.0).points == ((50.0, 0.0), (100.0, 0.0), (100.0, 20.0))


def test_roads_are_named_as_demo_roads_in_both_languages() -> None:
    assert street_name((0, 2), (1, 2)) == ("示范三路", "Demo Road 3")
    assert street_name((10, 0), (10, 1)) == ("示范十一街", "Demo Street 11")
    assert [chinese(n) for n in (1, 9, 10, 13)] == ["一", "九", "十", "十三"]
