"""Over TLS, against a real Mosquitto: who can prove itself is trusted, who cannot is named."""

import asyncio
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.endpoint import Endpoint, Tls
from ingest.mqtt import receive
from ingest.subscription import Cause, State, Subscription
from tests.brokers import mosquitto, needs_mosquitto
from tests.ingest.test_mqtt_brokers import QUICK, Desk, subscriber
from tests.ingest.test_mqtt_brokers import publish as publish_numbers

pytestmark = [
    needs_mosquitto,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl: apt-get install openssl"),
]


def certify(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", str(key), "-out", str(certificate), "-subj", f"/CN={name}",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


async def test_messages_come_over_tls_and_only_the_right_certificate_is_trusted(tmp_path: Path) -> None:
    certificate, key = certify(tmp_path, "broker")
    stranger, _ = certify(tmp_path, "stranger")
    settings = ("allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
    async with mosquitto(tmp_path, settings) as broker:
        trusted = Endpoint("127.0.0.1", broker.port, tls=Tls(certificate))
        desk = Desk()
        async with subscriber(desk, trusted):
            await publish_numbers(trusted, range(20))
            await desk.until(lambda: len(desk.stored) >= 20)
        assert sorted(desk.stored) == list(range(20))
        wary = Desk()
        doubtful = Subscription(replace(trusted, tls=Tls(stranger)), "citywarden-wary")
        task = asyncio.create_task(receive(doubtful, wary.sink, wary.observe, QUICK))
        await wary.until(lambda: wary.count(State.REFUSED) >= 1)
        task.cancel()
        await asyncio.wait({task})
        refused = next(status for status in wary.seen if status.state is State.REFUSED)
        assert refused.cause is Cause.TLS
        assert "certificate" in refused.detail
