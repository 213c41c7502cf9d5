"""The subscriber against a broker that is written for the test: splits, rubbish, what is held and acknowledged."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace

import mqtt5
import pytest

from citywarden.model.message import RawMessage
from ingest.endpoint import Endpoint
from ingest.mqtt import Timing, fill
from ingest.subscription import Cause, State, Subscription
from ingest.wire import HIGH_BYTES, HIGH_MESSAGES, Connection, frame_bytes
from tests.ingest.scripted import QUICK, Peer, publish, scene


async def test_packets_split_at_every_byte_arrive_whole() -> None:
    packets = publish(0, b"") + publish(1, b"x" * 300) + mqtt5.PingRespPacket().write() + publish(2)
    acknowledged: list[int] = []
    finished = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.welcome()
        for i in range(len(packets)):
            peer.writer.write(packets[i : i + 1])
            await peer.writer.drain()
            await asyncio.sleep(0)
        acknowledged.extend(await peer.acks(3))
        finished.set()
        await peer.packet()

    async with scene(script) as watcher, asyncio.timeout(60):
        await finished.wait()
    assert [m.payload for m in watcher.stored] == [b"", b"x" * 300, b"2"]
    assert acknowledged == [1, 2, 3]


async def test_while_the_clock_is_doubtful_a_message_waits_for_others() -> None:
    """The first one alone could not tell which of two clocks is right, and would be judged by the wrong one."""
    batches: list[int] = []
    timing = replace(QUICK, doubtful=lambda: True, doubt_s=300.0, linger_messages=3)

    async def sink(batch: Sequence[RawMessage]) -> None:
        batches.append(len(batch))

    async def script(peer: Peer) -> None:
        await peer.welcome()
        peer.writer.write(publish(0))
        await asyncio.sleep(0.1)
        assert batches == []
        peer.writer.write(publish(1) + publish(2))
        assert await peer.acks(3) == [1, 2, 3]
        done.set()
        await peer.packet()

    done = asyncio.Event()
    async with scene(script, sink, timing=timing), asyncio.timeout(60):
        await done.wait()
    assert batches == [3]


async def test_it_waits_no_longer_than_that_for_company() -> None:
    timing = replace(QUICK, doubtful=lambda: True, doubt_s=0.05)

    async def script(peer: Peer) -> None:
        await peer.welcome()
        peer.writer.write(publish(0))
        await peer.acks(1)
        await peer.packet()

    async with scene(script, timing=timing) as watcher:
        await watcher.until(lambda: len(watcher.stored) == 1)


def test_it_runs_on_uvloop_as_the_server_does() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def script(peer: Peer) -> None:
        await peer.welcome()
        peer.writer.write(publish(0))
        await peer.acks(1)
        await peer.packet()

    async def play() -> list[RawMessage]:
        async with scene(script) as watcher:
            await watcher.until(lambda: len(watcher.stored) == 1)
        return watcher.stored

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert [m.payload for m in runner.run(play())] == [b"0"]


def test_the_parser_takes_any_split() -> None:
    data = b"".join(publish(i, b"y" * i) for i in range(20))
    for cut in range(len(data)):
        connection = Connection(Subscription(Endpoint("h"), "me"), lambda: 7)
        connection.data_received(data[:cut])
        connection.data_received(data[cut:])
        messages, ids = connection.take()
        assert [m.payload for m in messages] == [b"y" * i for i in range(20)]
        assert ids == list(range(1, 21))
        assert {m.received_ms for m in messages} == {7}


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\xff\xff\xff\xff\xff\xff",
        b"\x00\x00",
        b"\x30\x05\x00\x09abc",
        b"\x40\x03\x00\x01\x00",
        b"\x32\x06\x00\x01\xff\x00\x01\x00",
        b"\x30\xff\xff\xff\x7f",
        b"\x20\x03\x00\x00\x00\x20\x03\x00\x00\x00" + b"\x82\x03\x00\x01\x00",
        mqtt5.ConnectPacket("x").write(),
    ],
)
@pytest.mark.filterwarnings("ignore")
async def test_rubbish_ends_the_connection_and_a_new_one_is_made(rubbish: bytes) -> None:
    connections = 0

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        await peer.welcome()
        if connections == 1:
            peer.writer.write(publish(0) + rubbish)
        else:
            peer.writer.write(publish(1))
        await peer.acks(1)
        await peer.packet()

    async with scene(script) as watcher:
        status = await watcher.status(Cause.MALFORMED)
        await watcher.until(lambda: b"1" in [m.payload for m in watcher.stored])
    assert status.state is State.LOST
    assert connections == 2


async def test_nothing_is_acknowledged_before_it_is_stored_and_then_all_at_once() -> None:
    permit, offered, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()
    early: list[mqtt5.Packet] = []
    batches: list[int] = []
    acknowledged: list[int] = []

    async def sink(batch: Sequence[RawMessage]) -> None:
        batches.append(len(batch))
        offered.set()
        await permit.wait()

    async def script(peer: Peer) -> None:
        await peer.welcome()
        peer.writer.write(publish(0))
        await offered.wait()
        peer.writer.write(b"".join(publish(i) for i in range(1, 50)))
        await peer.expect(mqtt5.PingReqPacket)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                early.append(await peer.packet())
        permit.set()
        acknowledged.extend(await peer.acks(50))
        finished.set()

    async with scene(script, sink):
        async with asyncio.timeout(60):
            await finished.wait()
    assert early == []
    assert batches == [1, 49], "while one batch is stored the next one collects"
    assert acknowledged == list(range(1, 51))


@pytest.mark.parametrize(
    ("counts", "taken"),
    [
        ([150], 150),
        ([300, 900, 950], 950),
        ([300, 1200], 1200),
        ([300, 500, 700, 900], 700),
        ([300, 99], 99),
    ],
)
async def test_a_batch_grows_while_messages_pour_in(counts: list[int], taken: int) -> None:
    """It is taken when fewer come, when it is full, and after three looks at the latest."""
    timing = Timing(rush_s=0.003, pour_s=0.001, rush_messages=1000, pour_messages=100)
    left = iter(counts)

    async def collected() -> int:
        return next(left)

    assert await fill(collected, 100, timing) == taken


@pytest.mark.parametrize(("count", "size"), [(60, 1_000_000), (40_000, 10)])
async def test_reading_stops_while_too_much_is_collected(count: int, size: int) -> None:
    """Memory stays bounded while the log hangs, whatever receive maximum the broker keeps to; so does each batch."""
    permit, finished = asyncio.Event(), asyncio.Event()
    batches: list[int] = []
    sent = 0

    async def sink(batch: Sequence[RawMessage]) -> None:
        await permit.wait()
        batches.append(len(batch))

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.welcome()
        for i in range(count):
            peer.writer.write(publish(i, b"z" * size))
            if i % 100 == 99 or size > 100:
                await peer.writer.drain()
            sent += 1
        await peer.acks(count)
        finished.set()

    async with scene(script, sink):
        before = -1
        while sent != before or sent == 0:
            before = sent
            await asyncio.sleep(0.3)
        assert sent * size < 2 * HIGH_BYTES + 20_000_000
        permit.set()
        async with asyncio.timeout(60):
            await finished.wait()
    assert sum(batches) == count
    assert max(batches) * size <= HIGH_BYTES + 1_500_000
    assert max(batches) <= HIGH_MESSAGES + 10_000


async def test_an_error_of_the_sink_that_is_no_unavailability_ends_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        peer.writer.write(publish(0))
        await peer.packet()

    async def sink(_: Sequence[RawMessage]) -> None:
        raise ValueError("a bug")

    async with scene(script, sink) as watcher:
        assert watcher.task is not None
        with pytest.raises(ValueError, match="a bug"):
            await watcher.task


def test_length_of_a_packet() -> None:
    assert frame_bytes(memoryview(b"\x30")) is None
    assert frame_bytes(memoryview(b"\x30\x80")) is None
    assert frame_bytes(memoryview(b"\x30\x80\x01")) == 131
    assert frame_bytes(memoryview(b"\x30\x05abc")) == 7
