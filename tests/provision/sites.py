"""The brokers that every provisioner test runs against, each with what a device finds there."""

import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiomqtt
import pytest
from sqlalchemy import Engine

from citywarden.provision.contract import Provisioner
from citywarden.provision.dynsec import Door, DynamicSecurity
from citywarden.provision.embedded import EmbeddedAccounts
from citywarden.sections import MqttSettings, Settings
from citywarden.serve.brokers import Brokers, open_brokers
from ingest.endpoint import Endpoint
from tests.brokers import DYNSEC, Mosquitto, mosquitto

ADMIN = "administrator"
SERVER_ACLS = [
    ("publishClientSend", "city/#"), ("publishClientReceive", "city/#"), ("subscribePattern", "city/#"),
    ("publishClientReceive", "$CONTROL/#"), ("publishClientSend", "$CONTROL/#"), ("subscribePattern", "$CONTROL/#"),
]  # fmt: skip


@dataclass
class Site:
    """A broker with its provisioner. `server`: as whom the server itself is there; `stop`: ends the broker."""

    provisioner: Provisioner
    devices: Endpoint
    server: Endpoint
    stop: Callable[[], Awaitable[None]]
    start: Callable[[], Awaitable[None]]

    def device(self, login: str, password: str, client_id: str | None = None) -> aiomqtt.Client:
        return aiomqtt.Client(
            self.devices.host, self.devices.port, username=login, password=password, identifier=client_id or login,
            timeout=60,
        )  # fmt: skip

    def own(self) -> aiomqtt.Client:
        return aiomqtt.Client(
            self.server.host, self.server.port, username=self.server.username, password=self.server.password, timeout=60
        )


def dynsec_settings(folder: Path) -> tuple[str, ...]:
    """Mosquitto's settings for dynamic security, with one administrator who may do all."""
    if DYNSEC is None or shutil.which("mosquitto_ctrl") is None:
        pytest.skip("needs Mosquitto's dynamic-security plugin: apt-get install mosquitto")
    file = folder / "dynsec.json"
    if not file.exists():
        subprocess.run(["mosquitto_ctrl", "dynsec", "init", str(file), ADMIN, ADMIN], check=True, capture_output=True)
        file.chmod(0o600)
        words = ", ".join(f'{{"acltype": "{kind}", "topic": "{topic}", "allow": true}}' for kind, topic in SERVER_ACLS)
        text = file.read_text().replace('"acls":\t[', f'"acls":\t[{words},', 1)
        file.write_text(text)
    return ("allow_anonymous false", f"plugin {DYNSEC}", f"plugin_opt_config_file {file}")


@asynccontextmanager
async def dynsec_site(folder: Path) -> AsyncIterator[Site]:
    async with mosquitto(folder, dynsec_settings(folder)) as broker:
        yield site_of(broker)


def site_of(broker: Mosquitto) -> Site:
    door = Door("127.0.0.1", broker.port, ADMIN, ADMIN, timeout_s=60)
    server = Endpoint("127.0.0.1", broker.port, ADMIN, ADMIN)
    return Site(DynamicSecurity(door), broker.endpoint, server, broker.stop, broker.start)


@asynccontextmanager
async def embedded_site(engine: Engine) -> AsyncIterator[Site]:
    ended: list[Callable[[Sequence[str]], object]] = []

    def end(logins: Sequence[str]) -> None:
        for cut in ended:
            cut(logins)

    accounts = EmbeddedAccounts(engine, end)
    settings = Settings(mqtt=MqttSettings(devices="credentials"))
    async with AsyncExitStack() as stack:
        brokers: Brokers = await open_brokers(settings, None, accounts, 0, stack)
        assert brokers.gate is not None
        ended.append(brokers.gate.cut)

        async def nothing() -> None:
            return None

        yield Site(accounts, brokers.devices, brokers.publish, nothing, nothing)
