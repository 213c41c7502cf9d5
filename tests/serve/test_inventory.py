"""The registry told to the store bit by bit: all of it, again every hour, changes first, nothing passed over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from citywarden.model.device import Device
from citywarden.serve.inventory import HOUR_MS, PART, Inventory
from citywarden.serve.tables import open_database
from ingest.registry import Registry
from tests.builders import NOON_MS, device


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    engine = open_database(f"sqlite:///{tmp_path / 'city.db'}")
    yield Registry(engine)
    engine.dispose()


def lamps(first: int, end: int, **known: object) -> list[Device]:
    return [device("streetlight", f"L{i:04}", **known) for i in range(first, end)]


def names(inventory: Inventory, now_ms: int = NOON_MS) -> list[str]:
    return [point.tags["device"] for point in inventory.part(now_ms)]


def test_all_is_told_in_parts_and_then_nothing_for_an_hour(registry: Registry) -> None:
    registry.add(lamps(0, 2 * PART + 10))
    inventory = Inventory(registry)
    parts = [names(inventory) for _ in range(4)]
    assert [len(part) for part in parts] == [PART, PART, 10, 0]
    assert sorted(name for part in parts for name in part) == [f"L{i:04}" for i in range(2 * PART + 10)]
    assert names(inventory, NOON_MS + HOUR_MS - 1) == []
    assert len(names(inventory, NOON_MS + HOUR_MS)) == PART


def test_a_change_does_not_wait_for_its_turn_and_is_told_as_it_is_now(registry: Registry) -> None:
    registry.add(lamps(0, 2 * PART))
    inventory = Inventory(registry)
    names(inventory)
    registry.put(lamps(3, 4, owner="the market"))
    (told,) = inventory.part(NOON_MS)
    assert (told.tags["device"], told.fields["owner"]) == ("L0003", "the market")
    again = {point.tags["device"]: point.fields["owner"] for point in inventory.part(NOON_MS)}
    assert again["L0003"] == "the market"


def test_none_is_passed_over_when_others_come_and_go_meanwhile(registry: Registry) -> None:
    registry.add(lamps(0, 2 * PART))
    inventory = Inventory(registry)
    told = names(inventory)
    registry.discard([one.key for one in lamps(10, 20)] + [one.key for one in lamps(PART + 10, PART + 20)])
    registry.add(lamps(2 * PART, 2 * PART + 5))
    while part := names(inventory):
        told += part
    assert set(told) | {f"L{i:04}" for i in range(10, 20)} == {f"L{i:04}" for i in range(2 * PART + 5)}


def test_a_thing_without_a_place_is_not_told(registry: Registry) -> None:
    registry.add([device("gas", "G1", lat=None, lon=None)])
    assert names(Inventory(registry)) == []
