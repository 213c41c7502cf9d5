"""A vehicle's day follows from the time alone: no jumps, true speeds, equipment as planned."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citywarden.coordinates import distance_m
from fleet.city import city
from fleet.driver import SWAY, Driver, Gear, Leg
from fleet.roads import Path
from tests.builders import NOON_MS

TOWN = city(3, NOON_MS)
ON, OFF = Gear(brush=True), Gear(brush=False)


def straight(length_m: float, start_s: int, end_s: int, gear: Gear = ON, from_m: float = 0.0) -> Leg:
    return Leg(Path([(from_m, 0.0), (from_m + length_m, 0.0)]), start_s * 1000, end_s * 1000, gear)


def test_a_leg_takes_its_time_and_ends_where_it_must() -> None:
    driver = Driver([straight(1000.0, 0, 450), Leg(Path([(1000.0, 0.0)]), 450_000, 500_000, OFF)], odometer_km=10.0)
    speeds = [driver.at(s * 1000).speed_kmh for s in range(1, 450)]
    assert sum(speeds) / len(speeds) == pytest.approx(8.0, rel=0.01)
    assert max(speeds) <= 8.0 * (1 + SWAY) + 1e-9
    assert min(speeds) >= 8.0 * (1 - SWAY) - 1e-9
    assert driver.at(450_000).odometer_km == pytest.approx(11.0)
    assert driver.at(470_000).speed_kmh == 0.0
    assert driver.at(470_000).heading_deg == 90.0, "a standing vehicle still points where it drove"


def test_equipment_is_on_while_its_leg_lasts() -> None:
    driver = Driver([straight(100.0, 0, 50, OFF), straight(100.0, 50, 100, ON, from_m=100.0)])
    assert [driver.at(s * 1000).gear.brush for s in (-5, 0, 49, 50, 99, 500)] == [False, False, False, True, True, True]
    assert driver.next_start_ms(10_000) == 50_000
    assert driver.next_start_ms(60_000) == 100_000


def test_a_load_grows_evenly_while_the_lift_works() -> None:
    stop = Leg(Path([(0.0, 0.0)]), 0, 20_000, Gear(lift=True, load_kg=(1000.0, 1100.0)))
    assert [Driver([stop]).at(s * 1000).payload()["load_kg"] for s in (0, 10, 20)] == [1000, 1050, 1100]


def test_a_driver_needs_legs() -> None:
    with pytest.raises(ValueError, match="at least one leg"):
        Driver([])


@settings(max_examples=60, deadline=None)
@given(vehicle=st.sampled_from(sorted(TOWN.drivers)), minute=st.integers(-120, 300), step_s=st.integers(1, 30))
def test_no_vehicle_jumps(vehicle: str, minute: int, step_s: int) -> None:
    driver = TOWN.drivers[vehicle]
    at = NOON_MS + minute * 60_000
    before, after = driver.at(at), driver.at(at + step_s * 1000)
    gone = float(distance_m(before.lat, before.lon, after.lat, after.lon))
    assert gone <= 35.0 / 3.6 * step_s + 3.0
    assert after.odometer_km >= before.odometer_km
    assert gone <= (after.odometer_km - before.odometer_km) * 1000.0 + 3.0


@settings(max_examples=60, deadline=None)
@given(vehicle=st.sampled_from(sorted(TOWN.drivers)), second=st.integers(-7200, 18_000))
def test_the_speed_shown_is_the_speed_driven(vehicle: str, second: int) -> None:
    driver = TOWN.drivers[vehicle]
    at = NOON_MS + second * 1000
    motion, later = driver.at(at), driver.at(at + 200)
    shown = (motion.speed_kmh + later.speed_kmh) / 2
    if motion.gear == later.gear and driver.next_start_ms(at) > at + 200:
        assert (later.odometer_km - motion.odometer_km) * 3600 / 0.2 == pytest.approx(shown, abs=0.3)
