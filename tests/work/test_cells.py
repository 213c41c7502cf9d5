"""The grid about roads against asking every part of a road."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from citywarden.columns import Floats
from rules.cells import CELL_M, PART_M, REACH_M
from rules.geometry import DX, DY, LENGTH, NO_SEGMENTS, X, Y
from rules.raster import Roads
from tests.work.scene import line
from tests.work.test_raster import winding


def minima(rows: Floats, origin: Floats, x: float, y: float) -> list[int]:
    """Pieces nearest to the middle of the cell of (x, y), going along the road part by part."""
    middle = (np.floor((np.array([x, y]) - origin) * (1 / CELL_M)) + 0.5) * CELL_M
    parts: list[tuple[float, int]] = []
    for piece, row in enumerate(rows):
        count = max(int(np.ceil(row[LENGTH] / PART_M)), 1)
        length = row[LENGTH] / count
        for nth in range(count):
            begin = np.array([row[X] + row[DX] * length * nth, row[Y] + row[DY] * length * nth]) - origin
            px, py = middle - begin
            along = min(max(px * row[DX] + py * row[DY], 0), length)
            ex, ey = px - along * row[DX], py - along * row[DY]
            square = ex * ex + ey * ey
            parts.append((square if square <= (REACH_M + CELL_M * 0.7072) ** 2 else np.inf, piece))
    far = (np.inf, -1)
    return [
        here[1]
        for before, here, after in zip([far, *parts], parts, [*parts[1:], far], strict=False)
        if here[0] < before[0] and here[0] <= after[0] and here[0] < np.inf
    ]


@given(
    seed=st.integers(0, 10_000),
    step_m=st.sampled_from([3.0, 25.0, 39.0, 41.0, 130.0, 500.0]),
    bend=st.sampled_from([0.05, 0.4, 1.5]),
)
@settings(max_examples=25, deadline=None)
def test_the_same_pieces_are_near_as_when_every_part_is_asked(seed: int, step_m: float, bend: float) -> None:
    rng = np.random.default_rng(seed)
    roads = Roads()
    for _ in range(2):
        shapes = [winding(rng, int(rng.integers(2, 25)), step_m, bend) for _ in range(3)]
        roads = roads.add([(line(*shapes[0]),), (line(*shapes[1]), line(*shapes[2]))])
    road = np.sort(rng.integers(0, len(roads), 60))
    first = roads.segments.first
    row = roads.segments.rows[rng.integers(first[road], first[road + 1])]
    x, y = (row[:, axis] + rng.normal(0, 40, 60) for axis in (X, Y))
    point, piece = roads.cells.near(roads.segments, roads.origin, road, x, y)
    expected = [
        (i, int(first[road[i]]) + near)
        for i in range(60)
        for near in minima(roads.segments.rows[first[road[i]] : first[road[i] + 1]], roads.origin[road[i]], x[i], y[i])
    ]
    assert list(zip(point.tolist(), piece.tolist(), strict=True)) == expected


def test_a_kilometre_of_road_takes_few_bytes() -> None:
    rng = np.random.default_rng(5)
    roads = Roads().add([(line(*winding(rng, 100, 50.0, 0.1)),) for _ in range(50)])
    assert roads.cells.nbytes < 700 * roads.segments.length_m.sum() / 1000


def test_roads_beyond_the_squares_that_four_bytes_number_are_found_as_well() -> None:
    rng = np.random.default_rng(6)
    shapes = [(line(*winding(rng, 30, 60.0, 0.8)),) for _ in range(6)]
    few = Roads().add(shapes[:3])
    cells = replace(few.cells, base=np.append(few.cells.base[:-1], 1 << 32))
    many, plain = replace(few, cells=cells).add(shapes[3:]), few.add(shapes[3:])
    assert (plain.cells.key.itemsize, many.cells.key.itemsize) == (4, 8)
    road = np.repeat(np.arange(6), 50)
    row = plain.segments.rows[rng.integers(plain.segments.first[road], plain.segments.first[road + 1])]
    x, y = (row[:, axis] + rng.normal(0, 40, 300) for axis in (X, Y))
    found, expected = (roads.cells.near(roads.segments, roads.origin, road, x, y) for roads in (many, plain))
    assert all(np.array_equal(one, two) for one, two in zip(found, expected, strict=True))
    assert len(expected[0]) > 200


def test_more_parts_about_a_square_than_a_byte_counts() -> None:
    roads = Roads().add([(line(*((i * 0.1, 0.0) for i in range(700)), (400.0, 0.0)),)])
    rows, origin = roads.segments.rows, roads.origin[0]
    assert len(rows) == 700
    for along in (5.0, 35.0, 69.0):
        x, y = rows[:1, X] + along, rows[:1, Y] + 3.0
        _, piece = roads.cells.near(roads.segments, roads.origin, np.zeros(1, np.int64), x, y)
        assert piece.tolist() == minima(rows, origin, float(x[0]), float(y[0]))


def test_nothing_is_near_where_there_is_no_road() -> None:
    none = np.zeros(0)
    point, piece = Roads().cells.near(NO_SEGMENTS, np.zeros((0, 2)), none.astype(np.int64), none, none)
    assert not len(point) and not len(piece)
