"""Plan files: what they mean on the calendar, and every mistake named."""

import json
import time
from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from citywarden.model.errors import ConfigurationError
from citywarden.model.work import Operation, ZoneKind
from fleet.plan import Plan, parse_plan

ROAD = [[114.05, 22.54], [114.06, 22.54]]
SQUARE = [[[114.05, 22.54], [114.06, 22.54], [114.06, 22.55], [114.05, 22.55], [114.05, 22.54]]]
SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
Json = dict[str, object]


def road(coordinates: object = ROAD, **known: object) -> Json:
    properties = {"task": "T1", "vehicle": "v1", "operation": "sweep", "window": "22:00-05:00"} | known
    return {"type": "Feature", "properties": properties, "geometry": {"type": "LineString", "coordinates": coordinates}}


def plan(*features: Json, zone: ZoneInfo = SHANGHAI, **known: object) -> Plan:
    return parse_plan(json.dumps({"type": "FeatureCollection", "features": features} | known), "plan.geojson", zone)


def problems(*features: Json) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        plan(*features)
    return [str(problem) for problem in caught.value.problems]


def hours(window: str, day: date, zone: ZoneInfo = SHANGHAI, **known: object) -> tuple[str, str] | None:
    """Start and end of a daily window on a day, in UTC."""
    tasks = plan(road(window=window, **known), zone=zone).tasks_on(day)
    if not tasks:
        return None
    start, end = (time.strftime("%d %H:%M", time.gmtime(ms / 1000)) for ms in (tasks[0].start_ms, tasks[0].end_ms))
    return start, end


def test_a_daily_window_over_midnight() -> None:
    (task,) = plan(road()).tasks_on(date(2026, 11, 22))
    assert (task.id, task.day) == ("T1@2026-11-22", date(2026, 11, 22))
    assert hours("22:00-05:00", date(2026, 11, 22)) == ("22 14:00", "22 21:00")
    assert hours("00:00-24:00", date(2026, 11, 22)) == ("21 16:00", "22 16:00")


def test_defaults_are_those_of_the_contract() -> None:
    (task,) = plan(road()).tasks_on(date(2026, 11, 22))
    assert (task.operation, task.passes, task.min_duration_s) == (Operation.SWEEP, 1, None)
    assert (task.min_coverage_pct, task.buffer_m, task.speed_band_kmh, task.bidirectional) == (95.0, 15.0, None, False)


def test_everything_a_road_may_say() -> None:
    said: Json = {"passes": 2, "min_duration_min": 30, "min_coverage_pct": 90, "buffer_m": 8, "speed_band_kmh": [3, 9],
                  "bidirectional": True, "name": "Futian 1st"}  # fmt: skip
    (task,) = plan(road(**said)).tasks_on(date(2026, 11, 22))
    assert (task.passes, task.min_duration_s, task.min_coverage_pct) == (2, 1800.0, 90.0)
    assert (task.buffer_m, task.speed_band_kmh, task.bidirectional, task.name) == (8.0, (3.0, 9.0), True, "Futian 1st")


@pytest.mark.parametrize(
    ("window", "day", "expected"),
    [
        ("22:00-05:00", date(2026, 3, 7), ("08 03:00", "08 09:00")),  # an hour is skipped: six hours
        ("22:00-05:00", date(2026, 10, 31), ("01 02:00", "01 10:00")),  # an hour is repeated: eight hours
        ("02:00-03:00", date(2026, 3, 8), None),  # the window does not exist
        ("01:30-02:30", date(2026, 11, 1), ("01 05:30", "01 07:30")),
    ],
)
def test_clock_changes(window: str, day: date, expected: tuple[str, str] | None) -> None:
    assert hours(window, day, NEW_YORK) == expected


def test_a_window_may_have_a_time_zone_of_its_own() -> None:
    assert hours("08:00-09:00", date(2026, 11, 22), timezone="Europe/Berlin") == ("22 07:00", "22 08:00")


def test_a_window_of_one_date_keeps_its_id() -> None:
    once = plan(road(window="2026-11-22T06:00+08:00/2026-11-22T07:00+08:00"))
    (task,) = once.tasks_on(date(2026, 11, 22))
    assert (task.id, task.end_ms - task.start_ms) == ("T1", 3_600_000)
    assert once.tasks_on(date(2026, 11, 23)) == ()
    assert once.fixed == (task,)


def test_tasks_between_two_times_are_those_whose_window_touches_them() -> None:
    both = plan(road(), road(task="T2", window="06:00-07:00"))
    (night,) = plan(road()).tasks_on(date(2026, 11, 22))
    assert [t.id for t in both.tasks_between(night.end_ms - 1, night.end_ms)] == ["T1@2026-11-22"]
    assert [t.id for t in both.tasks_between(night.end_ms, night.end_ms + 3_600_000)] == []
    assert [t.id for t in both.tasks_between(night.start_ms, night.start_ms + 86_400_000)] == [
        "T1@2026-11-22", "T2@2026-11-23"
    ]  # fmt: skip


def test_zones_and_lines_of_several_parts() -> None:
    zone: Json = {"type": "Feature", "properties": {"zone": "depot", "name": "Yard"},
                  "geometry": {"type": "Polygon", "coordinates": SQUARE}}  # fmt: skip
    parts = road()
    parts["geometry"] = {"type": "MultiLineString", "coordinates": [ROAD, [[114.07, 22.54], [114.08, 22.54]]]}
    read = plan(zone, parts)
    assert (read.zones[0].kind, read.zones[0].name) == (ZoneKind.DEPOT, "Yard")
    assert len(read.tasks_on(date(2026, 11, 22))[0].lines) == 2


def test_gcj02_plans_are_brought_to_wgs84() -> None:
    (task,) = plan(road([[114.063014, 22.540383], [114.07, 22.54]]), crs_name="gcj02").tasks_on(date(2026, 11, 22))
    lon, lat = task.lines[0][0]
    assert lon == pytest.approx(114.0579, abs=1e-6)
    assert lat == pytest.approx(22.5431, abs=1e-6)
    assert task.crs == "gcj02"


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        (road(window="2026-11-22T07:00+08:00/2026-11-22T06:00+08:00"), "(T1).window: '2026-11-22T07:00+08:00/"),
        (road(window="2026-11-22T07:00/2026-11-22T08:00"), "both times with an offset"),
        (road(window="25:00-26:00"), "times from 00:00 to 24:00"),
        (road(window="06:00-06:00"), "longer than nothing"),
        (road(window="morning"), "'morning' given, expected `2026-"),
        (road(timezone="Asia/Atlantis"), "timezone: 'Asia/Atlantis' given, expected a name"),
        (road(speed_band_kmh=[12, 2]), "speed_band_kmh: [12, 2] given, expected [lo, hi]"),
        (road(operation="polish"), "operation: 'polish' given, expected one of sweep, wash, sprinkle, collect"),
        (road(vehicle=""), "vehicle: '' given, expected a text"),
        (road(passes=1.5), "passes: 1.5 given, expected a whole number"),
        (road(min_coverage_pct=120), "min_coverage_pct: 120 given, expected a number from 0 to 100"),
        (road(bidirectional="yes"), "bidirectional: 'yes' given, expected true or false"),
        (road(buffer_metres=3, min_durationmin=30), "did you mean `min_duration_min`?"),
        (road([[114.05, 22.54], [114.05, 22.54]]), "expected a road of at least 1 m"),
        (road([[114.05, 22.54]]), "expected at least two"),
        (road([[22.54, 114.05], [22.54, 114.06]]), "they look swapped"),
        (road([["114", 22.54], [114.06, 22.54]]), "positions of two numbers"),
        (road([[114.05, None], [114.06, 22.54]]), "positions of two numbers"),
    ],
)
def test_a_mistake_is_named_with_its_key_value_and_what_was_expected(feature: Json, expected: str) -> None:
    found = problems(feature)
    assert any(expected in problem for problem in found), found
    assert all(problem.startswith("plan.geojson: features[0]") for problem in found)


def test_all_mistakes_at_once() -> None:
    found = problems(road(passes=0, buffer_m=-1), road(task="T1"), road(task="T3", operation=None), road(task="T1"))
    assert [p.split(": ")[1] for p in found] == [
        "features[0] (T1).passes", "features[0] (T1).buffer_m", "features[2] (T3).operation", "features[3].task",
    ]  # fmt: skip


def test_one_road_swapped_among_others_is_noticed() -> None:
    near = [road([[40.0 + i / 1000, 30.0], [40.01, 30.0]], task=f"T{i}") for i in range(4)]
    found = problems(*near, road([[30.0, 40.0], [30.0, 40.01]], task="odd"))
    assert "lat and lon look swapped" in found[0]


@pytest.mark.parametrize(
    ("geometry", "expected"),
    [
        ({"type": "Point", "coordinates": [1, 2]}, "geometry.type: 'Point'"),
        ({"type": "Polygon", "coordinates": [SQUARE[0][:2]]}, "a closed ring"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}, "Self-intersection"),
        (None, "a feature with a geometry"),
    ],
)
def test_geometry_that_is_none(geometry: Mapping[str, object] | None, expected: str) -> None:
    feature: Json = {"type": "Feature", "properties": {"zone": "depot"}, "geometry": geometry}
    assert expected in problems(feature)[0]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"type": "Feature"}', "[" * 100_000])
def test_what_is_no_plan_is_one_clear_line(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_plan(text, "plan.geojson")
    assert len(caught.value.problems) == 1


def test_what_is_equal_is_one_object() -> None:
    """A province's plan says the same few things a hundred thousand times."""
    once = "2026-11-22T06:00+08:00/2026-11-22T07:00+08:00"
    other = [ROAD[0], [114.05, 22.56]]
    one, two, three = plan(
        road(window=once, name="Road 1", min_duration_min=30),
        road(window=once, name="Road 1", min_duration_min=30, task="T2"),
        road(other, window=once, task="T3"),
    ).fixed
    assert one.lines is two.lines
    assert one.lines[0][0] is three.lines[0][0]
    assert one.vehicle is two.vehicle
    assert one.name is two.name
    assert one.min_duration_s is two.min_duration_s
    assert one.day is two.day


def test_a_task_that_happens_once_is_the_same_object_wherever_it_is_asked_for() -> None:
    read = plan(road(window="2026-11-22T06:00+08:00/2026-11-22T07:00+08:00"))
    (task,) = read.fixed
    assert read.tasks_on(date(2026, 11, 22))[0] is task
    assert read.tasks_between(task.start_ms, task.end_ms)[0] is task


@pytest.mark.parametrize("odd", [[True, 22.54], ["114.05", 22.54], [None, 22.54]])
def test_a_road_that_equals_one_known_but_for_its_types_is_still_refused(odd: list[object]) -> None:
    good = [[1, 22.54], [114.05, 22.54]]
    assert len(problems(road(good), road([odd, good[1]], task="T2"))) == 1


def test_keys_nobody_reads_are_warned_about() -> None:
    read = plan(road(stroke="#f00"))
    assert [str(warning) for warning in read.warnings] == [
        "plan.geojson: features[0] (T1).stroke: not a known key; ignored"
    ]


def test_500_km_of_road_are_read_in_seconds() -> None:
    long = [[114.0 + i * 1e-4, 22.5 + (i % 7) * 1e-4] for i in range(500)]
    features = [road(long, task=f"T{i}") for i in range(100)]
    text = json.dumps({"type": "FeatureCollection", "features": features, "crs_name": "gcj02"})
    begin = time.process_time()
    assert len(parse_plan(text, "plan.geojson").templates) == 100
    assert time.process_time() - begin < 5
