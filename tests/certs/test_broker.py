"""Devices with certificates at a real Mosquitto: the name in the certificate is who they are."""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from citywarden.model.errors import Unavailable
from ingest.endpoint import Endpoint, Tls
from ingest.mqtt import receive
from ingest.publisher import Publisher
from ingest.subscription import Cause, State, Subscription
from tests.brokers import Mosquitto, mosquitto, needs_mosquitto
from tests.certs.certificates import Papers
from tests.ingest.test_mqtt_brokers import QUICK, Desk, subscriber

pytestmark = needs_mosquitto
MINE, OTHERS = "t/gas/G1", "t/gas/G2"


def settings(papers: Papers, folder: Path) -> Sequence[str]:
    """What docs/security.md tells to put into mosquitto.conf."""
    acl = folder / "acl"
    acl.write_text(
        "user citywarden\ntopic read city/#\ntopic write city/+/+/+/command\n"
        "pattern write city/%u/telemetry\npattern write city/%u/event\npattern write city/%u/status\n"
        "pattern write city/%u/command/result\npattern read city/%u/command\n"
    )
    return (
        "allow_anonymous false",
        f"cafile {papers.ca}",
        f"certfile {papers.server.folder / 'cert.pem'}",
        f"keyfile {papers.server.folder / 'key.pem'}",
        f"crlfile {papers.crl}",
        "require_certificate true",
        "use_identity_as_username true",
        f"acl_file {acl}",
    )


def at(broker: Mosquitto, tls: Tls) -> Endpoint:
    return Endpoint("localhost", broker.port, tls=tls)


async def say(broker: Mosquitto, tls: Tls, login: str, word: bytes = b'{"co_ppm": 1}') -> None:
    async with Publisher(at(broker, tls)) as publisher:
        await publisher.publish(f"city/{login}/telemetry", word, timeout_s=60)


async def test_a_device_speaks_for_itself_and_for_nobody_else(tmp_path: Path) -> None:
    papers = Papers(tmp_path / "certs")
    tls = papers.device(MINE)
    server = papers.device("citywarden")
    async with mosquitto(tmp_path, settings(papers, tmp_path)) as broker:
        desk = Desk()
        heard: list[str] = []

        async def sink(batch: Sequence[object]) -> None:
            heard.extend(str(message[0]) for message in batch)  # type: ignore[index]

        task = asyncio.create_task(receive(Subscription(at(broker, server), "citywarden"), sink, desk.observe, QUICK))
        await desk.until(lambda: desk.count(State.CONNECTED) >= 1)
        await say(broker, tls, MINE)
        await say(broker, tls, OTHERS)
        await say(broker, tls, MINE)
        async with asyncio.timeout(60):
            while len(heard) < 2:
                await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait({task})
        assert heard == [f"city/{MINE}/telemetry"] * 2


async def test_nobody_gets_in_without_a_certificate_of_ours(tmp_path: Path) -> None:
    papers, strangers = Papers(tmp_path / "certs"), Papers(tmp_path / "strangers")
    async with mosquitto(tmp_path, settings(papers, tmp_path)) as broker:
        stranger = replace(strangers.device(MINE), ca_file=papers.ca)
        for tls in (Tls(papers.ca), stranger):
            desk = Desk()
            wish = Subscription(at(broker, tls), "nobody")
            task = asyncio.create_task(receive(wish, desk.sink, desk.observe, QUICK))
            await desk.until(lambda desk=desk: desk.count(State.REFUSED) + desk.count(State.LOST) >= 1)  # type: ignore[misc]
            task.cancel()
            await asyncio.wait({task})
            assert desk.count(State.CONNECTED) == 0


async def test_a_revoked_device_is_refused_once_the_broker_has_read_the_list(tmp_path: Path) -> None:
    papers = Papers(tmp_path / "certs")
    revoked, good = papers.device(MINE), papers.device(OTHERS)
    async with mosquitto(tmp_path, settings(papers, tmp_path)) as broker:
        await say(broker, revoked, MINE)
        papers.authority.revoke(MINE, papers.now_ms)
        broker.signal(signal.SIGHUP)
        async with asyncio.timeout(60):
            while True:
                try:
                    await say(broker, revoked, MINE)
                except Unavailable:
                    break
                await asyncio.sleep(0.05)
        await say(broker, good, OTHERS)
        renewed = papers.device(MINE)
        await say(broker, renewed, MINE)


async def test_a_server_whose_name_is_another_is_not_believed(tmp_path: Path) -> None:
    papers = Papers(tmp_path / "certs")
    papers.server = papers.authority.issue_server(["broker.example"], papers.now_ms)
    async with mosquitto(tmp_path, settings(papers, tmp_path)) as broker:
        desk = Desk()
        wish = Subscription(at(broker, papers.device(MINE)), "wary")
        task = asyncio.create_task(receive(wish, desk.sink, desk.observe, QUICK))
        await desk.until(lambda: desk.count(State.REFUSED) >= 1)
        task.cancel()
        await asyncio.wait({task})
        assert Cause.TLS in {status.cause for status in desk.seen}


async def test_the_server_reads_what_devices_with_certificates_say(tmp_path: Path) -> None:
    papers = Papers(tmp_path / "certs")
    async with mosquitto(tmp_path, settings(papers, tmp_path)) as broker:
        desk = Desk()
        async with subscriber(desk, at(broker, papers.device("citywarden"))):
            await say(broker, papers.device(MINE), MINE, b"7")
            await desk.until(lambda: len(desk.stored) >= 1)
        assert desk.stored == [7]
