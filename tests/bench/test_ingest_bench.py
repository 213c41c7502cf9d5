"""The parts of the ingest benchmark that decide what its figures mean."""

import asyncio
from pathlib import Path

import orjson
import pytest

from bench.ingest import Cost, summary
from bench.parts.broker import FastPublisher, Frames, Gate, make_session
from bench.parts.traffic import PROBE_FIELDS, speak, town
from tests.bench.subscribers import subscribed
from tests.brokers import mosquitto, needs_mosquitto

NOW_MS = 1_795_392_000_000


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_frames_are_whole_however_the_bytes_come(size: int) -> None:
    packets = [b"\x40\x02\x00\x01", b"\x30\x80\x01" + bytes(128), b"\xd0\x00"]
    stream, frames = b"".join(packets), Frames()
    found = [one for at in range(0, len(stream), size) for one in frames.cut(stream[at : at + size])]
    assert found == packets
    assert frames.rest() == b""


async def test_messages_are_of_all_kinds_in_order_and_distinct() -> None:
    spoken = await speak(town(1000, NOW_MS), NOW_MS, 3000, 1000.0)
    assert len(spoken) == 3000
    assert [one.at_ms for one in spoken] == sorted(one.at_ms for one in spoken)
    payloads = [(one.topic, orjson.loads(one.payload)) for one in spoken]
    assert len({(topic, body["ts"]) for topic, body in payloads}) == 3000
    assert {topic.split("/")[2] for topic, _ in payloads} == set(PROBE_FIELDS)
    assert all(PROBE_FIELDS[topic.split("/")[2]] in body for topic, body in payloads)


def test_summary_takes_medians_and_the_worst_loss() -> None:
    ours = [Cost(1000, 0.01, 1.0, 100.0), Cost(990, 0.03, 3.0, 120.0), Cost(1000, 0.02, 2.0, 110.0)]
    found = summary(1000, [(one, Cost(1000, 0.04, 4.0, 50.0)) for one in ours])
    assert found == {
        "messages": 1000, "lost": 10, "cpu_us_per_message": 20.0, "wall_s": 2.0, "telegraf_cpu_us_per_message": 40.0,
        "telegraf_wall_s": 4.0, "cpu_ratio": 0.5, "wall_ratio": 0.5, "peak_rss_mb": 120.0,
    }  # fmt: skip


def test_without_telegraf_there_are_no_ratios() -> None:
    found = summary(1000, [(Cost(1000, 0.01, 1.0, 100.0), None)])
    assert [name for name, value in found.items() if value is None] == [
        "telegraf_cpu_us_per_message", "telegraf_wall_s", "cpu_ratio", "wall_ratio",
    ]  # fmt: skip


@needs_mosquitto
async def test_a_closed_gate_lets_in_and_holds_back(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        await make_session(broker.endpoint, "one")
        async with FastPublisher(broker.endpoint) as publisher:
            await publisher.fill([(f"city/t/gas/g/{i}", b"x") for i in range(2500)])
        async with Gate(broker.endpoint) as gate, asyncio.timeout(60):
            connection = await subscribed(gate.endpoint, "one")
            assert connection.take() == ([], [])
            gate.release()
            topics: list[str] = []
            while len(topics) < 2500:
                await connection.collected()
                messages, ids = connection.take()
                topics += [message.topic for message in messages]
                connection.acknowledge(ids)
            while gate.acknowledged < 2500:
                await asyncio.sleep(0.01)
            await connection.leave()
    assert topics == [f"city/t/gas/g/{i}" for i in range(2500)]
