"""Real brokers for tests: Mosquitto as a child process on a free loopback port."""

import asyncio
import contextlib
import getpass
import itertools
import os
import random
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiomqtt
import pytest

from ingest.endpoint import Endpoint

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
PLUGINS = "mosquitto_dynamic_security.so"
DYNSEC = next(
    (str(file) for place in ("/usr/lib", "/usr/local/lib", "/opt/homebrew/lib")
     for pattern in (PLUGINS, f"*/{PLUGINS}") for file in Path(place).glob(pattern)),
    None,
)  # fmt: skip
"""Mosquitto's dynamic-security plugin; its place differs between systems."""
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="needs Mosquitto: apt-get install mosquitto")


# Below those that the system hands out for outgoing connections, which would take a port away again; each worker of a
# test run has its own.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
_PORTS = itertools.cycle(random.sample(range(20_000 + 1500 * _WORKER, 21_500 + 1500 * _WORKER), 1500))


def free_port() -> int:
    """A TCP port that nobody listens on and that is handed out to nobody else."""
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("unreachable: the ports go round")


async def listening(port: int, timeout_s: float = 60.0) -> None:
    """Wait until something accepts connections on the loopback port."""
    async with asyncio.timeout(timeout_s):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
                return


class Mosquitto:
    """A Mosquitto that can be stopped and started again on the same port; sessions are kept in `folder`."""

    def __init__(self, folder: Path, settings: Sequence[str] = ("allow_anonymous true",), port: int = 0) -> None:
        self.port = port or free_port()
        self._folder = folder
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("127.0.0.1", self.port)

    async def start(self) -> None:
        lines = (
            f"listener {self.port} 127.0.0.1",
            "persistence true",
            f"persistence_location {self._folder}/",
            "max_queued_messages 0",
            "max_inflight_messages 0",
            "log_dest none",
            f"user {getpass.getuser()}",
            *self._settings,
        )
        config = self._folder / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n")
        assert MOSQUITTO is not None
        self._process = await asyncio.create_subprocess_exec(
            MOSQUITTO, "-c", str(config), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        await listening(self.port)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self) -> None:
        """End it in good order, so that it writes its sessions down."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        self._process = None


@contextlib.asynccontextmanager
async def mosquitto(folder: Path, settings: Sequence[str] = ("allow_anonymous true",)) -> AsyncIterator[Mosquitto]:
    """A running Mosquitto; skips the test where there is none."""
    if MOSQUITTO is None:
        pytest.skip("needs Mosquitto: apt-get install mosquitto")
    broker = Mosquitto(folder, settings)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


async def is_cut(client: aiomqtt.Client, within_s: float = 60) -> bool:
    """Whether the broker ends the connection, soon."""
    try:
        async with asyncio.timeout(within_s):
            async for _ in client.messages:
                pass
    except aiomqtt.MqttError:
        return True
    except TimeoutError:
        return False
    return False
