"""The gate: who is let in, what passes, and the bytes in between, in whatever pieces they come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiomqtt
import mqtt5
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.reasoncodes import ReasonCode

from citywarden.model.errors import Unavailable
from ingest.broker import EmbeddedBroker
from ingest.connectpacket import Malformed, frame, parse_connect, parse_subscribe, varint
from ingest.endpoint import Endpoint
from ingest.gate import MAX_STRANGERS, Gate
from ingest.publisher import Publisher, Will
from tests.ingest.test_broker import Reader

G1, G2, CLAIM = "t/gas/g1", "t/gas/g2", "t/claim"
PASSWORDS = {G1: "one", G2: "two", CLAIM: "both"}


REVISION = 7


async def judge(login: str, password: str, client_id: str) -> int | None:
    if login == "t/gas/later":
        raise Unavailable("the database is away")
    return REVISION if PASSWORDS.get(login) == password and client_id.startswith(login) else None


@asynccontextmanager
async def gated() -> AsyncIterator[tuple[Gate, Reader]]:
    """A gate before an embedded broker, and the server's own subscriber behind it."""
    async with EmbeddedBroker(users={"inner": "secret"}) as broker:
        inner = Endpoint("127.0.0.1", broker.port, "inner", "secret")
        v5 = Endpoint("127.0.0.1", broker.v5_port, "inner", "secret")
        async with Gate(judge, inner, v5) as gate, Reader(v5) as reader:
            yield gate, reader


def client(gate: Gate, login: str, password: str | None = None, client_id: str | None = None, v5: bool = False,
           will: aiomqtt.Will | None = None) -> aiomqtt.Client:  # fmt: skip
    return aiomqtt.Client(
        "127.0.0.1", gate.port, username=login, password=password or PASSWORDS.get(login, ""), will=will, timeout=60,
        identifier=login if client_id is None else client_id,
        protocol=aiomqtt.ProtocolVersion.V5 if v5 else aiomqtt.ProtocolVersion.V311,
    )  # fmt: skip


async def granted(device: aiomqtt.Client, pattern: str) -> int:
    """What the broker answers to a subscription: the QoS, or 0x80 and more for no."""
    (code,) = await device.subscribe(pattern, qos=1)
    return code.value if isinstance(code, ReasonCode) else code


@pytest.mark.parametrize("v5", [False, True], ids=["3.1.1", "5"])
async def test_a_device_says_what_it_may_and_nothing_else(v5: bool) -> None:
    async with gated() as (gate, reader), client(gate, G1, v5=v5) as device:
        await device.publish(f"city/{G1}/telemetry", b"a" * 300_000, qos=1)
        for topic in (f"city/{G2}/telemetry", f"city/{G1}/command", "city/t/gas", "$SYS/x", f"city/{G1}/telemetry/x"):
            await device.publish(topic, b"forged" * 1000, qos=0)
            # Answered, or a device would send it for ever.
            await device.publish(topic, b"forged", qos=1, timeout=5)
        await device.publish(f"city/{G1}/command/result", b"b", qos=1)
        got = await reader.wait_for(2)
        assert [(m.topic, m.payload[:1]) for m in got] == [
            (f"city/{G1}/telemetry", b"a"), (f"city/{G1}/command/result", b"b")
        ]  # fmt: skip
    assert gate.refused["refused publication"] == 10


@pytest.mark.parametrize("v5", [False, True], ids=["3.1.1", "5"])
async def test_a_device_hears_its_own_commands_only(v5: bool) -> None:
    async with gated() as (gate, _), client(gate, G1, v5=v5) as device:
        for wrong in ("#", "city/#", f"city/{G2}/command", "$share/x/city/t/gas/g1/command", f"city/{G1}/+"):
            assert await granted(device, wrong) >= 0x80
        assert await granted(device, f"city/{G1}/command") == 1
        inner = gate.upstream(4)
        async with aiomqtt.Client(
            inner.host, inner.port, username=inner.username, password=inner.password, timeout=60
        ) as server:
            await server.publish(f"city/{G2}/command", b"not for you", qos=1)
            await server.publish(f"city/{G1}/command", b"on", qos=1)
        async with asyncio.timeout(60):
            message = await anext(aiter(device.messages))
        assert message.payload == b"on"


@pytest.mark.parametrize(
    ("login", "password", "client_id"),
    [(G1, "two", G1), (G1, "one", "other"), (G1, "one", ""), ("t/gas/none", "one", "t/gas/none"), ("", "", "x")],
)
async def test_who_is_not_known_is_refused(login: str, password: str, client_id: str) -> None:
    async with gated() as (gate, _):
        for v5 in (False, True):
            with pytest.raises(aiomqtt.MqttError, match=r"(?i)bad user name or password|not authori|refused"):
                async with client(gate, login, password, client_id, v5):
                    pass
        assert not list(gate.sessions())


async def test_a_will_must_be_the_devices_own_and_a_cut_session_leaves_it() -> None:
    async with gated() as (gate, reader):
        with pytest.raises(aiomqtt.MqttError):
            async with client(gate, G1, will=aiomqtt.Will(f"city/{G2}/status", b"offline")):
                pass
        endpoint = Endpoint("127.0.0.1", gate.port, G1, "one")
        async with Publisher(endpoint, G1, Will(f"city/{G1}/status")) as device:
            await device.publish(f"city/{G1}/status", b"online", retain=True)
            await reader.wait_for(1)
            assert list(gate.sessions()) == [G1]
            assert gate.cut([G1, G2]) == 1
            assert [m.payload for m in await reader.wait_for(2)] == [b"online", b"offline"]


async def test_a_changed_account_ends_the_sessions_it_was_not_asked_for() -> None:
    async with gated() as (gate, _), client(gate, G1) as device:
        assert gate.renew({G1: REVISION, G2: REVISION + 1}) == 0
        await device.publish(f"city/{G1}/telemetry", b"1", qos=1)
        assert gate.renew({G1: REVISION + 1}) == 1
        with pytest.raises(aiomqtt.MqttError):
            async for _ in device.messages:
                pass


@pytest.mark.parametrize(("changed", "is_let_in"), [(REVISION, True), (REVISION + 1, False)])
async def test_an_account_that_changes_while_it_is_judged(changed: int, is_let_in: bool) -> None:
    asked, told = asyncio.Event(), asyncio.Event()

    async def slow(login: str, password: str, client_id: str) -> int | None:
        asked.set()
        await told.wait()
        return await judge(login, password, client_id)

    async with EmbeddedBroker(users={"inner": "secret"}) as broker:
        inner = Endpoint("127.0.0.1", broker.port, "inner", "secret")
        async with Gate(slow, inner, inner) as gate:
            speaking = asyncio.create_task(_speak(gate, G1))
            await asked.wait()
            assert gate.renew({G1: changed}) == 0
            told.set()
            assert await speaking is is_let_in


async def _speak(gate: Gate, login: str) -> bool:
    try:
        async with client(gate, login) as device:
            await device.publish(f"city/{login}/telemetry", b"1", qos=1)
    except aiomqtt.MqttError:
        return False
    return True


async def test_whoever_claims_reads_its_own_answer_only() -> None:
    async with gated() as (gate, reader), client(gate, CLAIM, client_id="t/claim/S1") as device:
        await device.publish("city/t/claim", b"{}", qos=1)
        await reader.wait_for(1)
        assert await granted(device, "city/t/claim/S1/result") == 1
        for wrong in ("city/t/claim/S2/result", "city/t/claim/+/result", "city/t/claim"):
            assert await granted(device, wrong) >= 0x80


async def test_the_broker_behind_it_is_closed_to_those_who_go_around() -> None:
    async with gated() as (gate, _):
        inner = gate.upstream(4)
        with pytest.raises(Unavailable):
            async with Publisher(Endpoint(inner.host, inner.port, G1, "one"), G1):
                pass


async def test_when_it_cannot_be_found_out_nobody_is_let_in() -> None:
    async with gated() as (gate, _):
        with pytest.raises(aiomqtt.MqttError):
            async with client(gate, "t/gas/later", "x"):
                pass


@pytest.mark.parametrize(
    "rubbish",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\xff\x7f", b"\x10\x02\x00\x04", b"\x30\x03\x00\x01a",
     b"\x10\xff\x7f" + b"x" * 50_000],
)  # fmt: skip
async def test_rubbish_ends_the_connection(rubbish: bytes) -> None:
    async with gated() as (gate, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
        writer.write(rubbish)
        async with asyncio.timeout(60):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        assert any(what.startswith("malformed") for what in gate.refused), (
            "at once, not when its time to log in is over"
        )
        writer.close()


async def test_those_who_do_not_say_who_they_are_take_no_seats_from_devices() -> None:
    async with gated() as (gate, _):
        silent = [await asyncio.open_connection("127.0.0.1", gate.port) for _ in range(MAX_STRANGERS)]
        reader, one_too_many = await asyncio.open_connection("127.0.0.1", gate.port)
        async with asyncio.timeout(5):
            with suppress(ConnectionError):
                assert await reader.read(1) == b""
        assert gate.refused["one connection too many"] == 1
        for _, writer in silent[:1]:
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(10), client(gate, G1) as device:
            await device.publish(f"city/{G1}/telemetry", b"1", qos=1)
            for _, writer in [*silent, (reader, one_too_many)]:
                writer.close()


async def test_bytes_in_small_pieces_pass_the_same() -> None:
    """Every packet cut at every place; a refused one among them, and what follows it arrives."""
    connect = mqtt5.ConnectPacket(G1, username=G1, password=b"one", keep_alive=60).write()
    topic, wrong = f"city/{G1}/telemetry", f"city/{G2}/telemetry"
    packets = [
        mqtt5.PublishPacket(topic, b"1" * 200, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=1).write(),
        mqtt5.PublishPacket(wrong, b"2" * 200, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=2).write(),
        mqtt5.PublishPacket(wrong, b"3" * 200, qos=mqtt5.QoS.AT_MOST_ONCE).write(),
        mqtt5.PublishPacket(topic, b"4" * 200, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=3).write(),
    ]  # fmt: skip
    data = b"".join(packets)
    async with gated() as (gate, received):
        for size in (1, 2, 3, 7, 50, 1000):
            reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
            writer.write(connect)
            await reader.readexactly(2)
            for at in range(0, len(data), size):
                writer.write(data[at : at + size])
                await writer.drain()
                await asyncio.sleep(0)
            answered: set[int] = set()
            seen = b""
            async with asyncio.timeout(60):
                while answered != {1, 2, 3}:
                    seen += await reader.read(1000)
                    answered = {int.from_bytes(seen[i + 2 : i + 4]) for i in range(len(seen)) if seen[i] == 0x40}
                    answered &= {1, 2, 3}
            writer.close()
            await writer.wait_closed()
        got = await received.wait_for(12)
    assert [m.payload[:1] for m in got] == [b"1", b"4"] * 6


def test_a_connect_is_rewritten_with_another_user() -> None:
    will = mqtt5.Will(topic="city/t/gas/g1/status", payload=b"offline", qos=mqtt5.QoS.AT_LEAST_ONCE, retain=True)
    given_ = mqtt5.ConnectPacket(G1, username=G1, password=b"one", will=will, keep_alive=7, session_expiry_interval=9)
    data = given_.write()
    found = frame(data, 0)
    assert found is not None
    connect = parse_connect(data[slice(*found)])
    assert (connect.client_id, connect.username, connect.password, connect.will_topic) == (G1, G1, b"one", will.topic)
    again, used = mqtt5.read(memoryview(connect.rewritten("车", "密", "b")))
    assert isinstance(again, mqtt5.ConnectPacket)
    assert used == len(connect.rewritten("车", "密", "b"))
    assert (again.username, again.password, again.client_id, again.keep_alive) == ("车", "密".encode(), "b", 7)
    assert again.will is not None
    assert (again.will.topic, again.will.payload, again.session_expiry_interval) == (will.topic, b"offline", 9)


@given(st.integers(0, 268_435_455))
def test_lengths_are_read_as_they_are_written(length: int) -> None:
    header = b"\x30" + varint(length)
    assert frame(header, 0) == (len(header), len(header) + length)
    assert frame(header[:-1], 0) is None


@settings(max_examples=500)
@given(st.binary(max_size=60), st.sampled_from([4, 5]))
def test_any_bytes_are_taken_apart_or_malformed(data: bytes, level: int) -> None:
    for parse in (lambda: parse_connect(data), lambda: parse_connect(b"\x00\x04MQTT" + bytes([level]) + data),
                  lambda: parse_subscribe(data, level)):  # fmt: skip
        with suppress(Malformed):
            parse()
