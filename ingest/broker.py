"""The embedded MQTT broker: rumqttd, from the iotcore wheel, as a child process on loopback.

What it is, found by reading and trying it (rumqttd 0.20):

- One port speaks MQTT 3.1.1 (`port`: devices, aiomqtt), another MQTT 5 (`v5_port`: our subscriber); one router.
- A session begun with clean_start=False is kept for a subscriber that is away, in memory only, for as long as the
  broker runs; the expiry interval is not looked at. It is a cursor into one log of messages per topic filter.
- That log holds `backlog_bytes` of topics and payloads (real memory: about twice that for small messages) and forgets
  the oldest beyond; a subscriber further behind than this loses messages, without being told. Publishers are never
  slowed down. The default is some four minutes at 5,000 messages of 200 bytes a second. Memory grows up to the limit
  and stays, whether or not the messages have been delivered.
- At most 100 unacknowledged messages are sent to a subscriber, whatever receive maximum it asks for, and they must be
  acknowledged in order. What a subscription does not yet exist for is not kept: subscribe before devices publish.
- A new subscription gets at most 100 retained messages.
- A wrong user or password closes the connection without an answer, and so does a keep-alive of 0.

It is for demos, tests and small sites; a city runs Mosquitto, EMQX or another broker beside the server.
"""

import asyncio
import contextlib
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from citywarden.model.errors import Unavailable
from citywarden.model.message import MAX_PAYLOAD_BYTES
from ingest.endpoint import Endpoint

HOST = "127.0.0.1"
MAX_CONNECTIONS = 10_000
BACKLOG_BYTES = 256 * 1024 * 1024
SEGMENTS = 16
MAX_PACKET_BYTES = 2 * MAX_PAYLOAD_BYTES
"""Room for a topic, and for payloads that are too large to be valid: those are to reach the dead letters."""

_START_S = 30.0
_ATTEMPTS = 5

# Ends when its standard input closes, so when the parent is gone, however it went.
_CHILD = """
import os, sys, threading
def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)
threading.Thread(target=end_with_parent, daemon=True).start()
import logging
logging.disable(logging.CRITICAL)
from iotcore.iotcore import IotCoreBroker
IotCoreBroker(config_path=sys.argv[1]).run_forever()
"""


class EmbeddedBroker:
    """`async with EmbeddedBroker() as broker:` listens until the block ends. Port 0 picks a free one.

    `users`: name -> password; without it everyone on this machine may connect.
    """

    def __init__(
        self,
        port: int = 0,
        v5_port: int = 0,
        users: Mapping[str, str] | None = None,
        backlog_bytes: int = BACKLOG_BYTES,
    ) -> None:
        self.port = port
        self.v5_port = v5_port
        self._wanted = (port, v5_port)
        self._users = dict(users or {})
        self._backlog_bytes = backlog_bytes
        self._process: asyncio.subprocess.Process | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def endpoint(self) -> Endpoint:
        """For devices and publishers (MQTT 3.1.1), without a user."""
        return Endpoint(HOST, self.port)

    @property
    def v5_endpoint(self) -> Endpoint:
        """For the subscriber (MQTT 5), without a user."""
        return Endpoint(HOST, self.v5_port)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        await self.stop()

    async def start(self) -> None:
        """Return when both ports accept connections. Raises Unavailable when one is taken or it does not come up."""
        if self.running:
            return
        for attempt in range(_ATTEMPTS):
            self.port, self.v5_port = (wanted or free_port() for wanted in self._wanted)
            for port in filter(None, self._wanted):
                if await _listens(port):
                    raise Unavailable(f"embedded broker: port {port} is taken by another program")
            if await self._launch():
                return
            if all(self._wanted) or attempt == _ATTEMPTS - 1:
                raise Unavailable(f"embedded broker: does not come up on ports {self.port} and {self.v5_port}")

    async def _launch(self) -> bool:
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="citywarden-broker-")
        file = Path(self._folder.name) / "rumqttd.toml"
        file.touch(mode=0o600)
        file.write_text(self._config(), encoding="utf-8")
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-c", _CHILD, str(file)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            # Its own group: Ctrl-C reaches us only, and we stop it when what is under way is done.
            start_new_session=True,
        )
        deadline = asyncio.get_running_loop().time() + _START_S
        while self.running and asyncio.get_running_loop().time() < deadline:
            if await _listens(self.port) and await _listens(self.v5_port) and self.running:
                return True
            await asyncio.sleep(0.02)
        await self._end()
        return False

    async def stop(self) -> None:
        """End the child and wait for it; sessions and queued messages are gone."""
        await self._end()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def _config(self) -> str:
        """TOML for rumqttd."""
        segment = max(1024 * 1024, self._backlog_bytes // SEGMENTS)
        lines = [
            "id = 0",
            "[router]",
            "id = 0",
            f"max_connections = {MAX_CONNECTIONS + 10}",
            "max_outgoing_packet_count = 200",
            f"max_segment_size = {segment}",
            f"max_segment_count = {SEGMENTS}",
        ]
        for version, port in (("v4", self.port), ("v5", self.v5_port)):
            lines += [
                f"[{version}.1]",
                f'name = "{version}-1"',
                f'listen = "{HOST}:{port}"',
                "next_connection_delay_ms = 1",
                f"[{version}.1.connections]",
                "connection_timeout_ms = 60000",
                f"max_payload_size = {MAX_PACKET_BYTES}",
                "max_inflight_count = 100",
                "dynamic_filters = true",
            ]
            if self._users:
                lines.append(f"[{version}.1.connections.auth]")
                lines += [f"{_quote(user)} = {_quote(password)}" for user, password in self._users.items()]
        return "\n".join(lines) + "\n"


def _quote(text: str) -> str:
    """A TOML basic string."""
    escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return f'"{escaped}"'


def free_port() -> int:
    """A TCP port on loopback that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
