"""A broker written for one test: a script of what it does on each connection."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import mqtt5

from citywarden.model.message import RawMessage
from ingest.endpoint import Endpoint
from ingest.mqtt import Sink, Timing, receive
from ingest.subscription import Cause, Status, Subscription

QUICK = Timing(connect_s=60.0, first_wait_s=0.01, longest_wait_s=0.02, stop_s=1.0)
WELCOME = mqtt5.ConnAckPacket().write()
GRANTED = mqtt5.SubAckPacket(1, [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]).write()


def publish(number: int, payload: bytes | None = None) -> bytes:
    packet = mqtt5.PublishPacket(
        "city/t/gas/g1/telemetry",
        b"%d" % number if payload is None else payload,
        qos=mqtt5.QoS.AT_LEAST_ONCE,
        packet_id=number + 1,
    )
    return packet.write()


class Peer:
    """One accepted connection: what the subscriber sent, as packets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._rest = b""

    async def packet(self) -> mqtt5.Packet:
        """The next packet; EOFError when there is none any more."""
        while True:
            with contextlib.suppress(IndexError):
                packet, size = mqtt5.read(memoryview(self._rest))
                self._rest = self._rest[size:]
                return packet
            more = await self._reader.read(65536)
            if not more:
                raise EOFError
            self._rest += more

    async def expect(self, *kinds: type) -> None:
        for kind in kinds:
            assert type(await self.packet()) is kind

    async def acks(self, count: int) -> list[int]:
        found: list[int] = []
        while len(found) < count:
            packet = await self.packet()
            if isinstance(packet, mqtt5.PubAckPacket):
                found.append(packet.packet_id)
        return found

    async def welcome(self) -> None:
        """Let it in and grant its subscription."""
        await self.expect(mqtt5.ConnectPacket)
        self.writer.write(WELCOME)
        await self.expect(mqtt5.SubscribePacket)
        self.writer.write(GRANTED)


class Watcher:
    def __init__(self) -> None:
        self.seen: list[Status] = []
        self.stored: list[RawMessage] = []
        self.task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def observe(self, status: Status) -> None:
        self.seen.append(status)
        self._changed.set()

    async def sink(self, batch: Sequence[RawMessage]) -> None:
        self.stored.extend(batch)
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def status(self, cause: Cause) -> Status:
        await self.until(lambda: any(s.cause is cause for s in self.seen))
        return next(s for s in self.seen if s.cause is cause)


@contextlib.asynccontextmanager
async def scene(
    script: Callable[[Peer], Awaitable[None]], sink: Sink | None = None, keep_alive_s: int = 30,
    timing: Timing = QUICK,
) -> AsyncIterator[Watcher]:  # fmt: skip
    """A subscriber connected to a broker that does what the script says, on each connection."""
    watcher, scripts = Watcher(), set[asyncio.Task[None]]()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        scripts.add(task)
        try:
            await script(Peer(reader, writer))
        except (EOFError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        endpoint = Endpoint("127.0.0.1", server.sockets[0].getsockname()[1])
        subscription = Subscription(endpoint, "me", ("city/#",), keep_alive_s=keep_alive_s)
        task = asyncio.create_task(receive(subscription, sink or watcher.sink, watcher.observe, timing))
        watcher.task = task
        try:
            yield watcher
        finally:
            task.cancel()
            await asyncio.wait({task})
            for one in scripts:
                one.cancel()
            await asyncio.gather(*scripts, return_exceptions=True)
