"""What the simulated city publishes: on the wire it is what a real city would send, and the ledger is exact."""

import asyncio
from collections import Counter
from itertools import pairwise

import orjson
import pytest

from citywarden.coordinates import distance_m
from citywarden.log.contract import Slice
from citywarden.model.message import MAX_PAYLOAD_BYTES, RawMessage
from fleet.city import Size, city
from fleet.senders import PARKED_S, Item
from fleet.simulator import ARRAY_BYTES, Doors, Simulator, pack
from ingest.decode import Decoder
from tests.builders import KINDS, NOON_MS
from tests.fleet.simulated import Stage, by_day, simulate

TOWN = city(1, NOON_MS)
STAGE, SIMULATOR, SUMMARY = simulate(TOWN, 100.0)


def test_every_message_is_taken_by_the_decoder() -> None:
    known = {device.key: device for device in TOWN.devices}
    decoded = Decoder(KINDS, known.get).decode(Slice(0, 0, tuple(STAGE.messages)))
    assert decoded.dead == ()
    assert decoded.unknown_fields == {}
    assert {columns.kind.name: len(columns) for columns in decoded.columns} == SUMMARY.readings
    assert len(decoded.statuses) == SUMMARY.statuses > 10


def test_the_ledger_is_exact_and_no_reading_is_sent_twice() -> None:
    readings: Counter[tuple[str, int]] = Counter()
    for message in STAGE.messages:
        if message.topic.endswith("/telemetry"):
            value = orjson.loads(message.payload)
            readings.update((message.topic, item["ts"]) for item in (value if isinstance(value, list) else [value]))
    assert sum(readings.values()) == len(readings) == SUMMARY.items
    assert SUMMARY.messages == len(STAGE.messages) - SUMMARY.statuses
    assert dict(SIMULATOR.published) == SUMMARY.published
    assert dict(SIMULATOR.readings) == SUMMARY.readings


def test_it_speaks_about_ninety_times_a_second() -> None:
    live = [m for m in STAGE.messages if m.payload[:1] == b"{"]
    assert 70 <= len(live) / 100.0 <= 120


def test_history_is_told_in_arrays_before_anything_live_and_quickly() -> None:
    arrays = [m for m in STAGE.messages if m.payload[:1] == b"["]
    first_live = next(m for m in STAGE.messages if m.payload[:1] == b"{")
    assert len(arrays) >= 550
    assert max(len(m.payload) for m in arrays) <= ARRAY_BYTES < MAX_PAYLOAD_BYTES
    assert max(m.received_ms for m in arrays) <= first_live.received_ms
    assert first_live.received_ms - NOON_MS < 5000
    assert all(item["ts"] < message.received_ms for message in arrays for item in orjson.loads(message.payload))


def test_history_and_live_motion_join_without_a_jump() -> None:
    for vehicle in TOWN.drivers:
        track = STAGE.telemetry(vehicle)
        assert len(track) > 20
        for a, b in pairwise(track):
            assert b["ts"] > a["ts"]
            gone = float(distance_m(a["lat"], a["lon"], b["lat"], b["lon"]))
            assert gone <= 36.0 / 3.6 * (b["ts"] - a["ts"]) / 1000.0 + 3.0


def test_working_vehicles_are_sampled_densely_and_parked_ones_seldom() -> None:
    for vehicle, driver in TOWN.drivers.items():
        for a, b in pairwise(STAGE.telemetry(vehicle)):
            limit = 10.5 if driver.at(int(a["ts"])).gear.ignition else PARKED_S + 0.5
            assert (b["ts"] - a["ts"]) / 1000.0 <= limit


def test_the_recorded_truck_plays_its_true_fixes() -> None:
    sent = STAGE.telemetry("R01")
    recorded = [{"ts": f.ts_ms, **f.values} for f in TOWN.recorded["R01"] if f.ts_ms < STAGE.now_ms]
    assert sent == recorded[: len(sent)]
    assert len(recorded) - len(sent) <= 1
    assert sum(1 for m in STAGE.messages if "/R01/telemetry" in m.topic and m.payload[:1] == b"{") >= 2


def test_a_silent_device_is_silent_and_comes_back() -> None:
    incident = next(i for i in SIMULATOR.incidents if i.act.name == "silent_detector")
    times = [int(item["ts"]) for item in STAGE.telemetry(incident.device.id)]
    assert not [ms for ms in times if incident.begin_ms <= ms < incident.end_ms]
    assert [ms for ms in times if incident.end_ms <= ms < incident.end_ms + 1000], "it speaks at once when it is back"


def test_a_device_in_trouble_speaks_at_once_and_often() -> None:
    incident = next(i for i in SIMULATOR.incidents if i.act.name == "day_burner")
    told = [i for i in STAGE.telemetry(incident.device.id) if incident.begin_ms <= i["ts"] < incident.end_ms]
    assert told[0]["ts"] - incident.begin_ms <= 250
    assert all(item["on"] for item in told)
    assert len(told) >= 30


def test_incidents_go_on_round_after_round() -> None:
    small = city(1, NOON_MS, size=Size(40, 8, 8, 1), with_recorded=False)
    stage, simulator, _ = simulate(small, 1200.0, history=False)
    names = {i.act.name for i in simulator.incidents}
    assert all(i.begin_ms > NOON_MS + 600_000 for i in simulator.incidents)
    assert {"gas_leak", "rising_water", "dark_lamp"} <= names
    depths = [item["depth_cm"] for d in small.devices if d.kind == "waterlogging" for item in stage.telemetry(d.id)]
    assert sum(1 for a, b in pairwise(depths) if a < 40 <= b) >= 3


@pytest.mark.parametrize("rate", [20.0, 400.0])
def test_a_rate_is_kept(rate: float) -> None:
    town = city(1, NOON_MS, size=Size(60, 10, 10, 5), with_recorded=False)
    _, _, summary = simulate(town, 30.0, rate=rate, history=False)
    assert summary.messages == pytest.approx(rate * 30.0, rel=0.2)
    assert set(summary.published) == {"streetlight", "waterlogging", "gas", "vehicle"}


def test_stop_ends_it_with_an_exact_ledger() -> None:
    stage = Stage(TOWN, NOON_MS)
    waiting: list[asyncio.Future[None]] = []

    async def slow(topic: str, payload: bytes, retain: bool) -> None:
        await stage.publish(topic, payload, retain)
        if len(stage.messages) > 700:
            simulator.stop()
            waiting.append(asyncio.get_running_loop().create_future())
            asyncio.get_running_loop().call_soon(waiting[-1].set_result, None)
            await waiting[-1]

    simulator = Simulator(TOWN, KINDS, stage.doors(publish=slow))
    summary = asyncio.run(simulator.run())
    assert waiting, "messages were on their way when it was stopped"
    assert summary.messages + summary.statuses == len(stage.messages)


def test_a_broker_that_fails_ends_it_with_the_brokers_error() -> None:
    stage = Stage(TOWN, NOON_MS)

    async def broken(topic: str, payload: bytes, retain: bool) -> None:
        if topic.endswith("telemetry"):
            raise ConnectionError("gone")

    simulator = Simulator(TOWN, KINDS, stage.doors(publish=broken))
    with pytest.raises(ConnectionError, match="gone"):
        asyncio.run(simulator.run(10.0))


def test_the_same_seed_says_the_same() -> None:
    def told(seed: int) -> list[RawMessage]:
        return simulate(city(seed, NOON_MS, size=Size(20, 4, 4, 3)), 20.0)[0].messages

    assert told(5) == told(5)
    assert told(5) != told(6)


def test_arrays_are_split_where_they_would_grow_too_large() -> None:
    items: list[Item] = [{"ts": i, "fault": "x" * 1000} for i in range(500)]
    packed = list(pack(iter(items)))
    assert [item for payload, _ in packed for item in orjson.loads(payload)] == items
    assert sum(count for _, count in packed) == 500
    assert len(packed) == 4
    assert list(pack(iter([]))) == []


def test_a_simulator_needs_only_its_doors() -> None:
    stage = Stage(TOWN, NOON_MS)
    doors = Doors(stage.publish, lambda: stage.now_ms, stage.sleep, by_day)
    assert Simulator(TOWN, KINDS, doors).summary().messages == 0
