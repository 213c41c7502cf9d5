"""Whatever bytes come from a broker: messages, or an end with a reason. No exception, no memory beyond its bounds."""

import asyncio
import tracemalloc
from collections.abc import Callable

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.endpoint import Endpoint
from ingest.subscription import Cause, Subscription
from ingest.wire import Connection, frame_bytes
from tests.fuzz.effort import tries

MAX_PACKET = 64 * 1024
WISH = Subscription(Endpoint("127.0.0.1"), "fuzz", max_packet_bytes=MAX_PACKET)


class Line(asyncio.Transport):
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def write(self, data: object) -> None:
        return None

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        return None

    def resume_reading(self) -> None:
        return None


def connection() -> tuple[Connection, Line]:
    line = Line()
    made = Connection(WISH, lambda: 0)
    made.connection_made(line)
    return made, line


def publishes(count: int, payload: bytes, packet_id: int = 1) -> bytes:
    return b"".join(
        mqtt5.PublishPacket(
            f"city/t/gas/G{n}/telemetry", payload, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=packet_id + n
        ).write()
        for n in range(count)
    )


GOOD = [
    mqtt5.ConnAckPacket().write(),
    mqtt5.SubAckPacket(1, [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]).write(),
    mqtt5.PingRespPacket().write(),
    mqtt5.DisconnectPacket().write(),
    publishes(3, b'{"co_ppm": 1}'),
    publishes(1, b""),
]


def feed(data: bytes, cuts: list[int]) -> tuple[Connection, Line]:
    """Bytes in pieces, as a network delivers them."""
    made, line = connection()
    at = 0
    for cut in [*sorted(c % (len(data) + 1) for c in cuts), len(data)]:
        if cut > at:
            made.data_received(data[at:cut])
            at = cut
        assert len(made._rest) <= MAX_PACKET + len(data)
    return made, line


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@tries(300)
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=4))
def test_any_bytes(data: bytes, cuts: list[int]) -> None:
    made, line = feed(data, cuts)
    assert line.aborted == (made._ended is not None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # mqtt5's panic leaves one behind
@tries(300)
@given(st.lists(st.sampled_from(GOOD), min_size=1, max_size=5), st.data())
def test_good_packets_torn_and_flipped(packets: list[bytes], data: st.DataObject) -> None:
    stream = bytearray(b"".join(packets))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(stream) - 1))
        stream[at] = data.draw(st.integers(0, 255))
    stream = stream[: data.draw(st.integers(0, len(stream)))]
    made, line = feed(bytes(stream), data.draw(st.lists(st.integers(0, 300), max_size=3)))
    messages, ids = made.take()
    assert len(ids) <= len(messages)
    assert line.aborted == (made._ended is not None)


@tries(100)
@given(st.lists(st.integers(0, 2000), max_size=12), st.integers(1, 8))
def test_good_packets_in_any_pieces_are_all_there(cuts: list[int], count: int) -> None:
    made, line = feed(publishes(count, b"x" * 50), cuts)
    messages, ids = made.take()
    assert [m.topic for m in messages] == [f"city/t/gas/G{n}/telemetry" for n in range(count)]
    assert ids == list(range(1, count + 1))
    assert not line.aborted


@pytest.mark.parametrize(
    "length", [b"\xff\xff\xff\x7f", b"\x80\x80\x80\x40", b"\xff\xff\xff\xff", b"\xff\xff\xff\xff\x01"]
)
def test_a_packet_that_claims_to_be_huge_is_not_waited_for(length: bytes) -> None:
    made, line = connection()
    made.data_received(b"\x32" + length + b"x" * 100)
    assert line.aborted
    assert made._ended is not None
    assert made._ended.cause is Cause.MALFORMED


@given(st.binary(max_size=8))
def test_the_length_of_a_packet_is_known_or_not(head: bytes) -> None:
    found = frame_bytes(memoryview(head))
    assert found is None or 2 <= found <= 5 + (1 << 28)


def peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_stream_of_nonsense_takes_no_memory() -> None:
    def work() -> None:
        made, _ = connection()
        for _ in range(1000):
            made.data_received(b"\x32\xff\xff\x03" + b"\x00" * 1000)

    assert peak(work) < 4 * MAX_PACKET
