"""The parts of the growth benchmark that decide what its figures mean."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bench.growth import Grown, Poured, heard, middle, row, sizes, summary
from bench.parts.broker import FastPublisher, Gate, make_session
from bench.parts.process import BenchError
from bench.parts.traffic import Spoken
from tests.bench.subscribers import subscribed
from tests.brokers import mosquitto, needs_mosquitto


def grown(devices: int, later_us: float, lost: int = 0) -> Grown:
    first = Poured(devices, 0, 0.05, 1.0)
    later = Poured(1000, lost, later_us / 1000, 2.0)
    return Grown(devices, devices // 18, devices // 2, 3.14159, 60.0, 200.04, 250.06, 17.0, first, later)


def test_growth_is_the_largest_by_the_smallest_and_losses_add_up() -> None:
    found = summary([grown(1000, 20.0), grown(10_000, 22.0, lost=1), grown(100_000, 25.0, lost=2)])
    assert found["growth"] == 1.25
    assert found["lost"] == 3
    assert found["sizes"][0] == {  # type: ignore[index]
        "devices": 1000, "vehicles": 55, "tasks": 500, "start_s": 3.1, "late_s": 60.0, "idle_mb": 200.0,
        "peak_mb": 250.1, "waiting_ms": 17.0, "first_us": 50.0, "later_us": 20.0, "lost": 0,
    }  # fmt: skip


def test_of_several_rounds_the_one_in_the_middle_counts_and_every_loss() -> None:
    rounds = [grown(1000, 30.0, lost=1), replace(grown(1000, 10.0, lost=2), peak_mb=300.0), grown(1000, 12.0)]
    found = middle(rounds)
    assert (found.later.us, found.later.lost, found.peak_mb) == (12.0, 3, 300.0)


def test_a_row_names_the_load() -> None:
    assert " ".join(row(grown(1000, 20.0), 7.25).split()) == "1,000 55 500 3.1 60 200 250 17 50.0 20.0 0 7.2"


def test_sizes_are_ascending_and_checked() -> None:
    assert sizes("10000,1000,1000") == [1000, 10_000]
    with pytest.raises(ValueError, match="at least 4"):
        sizes("0,100")
    with pytest.raises(ValueError, match="invalid literal"):
        sizes("many")


def test_the_first_lot_is_over_when_every_device_has_spoken() -> None:
    spoken = [Spoken(i, topic, b"") for i, topic in enumerate("abacab")]
    assert heard(spoken, 2) == 2
    assert heard(spoken, 3) == 4
    with pytest.raises(BenchError, match="3 of 4 devices have spoken"):
        heard(spoken, 4)


@needs_mosquitto
async def test_a_gate_that_is_closed_again_holds_what_comes_then(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        await make_session(broker.endpoint, "one")
        async with Gate(broker.endpoint) as gate, asyncio.timeout(20):
            connection = await subscribed(gate.endpoint, "one")
            topics: list[str] = []
            for lot in range(2):
                sent = [f"city/t/gas/g/{lot}-{i}" for i in range(300)]
                async with FastPublisher(broker.endpoint) as publisher:
                    await publisher.fill([(topic, b"x") for topic in sent])
                assert connection.take() == ([], [])
                gate.release()
                while len(topics) < 300 * (lot + 1):
                    await connection.collected()
                    messages, ids = connection.take()
                    topics += [message.topic for message in messages]
                    connection.acknowledge(ids)
                while gate.acknowledged < 300 * (lot + 1):
                    await asyncio.sleep(0.01)
                gate.hold()
                assert topics[300 * lot :] == sent
            await connection.leave()
