"""Doors that misbehave: TCP between server and broker, HTTP between server and InfluxDB."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from enum import StrEnum
from types import TracebackType
from typing import Self

from tests.brokers import free_port

CHUNK = 1 << 16


class Cut(StrEnum):
    """What happens to what passes."""

    NONE = "none"
    SILENT = "silent"
    """Nothing gets through and nobody is told: packets are lost on the way."""
    RESET = "reset"
    """Connections are reset, new ones too."""


class Listening:
    """A server on a port that stays the same while the block runs."""

    def __init__(self) -> None:
        self.port = free_port()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=1 << 24)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._guarded(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                await self.serve(reader, writer)
        finally:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class Line(Listening):
    """TCP to a port behind it, which can be cut."""

    def __init__(self, behind: int) -> None:
        super().__init__()
        self._behind = behind
        self._free = asyncio.Event()
        self._free.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.cut_now = Cut.NONE

    def cut(self, how: Cut) -> None:
        """From now on."""
        self.cut_now = how
        if how is Cut.SILENT:
            self._free.clear()
        else:
            self._free.set()
        if how is Cut.RESET:
            for writer in self._writers:
                writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.cut_now is Cut.RESET:
            writer.transport.abort()
            return
        await self._free.wait()
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        ends = {writer, inner_writer}
        self._writers |= ends
        try:
            ways = [asyncio.create_task(self._pipe(*way)) for way in ((reader, inner_writer), (inner_reader, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self._writers -= ends
            inner_writer.close()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            await self._free.wait()
            writer.write(data)
            await writer.drain()


Answer = Callable[[bytes], Awaitable[bytes | None]]
"""What to do about the body of a write: an answer of its own, None to pass it on; raises to reset the connection."""


class Reset(OSError):
    """Reset the connection."""


class WriteDoor(Listening):
    """HTTP to InfluxDB that may treat writes badly. Everything else passes."""

    def __init__(self, behind: int) -> None:
        super().__init__()
        self._behind = behind
        self.before: Answer | None = None
        self.after: Answer | None = None
        self.writes = 0

    def behave(self, before: Answer | None = None, after: Answer | None = None) -> None:
        """`before`: instead of or before the write; `after`: when InfluxDB has written, before it says so."""
        self.before, self.after = before, after

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = None, None
        try:
            while True:
                head, body = await read_request(reader)
                write = head.startswith(b"POST /api/v2/write")
                self.writes += write
                try:
                    answer = await self.before(body) if write and self.before else None
                    if answer is None:
                        if inner_writer is None or inner_reader is None:
                            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._behind)
                        inner_writer.write(head + body)
                        answer = await _answer(inner_reader)
                        if write and self.after:
                            answer = await self.after(body) or answer
                except Reset:
                    writer.transport.abort()
                    return
                writer.write(answer)
                await writer.drain()
        finally:
            if inner_writer is not None:
                inner_writer.close()


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of a request."""
    head = await reader.readuntil(b"\r\n\r\n")
    return head, await reader.readexactly(_length(head) or 0)


def _length(head: bytes) -> int | None:
    found = head.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n", 1)[0].strip()
    return int(found) if found else None


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if (length := _length(head)) is not None:
        return head + await reader.readexactly(length)
    if b"\r\ntransfer-encoding: chunked" not in head.lower():
        return head
    whole = head
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line, 16)
        whole += line + await reader.readexactly(size + 2)
        if size == 0:
            return whole


def refusal(code: int, words: str, *headers: str) -> bytes:
    """An answer as InfluxDB gives it."""
    body = b'{"code": "x", "message": "%s"}' % words.encode()
    lines = [f"HTTP/1.1 {code} no", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
