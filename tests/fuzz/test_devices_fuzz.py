"""What devices send, torn, flipped and made up: taken, or refused with a reason; the same in whatever pieces."""

import json
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

import mqtt5
from hypothesis import given
from hypothesis import strategies as st

from citywarden.model.command import CommandResult
from citywarden.model.credential import rights_of
from citywarden.model.device import DeviceKey
from citywarden.model.inputs import check_inputs, inputs_of
from citywarden.provision.claims import is_proved, parse_request
from ingest.connectpacket import Malformed, frame, parse_connect
from ingest.payload import Refused
from ingest.results import MAX_DETAIL, parse_result
from ingest.sieve import MAX_HELD, Seam, Sieve
from tests.builders import KINDS, NOON_MS
from tests.fuzz.effort import tries

LOGIN = "t/gas/g1"
RIGHTS = rights_of(LOGIN)
MINE, OTHER = f"city/{LOGIN}/telemetry", "city/t/gas/g2/telemetry"
QOS = mqtt5.QoS


def publish(topic: str, size: int, packet_id: int | None) -> bytes:
    qos = QOS.AT_MOST_ONCE if packet_id is None else QOS.AT_LEAST_ONCE
    alias = None if topic else 1
    return mqtt5.PublishPacket(topic, b"x" * size, qos=qos, packet_id=packet_id, topic_alias=alias).write()


def subscribe(pattern: str) -> bytes:
    return mqtt5.SubscribePacket(9, [mqtt5.TopicFilter(pattern)]).write()


PACKETS = st.one_of(
    st.builds(
        publish,
        st.sampled_from([MINE, OTHER, "", "city/t/claim"]),
        st.sampled_from([0, 1, 3, 130, 20_000]),
        st.none() | st.integers(1, 9),
    ),
    st.builds(subscribe, st.sampled_from([f"city/{LOGIN}/command", "#", "city/t/gas/+/command"])),
    st.sampled_from([mqtt5.PingReqPacket().write(), mqtt5.DisconnectPacket().write(), mqtt5.PubAckPacket(3).write()]),
)
CUTS = st.lists(st.integers(0, 1 << 16), max_size=8)
CONNECT = mqtt5.ConnectPacket(
    LOGIN, username=LOGIN, password=b"one", keep_alive=7, session_expiry_interval=9,
    will=mqtt5.Will(topic=f"city/{LOGIN}/status", payload=b"offline", qos=QOS.AT_LEAST_ONCE, retain=True),
).write()  # fmt: skip


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(at)]


def sift(data: bytes, cuts: Sequence[int], level: int = 5) -> tuple[bytes, bytes, bool]:
    """(what reaches the broker, what the device is answered, whether the connection goes on)."""
    sieve, passed, answers = Sieve(RIGHTS, level), b"", b""
    for piece in pieces(data, cuts):
        try:
            found = sieve.sift(piece)
        except Malformed:
            return passed, answers, False
        passed += b"".join(found.passed)
        answers += b"".join(found.answers)
        assert len(sieve._held) <= MAX_HELD + 5
    return passed, answers, True


def packets_of(stream: bytes) -> list[tuple[int, bytes]]:
    """(first byte, contents) of each whole packet, and of the last one as far as it is there."""
    at, found = 0, []
    while (sighted := frame(stream, at)) is not None and at < len(stream):
        inside, end = sighted
        found.append((stream[at], stream[inside:end]))
        at = end
    return found


@tries(200)
@given(st.lists(PACKETS, max_size=8), CUTS)
def test_what_may_not_be_said_does_not_pass_in_whatever_pieces(packets: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(packets)
    whole, in_pieces = sift(stream, []), sift(stream, cuts)
    assert in_pieces == whole
    kept = b"".join(p for p in packets if not forbidden(p))
    assert whole[0] == kept
    assert len(packets_of(whole[1])) == sum(forbidden(p) and (p[0] & 0xF0 != 0x30 or p[0] & 6 > 0) for p in packets)


def forbidden(packet: bytes) -> bool:
    """By the letter: a packet of GOOD ones that must not reach the broker."""
    ((first, contents),) = packets_of(packet)
    if first & 0xF0 == 0x30:
        return contents[2 : 2 + int.from_bytes(contents[:2])].decode() not in (*RIGHTS.publish, "")
    return first & 0xF0 == 0x80 and b"/g1/command" not in contents


@tries(300)
@given(st.lists(PACKETS, min_size=1, max_size=5), st.data(), CUTS, st.sampled_from([4, 5]))
def test_torn_packets_bring_no_forbidden_topic_through(
    packets: list[bytes], data: st.DataObject, cuts: list[int], level: int
) -> None:
    stream = bytearray(b"".join(packets))
    for _ in range(data.draw(st.integers(0, 5))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    passed, _, goes_on = sift(bytes(stream), cuts, level)
    for first, contents in packets_of(passed):
        if first & 0xF0 == 0x30 and len(contents) >= 2 + int.from_bytes(contents[:2]) and goes_on:
            topic = contents[2 : 2 + int.from_bytes(contents[:2])]
            assert topic.decode() in RIGHTS.publish or (topic == b"" and level == 5)


@tries(200)
@given(st.lists(PACKETS, min_size=1, max_size=6), CUTS, st.lists(st.integers(0, 12), max_size=4))
def test_answers_in_between_break_no_packet_of_the_broker(
    packets: list[bytes], cuts: list[int], after: list[int]
) -> None:
    seam, out, ours = Seam(), b"", b"\x40\x02\x7f\x7f"
    for i, piece in enumerate(pieces(b"".join(packets), cuts)):
        out += seam.pass_on(piece)
        out += seam.answer([ours] * after.count(i))
    said = [packet for packet in packets_of(out) if packet != (0x40, b"\x7f\x7f")]
    assert said == [packet for one in packets for packet in packets_of(one)]


@tries(300)
@given(st.data())
def test_a_connect_flipped_is_read_or_malformed_and_written_again_as_it_was(data: st.DataObject) -> None:
    sighted = frame(CONNECT, 0)
    assert sighted is not None
    contents = bytearray(CONNECT[sighted[0] :])
    for _ in range(data.draw(st.integers(0, 3))):
        contents[data.draw(st.integers(0, len(contents) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Malformed):
        read = parse_connect(bytes(contents))
        again = read.rewritten("inner", "secret", "inner~id")
        inside = frame(again, 0)
        assert inside is not None and inside[1] == len(again)
        second = parse_connect(again[inside[0] :])
        assert (second.username, second.password, second.client_id) == ("inner", b"secret", "inner~id")
        assert (second.level, second.middle, second.will, second.will_topic) == (
            read.level, read.middle, read.will, read.will_topic
        )  # fmt: skip


WORDS = st.text(max_size=20) | st.sampled_from(["S1", "gas", "n" * 16, "A" * 43 + "=", "灯", "\ud800", "0" * 64])
JSONS: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=6,
)


def written(value: object) -> bytes:
    return json.dumps(value).encode()


@tries(200)
@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("serial", "kind", "nonce", "public_key", "proof"), WORDS) | {"ts": JSONS}
    ).map(written)
    | st.binary(max_size=300)
    | st.sampled_from([b"[" * 2000, b'{"ts":' * 300, b"1" * 2000, b'{"ts": 1e999}'])
)
def test_claims(payload: bytes) -> None:
    request = parse_request(payload)
    if request is not None:
        assert not is_proved("secret", "t", request)
        assert request.serial.isascii() and request.kind.isascii()


@tries(200)
@given(
    st.fixed_dictionaries({}, optional={"id": WORDS, "status": st.just("done") | JSONS, "detail": JSONS}).map(written)
    | st.binary(max_size=100)
    | st.sampled_from([b"[" * 5000, b'{"id":' * 5000, b'{"id": "c", "status": "done", "detail": "\\ud800"}'])
)
def test_answers_to_commands(payload: bytes) -> None:
    found = parse_result(payload, DeviceKey("t", "gas", "g1"), NOON_MS)
    if isinstance(found, Refused):
        found.detail.encode()
        assert len(found.detail) < 400
    else:
        assert isinstance(found, CommandResult)
        assert len(found.detail.encode()) <= 4 * MAX_DETAIL
        assert (found.detail + found.id).isprintable()


MAPPINGS = st.lists(
    st.builds(
        "{}:{}{}".format,
        st.sampled_from(["co_ppm", "ts", "o2_pct", "nothing"]),
        st.sampled_from(["a", "a.b", "a.b.c", ".", "co_ppm"]),
        st.sampled_from(["", "*0.1", "*1e308", "=1", "=", "*nan", "*-1"]),
    ),
    min_size=1, max_size=4,
).map(",".join)  # fmt: skip


@tries(200)
@given(MAPPINGS | st.text(max_size=30), st.dictionaries(st.sampled_from(["a", "b", "ts", "co_ppm"]), JSONS, max_size=4))
def test_names_of_a_model(text: str, item: dict[str, object]) -> None:
    fields = {quantity.field for quantity in KINDS["gas"].sent}
    try:
        check_inputs(text, fields)
    except ValueError as error:
        assert str(error)
        return
    inputs = inputs_of(text)
    assert inputs is not None
    assert set(inputs.apply(item)) <= set(item) | fields | {"ts"}
