"""Numbers of devices: ordered as their keys are, whatever comes when, and never given to another."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from citywarden.columns import concat, from_readings, ordered
from citywarden.model.device import Device
from citywarden.seating import Places, Seating, Seats
from tests.builders import KINDS, NOON_MS, columns, device

speakers = st.lists(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2)), min_size=1, max_size=20), max_size=12)
"""Slices of (device, how often it has changed)."""


@given(speakers)
def test_rows_are_in_the_order_of_keys_and_times(slices: list[list[tuple[int, int]]]) -> None:
    seating = Seating()
    known = {(i, change): device("gas", f"g{i}", district=str(change)) for i in range(31) for change in range(3)}
    rng = np.random.default_rng(1)
    for speaking in slices:
        who = [known[one] for one in speaking]
        numbers = np.array([seating.seat(one) for one in who])
        ts_ms = rng.integers(0, 5, len(who))
        order, place, seats = ordered(seating, numbers, ts_ms)
        found = seating.devices(seats.numbers)
        assert [one.key for one in found] == sorted({one.key for one in who})
        assert [found[i].key for i in place] == [who[i].key for i in order]
        assert order.tolist() == sorted(range(len(who)), key=lambda i: (who[i].key, ts_ms[i]))
        newest = {
            one.key: number for number, one in sorted(zip(numbers.tolist(), who, strict=True), key=lambda p: p[0])
        }
        assert seats.numbers.tolist() == [newest[key] for key in sorted(newest)]


def test_a_changed_device_gets_another_number_and_what_was_made_of_it_stays() -> None:
    seating, asked = Seating(), []

    def district(one: Device) -> str:
        asked.append(one)
        return one.district

    one, two = device("gas", "a", district="North"), device("gas", "b", district="South")
    numbers = [seating.seat(one), seating.seat(two), seating.seat(one)]
    assert numbers == [0, 1, 0]
    assert seating.seat(moved := replace(one, district="West")) == 2
    assert seating.outdated == 1
    assert seating.of_each(district, np.array([2, 0, 1, 2])) == ["West", "North", "South", "West"]
    assert seating.of_each(district, np.array([0, 2])) == ["North", "West"]
    assert asked == [one, two, moved]


@given(st.permutations(range(12)), speakers)
def test_devices_that_were_expected_are_in_order_whatever_becomes_of_them(
    registered: list[int], slices: list[list[tuple[int, int]]]
) -> None:
    seating = Seating()
    known = {(i, change): device("gas", f"g{i:02}", district=str(change)) for i in range(31) for change in range(3)}
    seating.seat_all(known[i, 0] for i in registered)
    assert [one.id for one in seating.devices(np.arange(12))] == [f"g{i:02}" for i in range(12)]
    for speaking in slices:
        who = [known[one] for one in speaking]
        order, _, _ = ordered(seating, np.array([seating.seat(one) for one in who]), np.zeros(len(who), np.int64))
        assert [who[i].key for i in order] == sorted(one.key for one in who)


def test_only_devices_that_are_asked_for_are_told_of() -> None:
    seating, asked = Seating(), []

    def name(one: Device) -> str:
        asked.append(one.id)
        return one.id

    seating.seat_all(device("gas", letter) for letter in "cab")
    assert seating.of_each(name, np.array([2])) == ["c"]
    assert seating.of_each(name, np.array([0, 2])) == ["a", "c"]
    assert asked == ["c", "a"]


def test_places_are_asked_for_once_and_can_be_given_back() -> None:
    seating, places, asked = Seating(), Places(), []

    def take_in(i: int) -> int:
        asked.append(i)
        return 10 + len(asked)

    numbers = np.array([seating.seat(device("gas", name)) for name in "abc"])
    assert places.find(Seats(seating, numbers[[2, 0]]), take_in).tolist() == [11, 12]
    assert places.find(Seats(seating, numbers), take_in).tolist() == [12, 13, 11]
    places.forget(np.array([12]))
    assert places.find(Seats(seating, numbers), take_in).tolist() == [14, 13, 11]
    assert asked == [0, 1, 1, 0]
    another = Seating()
    assert places.find(Seats(another, np.array([another.seat(device("gas", "b"))])), take_in).tolist() == [15]


def test_batches_with_numbers_become_the_one_that_they_become_without() -> None:
    seating = Seating()
    rows = [(s, {"co_ppm": float(s)}) for s in (1, 3, 5)]
    plain = [
        columns("gas", rows, device("gas", name), NOON_MS + shift) for name, shift in (("b", 0), ("a", 0), ("b", 7))
    ]
    numbered = [replace(one, seats=Seats(seating, np.array([seating.seat(one.devices[0])]))) for one in plain]
    found, wanted = concat(numbered), concat(plain)
    assert [one.key for one in found.devices] == [one.key for one in wanted.devices]
    assert list(found.rows()) == list(wanted.rows())
    assert found.seats is not None
    assert wanted.seats is None
    assert seating.devices(found.seats.numbers) == found.devices


def test_no_rows_have_no_devices() -> None:
    order, place, seats = ordered(Seating(), np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert len(order) == len(place) == len(seats.numbers) == 0
    assert not len(from_readings(KINDS["gas"], []))
