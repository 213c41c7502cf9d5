"""The subscriber that is not let in, or cut off: each reason by its name, and how long it waits."""

import asyncio
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import mqtt5
import pytest

from ingest.endpoint import Endpoint, Tls
from ingest.mqtt import Timing, receive
from ingest.publisher import Publisher
from ingest.subscription import Cause, State, Subscription
from ingest.wire import why_unanswered
from tests.brokers import mosquitto, needs_mosquitto
from tests.ingest.scripted import QUICK, WELCOME, Peer, Watcher, scene

Codes = mqtt5.ConnAckReasonCode


@pytest.mark.parametrize(
    ("answer", "cause", "word"),
    [
        (mqtt5.ConnAckPacket(reason_code=Codes.BAD_USER_NAME_OR_PASSWORD), Cause.BAD_CREDENTIALS, "bad_user_name"),
        (mqtt5.ConnAckPacket(reason_code=Codes.NOT_AUTHORIZED, reason_str="go away"), Cause.NOT_AUTHORIZED, "go away"),
        (mqtt5.ConnAckPacket(reason_code=Codes.CLIENT_ID_NOT_VALID), Cause.BAD_CLIENT_ID, "client_id"),
        (mqtt5.ConnAckPacket(reason_code=Codes.SERVER_BUSY), Cause.BROKER_REFUSED, "busy"),
    ],
)
async def test_a_refusal_has_its_reason_and_is_tried_again(
    answer: mqtt5.ConnAckPacket, cause: Cause, word: str
) -> None:
    tries = 0

    async def script(peer: Peer) -> None:
        nonlocal tries
        tries += 1
        await peer.expect(mqtt5.ConnectPacket)
        peer.writer.write(answer.write())

    async with scene(script) as watcher:
        status = await watcher.status(cause)
        await watcher.until(lambda: tries >= 3)
    assert status.state is State.REFUSED
    assert word in status.detail
    assert "\n" not in status.detail


async def test_a_broker_that_hangs_up_at_once_gets_a_hint() -> None:
    async def script(peer: Peer) -> None:
        await peer.packet()

    async with scene(script) as watcher:
        status = await watcher.status(Cause.BROKER_REFUSED)
    assert "password" in status.detail


async def test_a_broker_that_never_answers_is_given_up() -> None:
    async def script(peer: Peer) -> None:
        await asyncio.sleep(60)

    async with scene(script, timing=replace(QUICK, connect_s=0.3)) as watcher:
        assert "does not answer" in (await watcher.status(Cause.TIMEOUT)).detail


async def test_a_refused_filter_is_named() -> None:
    async def script(peer: Peer) -> None:
        await peer.expect(mqtt5.ConnectPacket)
        peer.writer.write(WELCOME)
        await peer.expect(mqtt5.SubscribePacket)
        peer.writer.write(mqtt5.SubAckPacket(1, [mqtt5.SubAckReasonCode.NOT_AUTHORIZED]).write())

    async with scene(script) as watcher:
        assert "city/#: not_authorized" in (await watcher.status(Cause.SUBSCRIPTION_REFUSED)).detail
    assert State.CONNECTED not in [s.state for s in watcher.seen]


async def test_a_silent_broker_is_left() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await asyncio.sleep(60)

    async with scene(script, keep_alive_s=1) as watcher:
        assert (await watcher.status(Cause.SILENT)).state is State.LOST


async def test_a_session_taken_over_waits_long() -> None:
    connections = 0
    gone = mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER)

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        await peer.welcome()
        peer.writer.write(gone.write())
        await peer.packet()

    async with scene(script) as watcher:
        assert "'me'" in (await watcher.status(Cause.SESSION_TAKEN_OVER)).detail
        await asyncio.sleep(0.1)
        assert connections == 1
    assert Timing(jitter=lambda: 0.0).wait_s(Cause.SESSION_TAKEN_OVER, 0) == 30.0


@pytest.mark.parametrize(
    ("endpoint", "cause", "word"),
    [
        (Endpoint("no-such-host.invalid"), Cause.DNS, "unknown host"),
        (Endpoint("127.0.0.1", 1), Cause.UNREACHABLE, "mqtt://127.0.0.1:1"),
        (Endpoint("127.0.0.1", 1, tls=Tls(ca_file=Path("/nowhere/ca.pem"))), Cause.TLS, "/nowhere/ca.pem"),
    ],
)
async def test_what_cannot_be_reached_has_its_reason(endpoint: Endpoint, cause: Cause, word: str) -> None:
    watcher = Watcher()
    task = asyncio.create_task(receive(Subscription(endpoint, "me"), watcher.sink, watcher.observe, QUICK))
    status = await watcher.status(cause)
    task.cancel()
    await asyncio.wait({task})
    assert status.state is State.REFUSED
    assert word in status.detail
    assert watcher.seen[-1].state is State.STOPPED


def test_waits_grow_and_are_jittered() -> None:
    low, high = Timing(jitter=lambda: 0.0), Timing(jitter=lambda: 1.0)
    assert [high.wait_s(Cause.DNS, i) for i in (0, 1, 2, 6, 1000)] == [0.5, 1.0, 2.0, 30.0, 30.0]
    assert low.wait_s(Cause.DNS, 1) == 0.5


@needs_mosquitto
async def test_wrong_password_at_a_real_broker(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    async with mosquitto(tmp_path, ("allow_anonymous false", f"password_file {passwords}")) as broker:
        watcher = Watcher()
        endpoint = Endpoint("127.0.0.1", broker.port, "someone", "wrong")
        task = asyncio.create_task(receive(Subscription(endpoint, "me"), watcher.sink, watcher.observe, QUICK))
        await watcher.until(lambda: any(s.state is State.REFUSED for s in watcher.seen))
        task.cancel()
        await asyncio.wait({task})
    assert {s.cause for s in watcher.seen} & {Cause.NOT_AUTHORIZED, Cause.BAD_CREDENTIALS}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `cert.pem`, for 127.0.0.1 and its own authority, and `key.pem`."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl: apt-get install openssl")
    folder = tmp_path_factory.mktemp("tls")
    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([openssl, *new, *files, *name], check=True, capture_output=True)
    return folder


@needs_mosquitto
async def test_tls_with_the_right_authority_and_without(tmp_path: Path, certificate: Path) -> None:
    settings = ["allow_anonymous true", f"certfile {certificate}/cert.pem", f"keyfile {certificate}/key.pem"]
    async with mosquitto(tmp_path, settings) as broker:
        watcher = Watcher()
        good = Endpoint("127.0.0.1", broker.port, tls=Tls(certificate / "cert.pem"))
        task = asyncio.create_task(receive(Subscription(good, "me"), watcher.sink, watcher.observe, QUICK))
        await watcher.until(lambda: any(s.state is State.CONNECTED for s in watcher.seen))
        async with Publisher(good) as publisher:
            await publisher.publish("city/t/gas/g1/telemetry", "{}")
        await watcher.until(lambda: len(watcher.stored) == 1)
        task.cancel()
        await asyncio.wait({task})

        bad = Endpoint("127.0.0.1", broker.port, tls=Tls())
        task = asyncio.create_task(receive(Subscription(bad, "me"), watcher.sink, watcher.observe, QUICK))
        status = await watcher.status(Cause.TLS)
        task.cancel()
        await asyncio.wait({task})
    assert "self-signed certificate" in status.detail.replace("self signed", "self-signed")


def test_a_broker_that_hangs_up_over_a_certificate_is_told_from_one_that_minds_a_password() -> None:
    alert = "connection closed by the broker ([SSL: SSLV3_ALERT_UNSUPPORTED_CERTIFICATE] unsupported certificate)"
    assert "[mqtt] cert_file" in why_unanswered(alert, tls=True)
    assert "certificate" in why_unanswered("connection closed by the broker", tls=True)
    assert "certificate" not in why_unanswered("connection closed by the broker", tls=False)
