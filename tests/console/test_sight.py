"""What the wall sees of a device: one state, from its newest values and the moment."""

from dataclasses import replace

import pytest

from citywarden.columns import Reading, from_readings
from citywarden.live import Live
from citywarden.model.device import Device
from citywarden.model.kind import JsonScalar
from citywarden.model.work import Operation, Task
from dashboards.console.scene import place_of
from dashboards.console.sight import Bands, Raw, Seen, Surroundings, as_rows, depth_band, gas_level, see, vehicle_state
from tests.builders import KINDS, NOON_MS, device
from tests.console.fakes import TODAY


def around(dark: bool = True, jobs: dict[str, list[Task]] | None = None, now_ms: int = NOON_MS) -> Surroundings:
    return Surroundings(now_ms, Bands(), lambda place: dark, place_of, jobs or {})


def seen(who: Device, at: Surroundings, age_s: int = 0, **values: JsonScalar) -> Seen:
    """The device as the wall sees it `age_s` after it sent `values`."""
    live = Live(KINDS)
    ts_ms = at.now_ms - age_s * 1000
    live.update(from_readings(KINDS[who.kind], [Reading(who, ts_ms, ts_ms, values)]))
    table = as_rows(live.devices(who.kind), live.columns(who.kind), live.texts(who.kind))
    return see(KINDS[who.kind], table, {who.key: who}, at)[0]


@pytest.mark.parametrize(
    ("dark", "profile", "values", "age_s", "state", "due"),
    [
        (True, {}, {"on": True}, 0, "lit", True),
        (True, {}, {"on": False}, 0, "dark", True),
        (False, {}, {"on": False}, 0, "off", False),
        (False, {}, {"on": True}, 0, "faulty", False),
        (True, {}, {"on": True, "fault": "lamp"}, 0, "faulty", True),
        (True, {}, {"on": True}, 1000, "no_data", True),
        (True, {}, {"power_w": 3.0}, 0, "no_data", True),
        (True, {"planned_off": True}, {"on": False}, 0, "off", False),
        (False, {"always_on": True}, {"on": False}, 0, "dark", True),
        (True, {"interval_s": 900.0}, {"on": True}, 1000, "lit", True),
    ],
)
def test_a_lamp(
    dark: bool, profile: dict[str, float], values: dict[str, JsonScalar], age_s: int, state: str, due: bool
) -> None:
    lamp = replace(device("streetlight"), profile=profile)
    found = seen(lamp, around(dark), age_s, **values)
    assert (found.state, found.due) == (state, due)


def test_bands_begin_at_their_limits() -> None:
    assert [depth_band(cm, Bands()) for cm in (4.9, 5, 15, 25, 40)] == ["dry", "watch", "yellow", "orange", "red"]
    assert [gas_level(lel, Bands()) for lel in (24.9, 25, 50)] == ["safe", "low", "high"]


def test_registered_but_never_heard_is_no_data_and_disabled_is_not_there() -> None:
    silent, off = device("gas", "g1"), replace(device("gas", "g2"), enabled=False)
    found = see(KINDS["gas"], Raw((), {}, {}), {silent.key: silent, off.key: off}, around())
    assert [(s.device.id, s.state) for s in found] == [("g1", "no_data")]


def test_a_device_in_gcj02_stands_where_it_really_is() -> None:
    told = device("gas", lat=22.540383, lon=114.063014, crs="gcj02")
    place = seen(told, around(), methane_lel_pct=1.0).place
    assert place == pytest.approx((114.0579, 22.5431), abs=2e-5)


ROAD = ((114.05, 22.54), (114.06, 22.54))


def job(**known: object) -> Task:
    facts: dict[str, object] = {
        "id": "t", "name": "r", "vehicle": "v", "operation": Operation.SWEEP, "lines": (ROAD,),
        "start_ms": NOON_MS - 1000, "end_ms": NOON_MS + 1000, "day": TODAY,
    }  # fmt: skip
    return Task(**(facts | known))  # type: ignore[arg-type]


BLIND = {"brush": None, "pump": None, "lift": None}


@pytest.mark.parametrize(
    ("speed", "flags", "jobs", "state"),
    [
        (8.0, {"brush": 1.0}, [], "working"),
        (8.0, {"brush": 0.0}, [], "driving"),
        (0.5, {"brush": 1.0}, [], "idle"),
        (25.0, {"brush": 1.0}, [], "driving"),
        (18.0, {"pump": 1.0}, [], "working"),
        (18.0, {"brush": 1.0}, [job(speed_band_kmh=(2, 20))], "working"),
        (0.0, {"brush": 0.0}, [job()], "idle"),
        (8.0, BLIND, [job()], "working"),
        (8.0, BLIND, [], "driving"),
        (8.0, BLIND, [job(lines=(((114.2, 22.6), (114.3, 22.6)),))], "driving"),
    ],
)
def test_a_vehicle(speed: float, flags: dict[str, float | None], jobs: list[Task], state: str) -> None:
    assert vehicle_state(speed, flags, (114.055, 22.54), jobs, around()) == state


def test_a_vehicle_unheard_for_two_minutes_is_offline() -> None:
    assert seen(device("vehicle"), around(), 119, lat=22.5, lon=114.0, speed_kmh=30.0).state == "driving"
    assert seen(device("vehicle"), around(), 121, lat=22.5, lon=114.0, speed_kmh=30.0).state == "offline"
