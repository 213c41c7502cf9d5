"""A receiver of webhooks that answers as the test says, and a courier that is impatient."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson

from citywarden.alerts.delivery import Courier
from citywarden.alerts.desk import AsyncDesk, Desk
from citywarden.alerts.guard import Guard
from citywarden.alerts.post import ANYWHERE_PUBLIC
from citywarden.alerts.target import Target
from citywarden.alerts.verdicts import Schedule


def clock_ms() -> int:
    return time.time_ns() // 1_000_000


IMPATIENT = Schedule(delays_s=(0.01, 0.02, 0.04, 3600.0), longest_wait_s=0.05, jitter=0.0, probe_s=0.0)


@dataclass(frozen=True)
class Taken:
    """One request as it came."""

    headers: Mapping[str, str]
    body: bytes
    path: str
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, object]:
        parsed = orjson.loads(self.body)
        assert isinstance(parsed, dict)
        return parsed


@dataclass
class Hook:
    """Answers each request with the next of `answers` (raw bytes; empty: closes; None: never answers), then 204."""

    answers: list[bytes | None] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    url: str = ""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    otherwise: bytes | None = b"HTTP/1.1 204 No Content\r\n\r\n"
    connections: int = 0

    async def until(self, enough: Callable[["Hook"], bool], timeout_s: float = 60) -> None:
        """Until what was taken is enough."""
        async with self.changed, asyncio.timeout(timeout_s):
            await self.changed.wait_for(lambda: enough(self))

    async def until_count(self, n: int) -> Sequence[Taken]:
        await self.until(lambda hook: len(hook.taken) >= n)
        return self.taken

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().split("\r\n")
                pairs = (line.partition(": ") for line in lines if line)
                headers = {name.lower(): value for name, _, value in pairs}
                body = await reader.readexactly(int(headers["content-length"]))
                answer = self.answers.pop(0) if self.answers else self.otherwise
                async with self.changed:
                    self.taken.append(Taken(headers, body, first.split()[1], time.perf_counter()))
                    self.changed.notify_all()
                if answer is None:
                    await reader.read()
                if not answer:
                    break
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            async with self.changed:
                self.connections -= 1
                self.changed.notify_all()


def answer(code: int, headers: str = "", body: bytes = b"") -> bytes:
    """An HTTP answer with a length."""
    return f"HTTP/1.1 {code} X\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode() + body


@asynccontextmanager
async def hook(*answers: bytes | None) -> AsyncIterator[Hook]:
    """A receiver on a free port of this machine."""
    receiver = Hook(list(answers))
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()


@asynccontextmanager
async def delivering(
    front: Desk,
    *targets: Target,
    schedule: Schedule = IMPATIENT,
    guard: Guard = ANYWHERE_PUBLIC,
    grace_s: float = 60.0,
) -> AsyncIterator[tuple[AsyncDesk, Courier]]:
    """A desk of one event loop and its courier at work, whose last attempt is waited for `grace_s` long."""
    desk = AsyncDesk(front, clock_ms)
    async with Courier(desk, targets, clock_ms, schedule, guard, luck=lambda: 0.0, grace_s=grace_s) as courier:
        yield desk, courier
    await desk.close()
