"""The demo city: complete, deterministic, and planned around the moment it starts."""

import itertools
from collections import Counter
from collections.abc import Mapping

import pytest

from citywarden.model.work import Operation, Task, ZoneKind
from fleet.city import Size, city, district_at
from fleet.driver import Driver
from fleet.plan import parse_plan
from fleet.shifts import Behaviour
from fleet.workday import CAST
from rules.worksettings import WorkSettings
from tests.builders import NOON_MS

TOWN = city(1, NOON_MS)
PLAN = parse_plan(TOWN.plan_text, "plan")
TASKS: Mapping[str, Task] = {task.id: task for task in PLAN.fixed}


def test_it_has_what_a_demo_needs() -> None:
    kinds = Counter(device.kind for device in TOWN.devices)
    assert kinds == {"streetlight": 400, "waterlogging": 60, "gas": 60, "vehicle": 31}
    assert len({device.key for device in TOWN.devices}) == 551
    companies = Counter(d.owner for d in TOWN.devices if d.kind == "vehicle" and not d.profile.get("recorded"))
    assert sorted(companies.values()) == [10, 10, 10]
    assert {Operation(str(d.profile["operation"])) for d in TOWN.devices if "operation" in d.profile} == set(Operation)


def test_names_are_in_both_languages_and_places_in_the_district() -> None:
    for device in TOWN.devices:
        assert " / " in device.name
        assert device.lat is not None
        assert device.lon is not None
        assert device.district in ("Futian", "Luohu", "Nanshan", "Jersey City (recorded)")
    lamp = next(d for d in TOWN.devices if d.id == "L0100")
    assert lamp.name.startswith("示范")
    assert "Demo" in lamp.name


def test_the_same_seed_is_the_same_city() -> None:
    again, other = city(1, NOON_MS), city(2, NOON_MS)
    assert again.devices == TOWN.devices
    assert again.plan == TOWN.plan
    assert [d.at(NOON_MS) for d in again.drivers.values()] == [d.at(NOON_MS) for d in TOWN.drivers.values()]
    assert other.devices != TOWN.devices


def test_some_lamps_burn_all_day_and_some_are_off_by_plan() -> None:
    lamps = [d for d in TOWN.devices if d.kind == "streetlight"]
    assert sum(bool(d.profile["always_on"]) for d in lamps) == 24
    assert sum(bool(d.profile["planned_off"]) for d in lamps) == 8


def test_the_plan_is_a_good_one() -> None:
    assert not PLAN.warnings
    assert {zone.kind for zone in PLAN.zones} == {ZoneKind.DEPOT, ZoneKind.WATER, ZoneKind.DISPOSAL}
    assert {task.vehicle for task in TASKS.values()} == set(TOWN.drivers)
    for vehicle in TOWN.drivers:
        windows = sorted((t.start_ms, t.end_ms) for t in TASKS.values() if t.vehicle == vehicle)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(windows))


def test_work_has_ended_runs_and_is_about_to_start() -> None:
    ended = [t for t in TASKS.values() if t.end_ms <= NOON_MS]
    running = [t for t in TASKS.values() if t.start_ms <= NOON_MS < t.end_ms]
    soon = [t for t in TASKS.values() if NOON_MS < t.start_ms <= NOON_MS + 600_000]
    assert len(ended) >= 25
    assert len(running) >= 25
    assert len(soon) >= 3
    assert max(t.end_ms for t in TASKS.values()) > NOON_MS + 6 * 3_600_000


def first_task(behaviour: Behaviour) -> tuple[Task, Driver]:
    place = next(i for i, (_, part) in enumerate(CAST) if part.behaviour is behaviour)
    vehicle = f"V{place + 1:02d}"
    found = [t for t in TASKS.values() if t.vehicle == vehicle and TOWN.behaviours[t.id] is behaviour]
    live = [t for t in found if t.end_ms > NOON_MS]
    return min(live, key=lambda t: t.start_ms), TOWN.drivers[vehicle]


def test_the_skipped_road_ends_within_the_first_minute() -> None:
    task, driver = first_task(Behaviour.SKIP)
    assert NOON_MS + 50_000 <= task.end_ms <= NOON_MS + 75_000
    inside = [driver.at(ms) for ms in range(task.start_ms, task.end_ms, 1000)]
    passed = [m for m in inside if m.speed_kmh > 20 and m.gear.brush is False]
    assert len(passed) > 30, "it drives past a block with the brush up"


def test_the_late_one_is_missed_after_a_few_seconds_and_comes_before_two_minutes() -> None:
    task, driver = first_task(Behaviour.LATE)
    missed_ms = task.start_ms + round(WorkSettings().no_show_s * 1000)
    assert NOON_MS + 20_000 <= missed_ms <= NOON_MS + 90_000
    assert not driver.at(missed_ms).gear.ignition
    assert driver.at(NOON_MS + 150_000).gear.brush is True


def test_one_speeds_with_the_brush_on() -> None:
    _, driver = first_task(Behaviour.SPEEDING)
    limit = WorkSettings().speed_bands_kmh[Operation.SWEEP][1] * WorkSettings().overspeed_factor
    too_fast = [s for s in range(0, 120) if (m := driver.at(NOON_MS + s * 1000)).gear.brush and m.speed_kmh > limit]
    assert len(too_fast) >= WorkSettings().overspeed_s + 10
    assert driver.at(NOON_MS + 118_000).speed_kmh < limit


@pytest.mark.parametrize("seed", [1, 7])
def test_working_speeds_lie_within_the_bands(seed: int) -> None:
    town = city(seed, NOON_MS, size=Size(0, 0, 0, 30))
    bands = WorkSettings().speed_bands_kmh
    normal = [t for t in parse_plan(town.plan_text, "plan").fixed if town.behaviours[t.id] is Behaviour.NORMAL]
    for task in normal[::6]:
        driver = town.drivers[task.vehicle]
        low, high = bands[task.operation]
        for ms in range(task.start_ms, task.end_ms, 7000):
            motion = driver.at(ms)
            if motion.gear.brush or motion.gear.pump:
                assert motion.speed_kmh == 0.0 or low <= motion.speed_kmh <= high


def test_any_number_of_devices_can_be_had() -> None:
    for wanted in (4, 50, 1000):
        town = city(1, NOON_MS, "t", Size.of(wanted), with_recorded=False)
        assert len(town.devices) == wanted
        assert {d.kind for d in town.devices} == {"streetlight", "waterlogging", "gas", "vehicle"}
    more = city(1, NOON_MS, "t", Size.of(100, 1), ["dustbin"], with_recorded=False)
    assert Counter(d.kind for d in more.devices)["dustbin"] > 0
    assert len(more.devices) == 100


def test_the_recorded_truck_keeps_its_true_place_and_says_so() -> None:
    truck = next(d for d in TOWN.devices if d.id == "R01")
    assert "Recorded" in truck.name
    assert truck.lat is not None
    assert truck.lon is not None
    assert (round(truck.lat), round(truck.lon)) == (41, -74)
    assert district_at(truck.lat, truck.lon) == ""
    fixes = TOWN.recorded["R01"]
    gaps = [b.ts_ms - a.ts_ms for a, b in itertools.pairwise(fixes)]
    assert min(gaps) > 0
    assert sum(1 for f in fixes if f.ts_ms < NOON_MS) > 100
    assert any(NOON_MS <= f.ts_ms < NOON_MS + 10_000 for f in fixes)


def test_the_map_gets_named_streets_and_districts() -> None:
    streets, districts = TOWN.streets["features"], TOWN.districts["features"]
    assert isinstance(streets, list)
    assert isinstance(districts, list)
    assert {"name_zh": "示范四路", "name_en": "Demo Road 4"} in [street["properties"] for street in streets]
    assert "Futian" in {district["properties"]["name_en"] for district in districts}
