"""The embedded broker and the publisher: start, stop, users, wills, and what happens when the parent is killed."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import aiomqtt
import psutil
import pytest

from citywarden.model.errors import Unavailable
from citywarden.model.message import MAX_PAYLOAD_BYTES, RawMessage
from ingest.broker import EmbeddedBroker
from ingest.endpoint import Endpoint
from ingest.mqtt import receive
from ingest.publisher import Publisher, Will
from ingest.subscription import State, Status, Subscription
from tests.brokers import listening


class Reader:
    """A subscriber that keeps what it gets."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.got: list[RawMessage] = []
        self._changed = asyncio.Event()
        self._connected = asyncio.Event()
        self._task = asyncio.create_task(receive(Subscription(endpoint, "reader"), self._sink, self._observe))

    async def _sink(self, batch: Sequence[RawMessage]) -> None:
        self.got.extend(batch)
        self._changed.set()

    def _observe(self, status: Status) -> None:
        if status.state is State.CONNECTED:
            self._connected.set()

    async def __aenter__(self) -> "Reader":
        async with asyncio.timeout(60):
            await self._connected.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def wait_for(self, count: int) -> list[RawMessage]:
        async with asyncio.timeout(60):
            while len(self.got) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.got


async def test_payloads_of_every_size_pass_also_those_too_large_to_be_valid() -> None:
    sizes = [0, 1, 20_480, MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES + 1]
    async with EmbeddedBroker() as broker, Reader(broker.v5_endpoint) as reader:
        async with Publisher(broker.endpoint) as publisher:
            for size in sizes:
                await publisher.publish("city/t/gas/g1/telemetry", b"x" * size)
        assert [len(m.payload) for m in await reader.wait_for(len(sizes))] == sizes


@asynccontextmanager
async def wire(port: int) -> AsyncIterator[tuple[int, Callable[[], None]]]:
    """A way to a port that can be cut: (port to connect to, cut)."""
    ends: list[asyncio.StreamWriter] = []
    pumps: list[asyncio.Task[None]] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        ends.extend((writer, far_writer))
        pumps.extend(asyncio.create_task(pump(*pair)) for pair in ((reader, far_writer), (far_reader, writer)))

    def cut() -> None:
        for end in ends:
            end.transport.abort()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], cut
        cut()
        await asyncio.gather(*pumps)


async def test_a_client_that_vanishes_leaves_its_will_and_comes_back() -> None:
    topic = "city/t/gas/g1/status"
    async with EmbeddedBroker() as broker, Reader(broker.v5_endpoint) as reader, wire(broker.port) as (port, cut):
        async with Publisher(Endpoint("127.0.0.1", port), "g1", Will(topic)) as publisher:
            await publisher.publish(topic, "online", retain=True)
            await reader.wait_for(1)
            cut()
            await reader.wait_for(2)
            async with asyncio.timeout(60):
                await publisher.publish(topic, "online", retain=True)
            await reader.wait_for(3)
        assert [m.payload for m in reader.got] == [b"online", b"offline", b"online"]


async def test_a_retained_status_reaches_a_new_subscriber() -> None:
    topic = "city/t/gas/g1/status"
    async with EmbeddedBroker() as broker:
        async with Publisher(broker.endpoint) as publisher:
            await publisher.publish(topic, "online", retain=True)
        async with Reader(broker.v5_endpoint) as reader:
            (message,) = await reader.wait_for(1)
        assert (message.topic, message.payload, message.retained) == (topic, b"online", True)


async def test_users_are_checked() -> None:
    users = {"server": 'p"\\w', "车": "密码"}
    async with EmbeddedBroker(users=users) as broker:
        for name, password in users.items():
            endpoint = Endpoint("127.0.0.1", broker.port, name, password)
            async with Publisher(endpoint) as publisher:
                await publisher.publish("city/t/gas/g1/telemetry", "{}")
        with pytest.raises(Unavailable, match="wrong user or password"):
            async with Publisher(Endpoint("127.0.0.1", broker.port, "server", "wrong")):
                pass


async def test_a_taken_port_is_named() -> None:
    async with EmbeddedBroker() as broker:
        with pytest.raises(Unavailable, match=str(broker.port)):
            await EmbeddedBroker(port=broker.port).start()
        assert broker.running


async def test_a_publisher_without_a_broker_says_so() -> None:
    with pytest.raises(Unavailable, match="refused"):
        async with Publisher(Endpoint("127.0.0.1", 1)):
            pass


async def test_publishing_gives_up_when_asked_to() -> None:
    broker = EmbeddedBroker()
    await broker.start()
    async with Publisher(broker.endpoint) as publisher:
        await publisher.publish("city/t/gas/g1/telemetry", "{}")
        await broker.stop()
        with pytest.raises(Unavailable):
            await publisher.publish("city/t/gas/g1/telemetry", "{}", timeout_s=0.3)
    assert not broker.running


class Rude(aiomqtt.Client):
    """A client whose goodbye fails."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        raise aiomqtt.MqttError("Operation timed out")


class Ending(Publisher):
    """A publisher with such a client."""

    def _make(self) -> aiomqtt.Client:
        return Rude("127.0.0.1")


async def test_a_publisher_ends_although_its_goodbye_fails() -> None:
    async with asyncio.timeout(60), Ending(Endpoint("127.0.0.1", 1)):
        pass


PARENT = """
import asyncio, os, sys
from ingest.broker import EmbeddedBroker

async def main():
    async with EmbeddedBroker() as broker:
        print(broker.port, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_it_ends_when_its_parent_is_killed_and_writes_nothing() -> None:
    root = Path(__file__).parents[2]
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, cwd=root, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    assert parent.stderr is not None
    port = int(await parent.stdout.readline())
    await listening(port)
    children = psutil.Process(parent.pid).children()
    assert len(children) == 1
    os.kill(parent.pid, signal.SIGKILL)
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, 60)
    assert not alive
    assert await parent.stdout.read() == b""
    assert await parent.stderr.read() == b""
    await parent.wait()
