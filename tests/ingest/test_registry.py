"""The registry: written through, refreshed from other processes, and silent to the database on the hot path."""

import pytest
from sqlalchemy import Engine

from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import CitywardenError, NotFound
from ingest.registry import Registry
from tests.builders import device


def test_what_one_process_adds_another_sees_after_refresh(engine: Engine) -> None:
    server, command = Registry(engine), Registry(engine)
    lamp = device("streetlight", "L1", profile={"nominal_power_w": 120.0, "always_on": True})
    command.add([lamp])
    assert server.lookup(lamp.key) is None
    assert server.refresh() == ([lamp], [])
    assert server.lookup(lamp.key) == lamp
    command.enable(lamp.key, False)
    assert server.refresh()[0][0].enabled is False
    command.remove(lamp.key)
    assert server.refresh() == ([], [lamp.key])
    assert server.refresh() == ([], [])
    command.add([lamp])
    assert server.refresh() == ([lamp], [])


def test_adding_is_all_or_nothing(engine: Engine) -> None:
    registry = Registry(engine)
    registry.add([device("gas", "G1")])
    with pytest.raises(CitywardenError, match="already registered: G1"):
        registry.add([device("gas", "G0"), device("gas", "G1")])
    assert [d.id for d in Registry(engine).all()] == ["G1"]


def test_unknown_devices_are_registered_only_when_asked(engine: Engine) -> None:
    key = DeviceKey("t", "gas", "new")
    assert Registry(engine).lookup(key) is None
    registering = Registry(engine, register_unknown=True)
    assert registering.lookup(key) == Device("t", "gas", "new")
    assert registering.flush() == 1
    assert registering.flush() == 0
    assert Registry(engine).get(key) == Device("t", "gas", "new")


def test_absent_devices_are_named(engine: Engine) -> None:
    with pytest.raises(NotFound, match="no device t/gas/x"):
        Registry(engine).remove(DeviceKey("t", "gas", "x"))


def test_a_watch_sees_every_change_once(engine: Engine) -> None:
    server = Registry(engine)
    watch = server.watch()
    gas = device("gas", "G1")
    Registry(engine).add([gas])
    server.refresh()
    assert watch.drain() == ([gas], [])
    assert watch.drain() == ([], [])
    server.remove(gas.key)
    assert watch.drain() == ([], [gas.key])


def test_positions_are_kept_as_given_and_looked_up_as_wgs84(engine: Engine) -> None:
    registry = Registry(engine)
    registry.add([device("gas", "G1", lat=22.540383, lon=114.063014, crs="gcj02")])
    found = registry.lookup(DeviceKey("t", "gas", "G1"))
    assert found is not None
    assert (found.lat, found.lon) == pytest.approx((22.5431, 114.0579), abs=1e-5)
    assert registry.get(found.key).lat == 22.540383
    assert Registry(engine).placed() == [found]
