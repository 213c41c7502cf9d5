"""The raster index against GEOS, point by point."""

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.geometry import DX, LENGTH
from rules.raster import REACH_M, Roads
from tests.work.scene import line


def winding(rng: np.random.Generator, vertices: int, step: float, bend: float) -> list[tuple[float, float]]:
    """A road that turns a little, or a lot, at every vertex."""
    bearing = np.cumsum(rng.normal(0, bend, vertices)) + rng.uniform(0, 6)
    x, y = np.cumsum(np.sin(bearing) * step), np.cumsum(np.cos(bearing) * step)
    return list(zip((x + rng.uniform(-3000, 3000)).tolist(), (y + rng.uniform(-3000, 3000)).tolist(), strict=True))


def geos(roads: Roads, number: int) -> shapely.LineString:
    """A road of the index as GEOS has it."""
    rows = roads.segments.rows[roads.segments.first[number] : roads.segments.first[number + 1]]
    ends = rows[:, :2] + rows[:, DX:LENGTH] * rows[:, LENGTH : LENGTH + 1]
    return shapely.LineString(np.vstack([rows[:1, :2], ends]))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([(2, 400.0, 0.0), (40, 25.0, 0.3), (30, 60.0, 0.8), (200, 3.0, 0.1)]))
def test_distances_and_measures_are_those_of_geos(seed: int, shape: tuple[int, float, float]) -> None:
    rng = np.random.default_rng(seed)
    roads = Roads().add([(line(*winding(rng, *shape)),) for _ in range(5)])
    lines = np.array([geos(roads, i) for i in range(5)])
    number = rng.integers(0, 5, 2000)
    along = rng.uniform(-0.05, 1.05, 2000) * shapely.length(lines[number])
    places = shapely.get_coordinates(shapely.line_interpolate_point(lines[number], along))
    x, y = (places + rng.normal(0, 25, places.shape)).T
    located = roads.locate(number, x, y)
    expected = shapely.distance(lines[number], shapely.points(x, y))
    near = expected <= REACH_M
    assert (np.isfinite(located.distance_m) == near).mean() > 0.999
    both = near & np.isfinite(located.distance_m)
    error = np.abs(located.distance_m[both] - expected[both])
    assert (error < 1e-6).mean() > (0.985 if shape[1] < 10 else 0.995)
    assert error.max(initial=0) < 6.0


def test_roads_of_a_city_agree_with_geos_to_a_micrometre() -> None:
    rng = np.random.default_rng(5)
    roads = Roads().add([(line(*winding(rng, 200, 25.0, 0.1)),) for _ in range(40)])
    number = np.repeat(np.arange(40), 2500)
    rows = roads.segments.rows[roads.segments.first[number] + np.tile(np.arange(2500) * 199 // 2500, 40)]
    x, y = rows[:, 0] + rng.normal(0, 10, len(number)), rows[:, 1] + rng.normal(0, 10, len(number))
    lines = np.array([geos(roads, i) for i in range(40)])
    points = shapely.points(x, y)
    located = roads.locate(number, x, y)
    near = np.isfinite(located.distance_m)
    assert (np.abs(shapely.distance(lines[number], points) - located.distance_m)[near] < 1e-6).mean() > 0.9999
    measure = np.full(len(number), np.nan)
    nearest = np.full(len(number), np.inf)
    length = roads.segments.length_m[number]
    for branch in located.branches:
        closer = branch.off_m < nearest[branch.index]
        measure[branch.index[closer]] = branch.measure_m[closer]
        nearest[branch.index[closer]] = branch.off_m[closer]
    expected = shapely.line_locate_point(lines[number], points)
    assert (np.abs(np.clip(measure, 0, length) - expected)[near] < 1e-6).mean() > 0.999


def test_a_crossing_shows_both_its_branches() -> None:
    roads = Roads().add([(line((0, 0), (400, 0), (400, 200), (200, 200), (200, -200)),)])
    rows = roads.segments.rows
    located = roads.locate(np.array([0]), rows[0, :1] + 201.0, rows[0, 1:2] + 1.0)
    assert sorted(round(float(b.measure_m[0])) for b in located.branches) == [201, 999]


def test_before_the_start_and_after_the_end_the_road_goes_on_straight() -> None:
    roads = Roads().add([(line((0, 0), (400, 0)),)])
    x0, y0 = roads.segments.rows[0, :2]
    located = roads.locate(
        np.zeros(4, np.int64), x0 + np.array([-30.0, 430, -30, -60]), y0 + np.array([5.0, -5, 40, 0])
    )
    (branch,) = located.branches
    assert np.round(branch.measure_m[:2]).tolist() == [-30, 430]
    assert np.round(branch.off_m[:3]).tolist() == [5, 5, 40]
    assert np.isinf(branch.off_m[3:]).all(), "too far before the start"
    assert np.round(located.distance_m[:3]).tolist() == [30, 30, 50]


def test_roads_added_one_by_one_are_found_as_if_added_together() -> None:
    rng = np.random.default_rng(7)
    lines = [(line(*winding(rng, 30, 30.0, 0.2)),) for _ in range(25)]
    one_by_one = Roads()
    for road in lines:
        one_by_one = one_by_one.add([road])
    together = Roads().add(lines)
    number = rng.integers(0, 25, 5000)
    rows = together.segments.rows[together.segments.first[number]]
    x, y = rows[:, 0] + rng.normal(0, 30, 5000), rows[:, 1] + rng.normal(0, 30, 5000)
    assert np.array_equal(one_by_one.locate(number, x, y).distance_m, together.locate(number, x, y).distance_m)


def test_far_away_is_far_and_nothing_else() -> None:
    roads = Roads().add([(line((0, 0), (400, 0)),)])
    x0, y0 = roads.segments.rows[0, :2]
    far = np.array([-1e6, 1e6, 5e6, -5e6])
    assert np.isinf(roads.locate(np.zeros(4, np.int64), x0 + far, y0 + far[::-1]).distance_m).all()
