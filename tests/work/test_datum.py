"""Is the track in the wrong datum? The quick answer is that of the long way round: shift every fix, then look."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citywarden.coordinates import from_wgs84, in_china, project, to_wgs84
from citywarden.model.work import Coordinates
from rules import work
from rules.datum import Ground, misread
from rules.footprint import read_as
from rules.points import NONE, Points, concatenate
from tests.work.scene import SETTINGS, START_MS, line, task

LAT_M, LON_M = 1 / 110_600, 1 / 100_000
"""Degrees a metre, roughly: the tests need no more."""


def court(*roads: Coordinates) -> Ground:
    """Tasks 0, 1, ... on those roads."""
    tasks = [task(road, id=f"T{i}") for i, road in enumerate(roads)]
    return work.start(tasks, (), SETTINGS, START_MS).court


def fixes(lat: list[float], lon: list[float]) -> Points:
    """Fixes at those places, a second apart."""
    count = len(lat)
    nothing = np.full(count, np.nan)
    return Points(
        START_MS + 1000 * np.arange(count), np.array(lat), np.array(lon), nothing, nothing, nothing,
        np.zeros(count, np.uint16),
    )  # fmt: skip


def quick(ground: Ground, number: int, points: Points) -> bool:
    """One task alone."""
    return bool(misread(ground, np.array([number]), np.zeros(len(points), np.int64), points)[0])


def long_way_round(ground: Ground, number: int, points: Points) -> bool:
    """Every reading of every fix against the road."""
    if not len(points) or not in_china(points.lat, points.lon).all():
        return False
    road = np.full(len(points), ground.table.road[number])
    central = ground.roads.segments.meridian[road]
    buffer_m = max(float(ground.table.buffer_m[number]), ground.settings.unknown_accuracy_buffer_m)
    readings = (
        to_wgs84(points.lat, points.lon, "gcj02"),
        from_wgs84(points.lat, points.lon, "gcj02"),
        to_wgs84(points.lat, points.lon, "bd09"),
    )
    near = [ground.roads.locate(road, *project(*read, central)).distance_m for read in readings]
    return any(float(np.median(distance)) <= buffer_m for distance in near)


places = st.tuples(st.floats(3.0, 53.0), st.floats(74.0, 135.0))
steps = st.floats(-900.0, 900.0)


@settings(max_examples=150, deadline=None)
@given(
    places,
    st.lists(st.tuples(steps, steps), min_size=1, max_size=5),
    st.sampled_from(["gcj02", "bd09", "plan", "none"]),
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=9),
    st.lists(st.tuples(st.floats(-70.0, 70.0), st.floats(-70.0, 70.0)), min_size=9, max_size=9),
    st.lists(st.tuples(st.floats(-4000.0, 4000.0), st.floats(-4000.0, 4000.0)), max_size=6),
)
def test_the_box_rules_out_nothing_that_is_there(
    start: tuple[float, float], moves: list[tuple[float, float]], datum: str, along: list[float],
    aside: list[tuple[float, float]], elsewhere: list[tuple[float, float]],
) -> None:  # fmt: skip
    corners = np.cumsum([start, *((y * LAT_M, x * LON_M) for x, y in moves)], axis=0)
    if np.abs(np.diff(corners, axis=0)).max() < 1e-4:
        return
    ground = court(tuple((lon, lat) for lat, lon in corners.tolist()))
    place = np.array(along) * (len(corners) - 1)
    lat, lon = (np.interp(place, np.arange(len(corners)), corners[:, i]) for i in (0, 1))
    if datum == "plan":
        lat, lon = to_wgs84(lat, lon, "gcj02")
    elif datum != "none":
        lat, lon = from_wgs84(lat, lon, datum)
    there = np.array(aside[: len(along)])
    lat, lon = lat + there[:, 1] * LAT_M, lon + there[:, 0] * LON_M
    away = [(start[0] + y * LAT_M, start[1] + x * LON_M) for x, y in elsewhere]
    points = fixes([*lat.tolist(), *(a for a, _ in away)], [*lon.tolist(), *(b for _, b in away)])
    assert quick(ground, 0, points) == long_way_round(ground, 0, points)


@pytest.mark.parametrize(("datum", "reading"), [("gcj02", 0), ("bd09", 2)])
def test_fixes_in_another_datum_are_found_out(datum: str, reading: int) -> None:
    road = line((0, 0), (0, 1000))
    lat, lon = np.array([b for _, b in road]), np.array([a for a, _ in road])
    there = from_wgs84(lat, lon, datum)
    assert quick(court(road), 0, fixes(there[0].tolist(), there[1].tolist()))
    back = read_as(*there, reading)
    assert np.allclose(back[0], lat, atol=1e-8)
    assert np.allclose(back[1], lon, atol=1e-8)


def test_each_road_has_its_own_box() -> None:
    ground = court(line((0, 0), (1000, 0)), line((5000, 5000), (6000, 5000)))
    track = np.array(line((5100, 5000), (5900, 5000)))
    lat, lon = from_wgs84(track[:, 1], track[:, 0], "gcj02")
    points = fixes(lat.tolist(), lon.tolist())
    assert [quick(ground, number, points) for number in (0, 1)] == [False, True]


def test_nothing_is_misread_without_fixes_or_outside_china() -> None:
    assert not quick(court(line((0, 0), (1000, 0))), 0, NONE)
    there = ((8.54, 47.37), (8.55, 47.37))
    points = fixes([47.37] * 7, [8.545] * 7)
    assert not quick(court(there), 0, points)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.sampled_from(["gcj02", "bd09", "wgs84"]))))
def test_many_tasks_at_once_are_as_each_alone(asked: list[tuple[int, int, str]]) -> None:
    ground = court(*(line((3000 * i, 900 * i), (3000 * i + 1000, 900 * i)) for i in range(4)))
    runs = []
    for number, count, datum in asked:
        track = np.array(line((3000 * number + 100, 900 * number), (3000 * number + 900, 900 * number)))
        along = np.linspace(track[0], track[1], count)
        lat, lon = from_wgs84(along[:, 1], along[:, 0], datum)
        runs.append(fixes(lat.tolist(), lon.tolist()))
    which = np.array([number for number, _, _ in asked], np.int64)
    group = np.repeat(np.arange(len(asked)), [count for _, count, _ in asked])
    together = misread(ground, which, group, concatenate(runs))
    assert together.tolist() == [quick(ground, int(n), run) for n, run in zip(which, runs, strict=True)]
