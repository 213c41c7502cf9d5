"""A line is drawn through what was measured, and not across the time in which nothing was."""

from dataclasses import replace
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from dashboards.console.charts import history_chart
from dashboards.console.course import alone, gap_ms, line_of
from tests.builders import KINDS, NOON_MS, device

LONGEST_MS = 1000
times = st.lists(st.integers(0, 40_000), unique=True, max_size=120).map(sorted)


def rows_at(moments: list[int]) -> list[tuple[int, float]]:
    return [(ts_ms, float(ts_ms % 7)) for ts_ms in moments]


@given(times, st.integers(1, 200))
def test_a_line_breaks_exactly_where_too_long_nothing_came(moments: list[int], most: int) -> None:
    rows = rows_at(moments)
    line = line_of(rows, LONGEST_MS, most)
    gaps = [(a, b) for a, b in pairwise(moments) if b - a > LONGEST_MS]
    breaks = [ts_ms for ts_ms, value in line if value is None]
    assert len(breaks) == len(gaps)
    assert all(a < at < b for (a, b), at in zip(gaps, breaks, strict=True))
    kept = [row for row in line if row[1] is not None]
    assert set(kept) <= set(rows), "nothing is made up"
    assert [ts_ms for ts_ms, _ in line] == sorted(ts_ms for ts_ms, _ in line)
    ends = {end for pair in gaps for end in pair} | set(moments[:1] + moments[-1:])
    assert ends <= {ts_ms for ts_ms, _ in kept}, "a piece is drawn whole"
    assert len(kept) <= most + len(ends)


@given(times)
def test_a_point_that_no_line_reaches_is_known(moments: list[int]) -> None:
    line = line_of(rows_at(moments), LONGEST_MS, 1000)
    lonely = [ts_ms for (ts_ms, _), lone in zip(line, alone(line), strict=True) if lone]
    assert lonely == [
        at for at in moments if all(abs(at - other) > LONGEST_MS for other in moments if other != at)
    ]  # fmt: skip


def test_the_longest_gap_is_three_of_the_devices_intervals_else_of_its_kinds() -> None:
    gas = KINDS["gas"]
    assert gap_ms(gas, None) == gap_ms(gas, device("gas", "g")) == 3000 * gas.interval_s
    assert gap_ms(gas, replace(device("gas", "g"), profile={"interval_s": 7.5})) == 22_500
    for odd in (0, -1, True, "often"):
        assert gap_ms(gas, replace(device("gas", "g"), profile={"interval_s": odd})) == 3000 * gas.interval_s


def test_the_chart_is_told_of_the_break_and_shows_a_lonely_value_as_a_dot() -> None:
    rows = [(NOON_MS + 1000 * n, 1.0) for n in range(60)]
    rows += [(NOON_MS + 90_000, 2.0), *((NOON_MS + 200_000 + 1000 * n, 3.0) for n in range(60))]
    chart: Any = history_chart(line_of(rows, 3000, 1500), "Depth", "cm", ZoneInfo("UTC"))
    (series,) = chart["series"]
    assert series["connectNulls"] is False
    assert sum(isinstance(point, list) and point[1] is None for point in series["data"]) == 2
    assert [point["value"] for point in series["data"] if isinstance(point, dict)] == [[NOON_MS + 90_000, 2.0]]
    assert (series["symbol"], series["name"]) == ("none", "Depth cm")
