"""What goes wrong in the demo, and when: soon, with an end, and again with other devices."""

from dataclasses import replace

import pytest

from citywarden.model.device import Device
from fleet.city import city
from fleet.incidents import (
    ACTS,
    ROUND_S,
    Act,
    Incident,
    acts_for,
    round_at,
    round_start_ms,
    should_be_lit,
    stage,
)
from tests.builders import KINDS, NOON_MS, device

TOWN = city(1, NOON_MS)
LAMPS = {d.key: d for d in TOWN.devices if d.kind == "streetlight"}


def day(lat: float, lon: float, ms: int) -> bool:
    return False


def night(lat: float, lon: float, ms: int) -> bool:
    return True


def round_of(number: int, dark: bool = False) -> tuple[Incident, ...]:
    return stage(TOWN.devices, ACTS, 1, number, NOON_MS, night if dark else day)


def test_every_act_of_the_first_round_begins_within_two_minutes_and_ends() -> None:
    first = round_of(0)
    assert {i.act.name for i in first} == {a.name for a in ACTS if a.first_round == 0}
    for incident in first:
        assert NOON_MS <= incident.begin_ms <= NOON_MS + 120_000
        assert incident.begin_ms < incident.end_ms < round_start_ms(NOON_MS, 1)


def test_the_first_ones_begin_within_the_first_seconds() -> None:
    assert sum(1 for incident in round_of(0) if incident.begin_ms <= NOON_MS + 5000) >= 3


def test_all_kinds_of_trouble_are_there() -> None:
    faults = {(act.kind, act.fault) for act in ACTS}
    wanted = [("streetlight", fault) for fault in ("dark_lamp", "day_burner", "cycling", "power_low", "disobeys")]
    wanted += [("gas", "gas_leak"), ("gas", "silent"), ("waterlogging", "rising_water"), ("vehicle", "silent")]
    assert set(wanted) <= faults
    assert any("battery_v" in act.overrides for act in ACTS)
    assert all(act.fault is None or act.fault in KINDS[act.kind].faults for act in ACTS)


@pytest.mark.parametrize("number", range(1, 6))
def test_later_rounds_play_all_acts_within_their_time(number: int) -> None:
    incidents = round_of(number)
    assert len(incidents) == len(ACTS)
    begin = round_start_ms(NOON_MS, number)
    assert all(begin <= i.begin_ms < i.end_ms <= begin + ROUND_S * 1000 for i in incidents)
    assert round_of(number) == incidents, "the same again"


def test_no_device_plays_twice_in_a_row() -> None:
    for number in range(6):
        played = [i.device for i in (*round_of(number), *round_of(number + 1))]
        assert len(set(played)) == len(played)


@pytest.mark.parametrize("dark", [False, True])
def test_lamps_play_what_can_be_seen_at_that_hour(dark: bool) -> None:
    for number in range(4):
        for incident in round_of(number, dark):
            if incident.device in LAMPS:
                lit = should_be_lit(LAMPS[incident.device], dark)
                assert lit != (incident.act.fault == "day_burner"), incident


def test_a_recording_is_left_as_it_is() -> None:
    assert all(i.device.id != "R01" for number in range(20) for i in round_of(number))


def test_a_fault_grows_holds_and_fades() -> None:
    act = Act("flood", "waterlogging", "rising_water", 0, 100, crest_s=20, wane_s=50, pace=3)
    incident = Incident(act, device("waterlogging").key, 0, 100_000)
    ages = [incident.age_s(s * 1000) for s in (0, 10, 20, 40, 50, 75, 100, 200)]
    assert ages == [0, 30, 60, 60, 60, 30, 0, 0]
    assert [incident.active(ms) for ms in (-1, 0, 99_999, 100_000)] == [False, True, True, False]


def test_a_fault_without_a_crest_just_lasts() -> None:
    incident = Incident(Act("dark", "streetlight", "dark_lamp", 0, 60, pace=2), device("streetlight").key, 0, 60_000)
    assert [incident.age_s(s * 1000) for s in (0, 10, 60)] == [0, 20, 120]


def test_rounds_follow_each_other() -> None:
    assert [round_at(NOON_MS, NOON_MS + s * 1000) for s in (-5, 0, 479, 480, 4800)] == [0, 0, 0, 1, 10]


def lamp(**profile: bool) -> Device:
    return device("streetlight", profile=profile)


def test_which_lamps_should_burn() -> None:
    assert [should_be_lit(lamp(), dark) for dark in (False, True)] == [False, True]
    assert [should_be_lit(lamp(always_on=True), dark) for dark in (False, True)] == [True, True]
    assert [should_be_lit(lamp(planned_off=True), dark) for dark in (False, True)] == [False, False]


def test_a_new_kind_gets_acts_for_its_faults() -> None:
    dustbin = replace(KINDS["gas"], name="dustbin", faults=("full", "silent"))
    names = [act.name for act in acts_for({"dustbin": dustbin})]
    assert names == ["dustbin_full", "dustbin_silent"]
