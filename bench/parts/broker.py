"""The broker's side of a benchmark: sessions made beforehand, a fast publisher, and a gate in front of a consumer."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import aiomqtt
import mqtt5

from citywarden.cli.running import wall_ms
from ingest.endpoint import Endpoint
from ingest.subscription import Subscription
from ingest.wire import Connection, frame_bytes

FILTER = "city/#"
PUBLISH, PUBACK = 3, 4
CHUNK = 1 << 18
HELD_BYTES = 4 << 20
"""A closed gate reads ahead so much, then the rest waits in the broker."""

WINDOW = 2000
"""Messages under way to the broker at a time while its queues are filled."""


async def make_session(broker: Endpoint, client_id: str) -> None:
    """A session as the server makes it (MQTT 5), then offline."""
    loop = asyncio.get_running_loop()
    subscription = Subscription(broker, client_id, (FILTER,))
    _, connection = await loop.create_connection(lambda: Connection(subscription, wall_ms), broker.host, broker.port)
    await connection.log_in()
    connection.subscribe()
    await connection.subscribed()
    await connection.leave()


async def make_old_session(broker: Endpoint, client_id: str) -> None:
    """A session as an MQTT 3.1.1 client makes it, then offline."""
    async with aiomqtt.Client(
        broker.host, broker.port, identifier=client_id, clean_session=False, protocol=aiomqtt.ProtocolVersion.V311
    ) as client:
        await client.subscribe(FILTER, qos=1)


class Frames:
    """Cuts a stream of bytes into whole MQTT packets."""

    def __init__(self) -> None:
        self._rest = b""

    def cut(self, data: bytes) -> Iterator[bytes]:
        data = self._rest + data
        view, at = memoryview(data), 0
        while (size := frame_bytes(view[at:])) is not None and at + size <= len(data):
            yield data[at : at + size]
            at += size
        self._rest = data[at:]

    def rest(self) -> bytes:
        """The beginning of a packet that is not whole yet; it is forgotten here."""
        rest, self._rest = self._rest, b""
        return rest


class FastPublisher:
    """QoS 1 without ceremony: whole chunks of packets in one write; `acknowledged` counts the broker's answers."""

    def __init__(self, broker: Endpoint) -> None:
        self._broker = broker
        self._sent = 0
        self.acknowledged = 0

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._broker.host, self._broker.port)
        self._writer.write(mqtt5.ConnectPacket("bench-publisher", clean_start=True, keep_alive=0).write())
        self._news = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        self._listening.cancel()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    @property
    def under_way(self) -> int:
        return self._sent - self.acknowledged

    def send(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Put messages on their way, all of them at once."""
        packets = []
        for topic, payload in messages:
            number = self._sent % 65_535 + 1
            packets.append(mqtt5.PublishPacket(topic, payload, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=number).write())
            self._sent += 1
        self._writer.write(b"".join(packets))

    async def settled(self, under_way: int = 0) -> None:
        """Until at most so many messages are without their acknowledgement."""
        while self.under_way > under_way:
            self._news.clear()
            await self._news.wait()

    async def fill(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publish all of them as fast as the broker takes them."""
        for first in range(0, len(messages), WINDOW // 2):
            self.send(messages[first : first + WINDOW // 2])
            await self.settled(WINDOW // 2)
        await self.settled()

    async def _listen(self) -> None:
        frames = Frames()
        while data := await self._reader.read(CHUNK):
            self.acknowledged += sum(packet[0] >> 4 == PUBACK for packet in frames.cut(data))
            self._news.set()


class Gate:
    """Between a consumer and the broker: closed, it lets the consumer log in but holds all messages back.

    So a consumer is up, connected and idle at the moment its queue is released. `acknowledged` counts its answers.
    """

    def __init__(self, broker: Endpoint) -> None:
        self._broker = broker
        self._open = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: list[tuple[asyncio.StreamWriter, list[bytes]]] = []
        self.connected = asyncio.Event()
        self.acknowledged = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=CHUNK)
        self.endpoint = Endpoint("127.0.0.1", int(self._server.sockets[0].getsockname()[1]))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def release(self) -> None:
        """Let the messages through from now on."""
        self._open.set()
        for writer, held in self._held:
            writer.write(b"".join(held))
            held.clear()

    def hold(self) -> None:
        """Hold messages back again; only while none is under way."""
        self._open.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_broker = await asyncio.open_connection(self._broker.host, self._broker.port, limit=CHUNK)
        for work in (self._upstream(reader, to_broker[1]), self._downstream(to_broker[0], writer)):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _upstream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames()
        with contextlib.closing(writer), contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                writer.write(data)
                await writer.drain()
                self.acknowledged += sum(packet[0] >> 4 == PUBACK for packet in frames.cut(data))

    async def _downstream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames()
        held: list[bytes] = []
        self._held.append((writer, held))
        with contextlib.closing(writer), contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if self._open.is_set():
                    writer.write(frames.rest() + data)
                    await writer.drain()
                    continue
                for packet in frames.cut(data):
                    held.append(packet) if packet[0] >> 4 == PUBLISH else writer.write(packet)
                self.connected.set()
                if sum(map(len, held)) >= HELD_BYTES:
                    await self._open.wait()
