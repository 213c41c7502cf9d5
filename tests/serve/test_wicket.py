"""HTTP with somebody on the other side who takes all the time, room and connections there are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from httpx import AsyncClient

from citywarden.serve.http import bind, serving
from citywarden.serve.wicket import Bounds
from dashboards.api.problems import handle_problems

HASTY = Bounds(head_s=0.3, head_bytes=8 * 1024, body_s=0.3, body_bytes=64 * 1024, connections=20)
EVIDENCE = "/api/v1/cases/c1/evidence"


@asynccontextmanager
async def listening(bounds: Bounds) -> AsyncIterator[int]:
    """An application that says how much it was sent; yields its port."""
    app = FastAPI(openapi_url=None)
    handle_problems(app)

    @app.post("/{path:path}")
    async def sent(request: Request) -> int:
        return len(await request.body())

    @app.get("/")
    async def there() -> str:
        return "there"

    @app.websocket("/ws")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        with suppress(WebSocketDisconnect):
            await socket.send_text(await socket.receive_text())

    listener = bind("127.0.0.1:0")
    async with serving(app, listener, bounds=bounds):
        yield int(listener.getsockname()[1])


async def talk(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """What comes back until the other side hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = asyncio.create_task(whole(reader))
    with suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
    try:
        return await heard
    finally:
        writer.close()


async def whole(reader: asyncio.StreamReader) -> bytes:
    """All until the end, which may be a reset."""
    found = b""
    with suppress(ConnectionError):
        async with asyncio.timeout(30):
            while more := await reader.read(65_536):
                found += more
    return found


@pytest.mark.parametrize("said", [b"", b"GET", b"GET / HTTP/1.1\r\nhost: x\r\n", b"\r\n"])
async def test_whoever_never_ends_a_head_is_hung_up_on(said: bytes) -> None:
    async with listening(HASTY) as port:
        answer = await talk(port, said)
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_head_in_drops_does_not_gain_time() -> None:
    async with listening(HASTY) as port:
        answer = await talk(port, b"GET / HTTP/1.1\r\n", *[b"x-a: b\r\n"] * 40, pause_s=0.05)
    assert answer.startswith(b"HTTP/1.1 408 ") or answer == b""


async def test_line_breaks_between_two_requests_do_not_gain_time() -> None:
    async with listening(HASTY) as port:
        answer = await talk(port, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", *[b"\r\n"] * 40, pause_s=0.05)
    assert b"there" in answer


async def test_a_head_without_end_is_not_kept() -> None:
    async with listening(HASTY) as port:
        began = b"GET / HTTP/1.1\r\nhost: x\r\n"
        answer = await talk(port, began, *[b"x-%d: %s\r\n" % (n, b"y" * 1000) for n in range(200)])
        one = await talk(port, b"GET /" + b"a" * 500_000)
    assert answer.startswith(b"HTTP/1.1 431 ") or answer == b""
    assert one.startswith(b"HTTP/1.1 431 ") or one == b""


@pytest.mark.parametrize("length", [b"content-length: 9999999999\r\n", b"transfer-encoding: chunked\r\n"])
async def test_a_body_without_end_is_refused_and_not_kept(length: bytes) -> None:
    head = b"POST /login HTTP/1.1\r\nhost: x\r\n" + length + b"\r\n"
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    async with listening(HASTY) as port:
        answer = await talk(port, head, *[chunk] * 10)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer


async def test_a_body_that_pauses_is_given_up() -> None:
    async with listening(HASTY) as port:
        answer = await talk(port, b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_bodies_up_to_the_bound_and_evidence_beyond_it() -> None:
    bounds = Bounds(body_bytes=1000, file_bytes=5000)
    async with listening(bounds) as port, AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        for path, size, status in (("/x", 1000, 200), ("/x", 1001, 413), (EVIDENCE, 5000, 200), (EVIDENCE, 5001, 413),
                                   (f"{EVIDENCE}/x", 1001, 413), ("/x", 0, 200)):  # fmt: skip
            answer = await http.post(path, content=b"x" * size)
            assert answer.status_code == status, (path, size)
            assert status != 200 or answer.json() == size


async def test_there_are_only_so_many_connections_and_room_again_when_they_go() -> None:
    bounds = Bounds(head_s=30, connections=20)
    async with listening(bounds) as port:
        taken = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        await asyncio.sleep(0)
        assert await talk(port, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n") == b""
        for _, writer in taken:
            writer.close()
        async with asyncio.timeout(10):
            while b"there" not in await talk(port, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"):
                await asyncio.sleep(0.01)


async def test_one_address_does_not_take_them_all() -> None:
    """Another of this machine's addresses; 127.0.0.1 is exempt, for a proxy may stand there."""
    listener, bounds = bind("127.0.0.1:0"), Bounds(of_address=3)
    app = FastAPI(openapi_url=None)
    async with serving(app, listener, bounds=bounds):
        port = listener.getsockname()[1]
        taken = [await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.9", 0)) for _ in range(5)]
        ended = [reader for reader, _ in taken if await gone(reader)]
        assert len(ended) == 2
        async with AsyncClient() as http:
            assert (await http.get(f"http://127.0.0.1:{port}/")).status_code == 404
        for _, writer in taken:
            writer.close()


async def gone(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(0.3):
            return await reader.read(1) == b""
    except (TimeoutError, ConnectionError) as error:
        return isinstance(error, ConnectionError)


async def test_a_websocket_is_not_hurried_and_its_messages_are_bounded() -> None:
    key = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"
    head = b"GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n" + key + b"\r\n"
    async with listening(HASTY) as port:
        for text, answer in ((b"hello", b"hello"), (b"x" * (HASTY.body_bytes + 1), b"\x03\xf1")):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            await asyncio.sleep(2 * HASTY.head_s)
            writer.write(frame(text))
            assert (await reader.readexactly(2 + len(answer)))[2:] == answer
            writer.close()


def frame(text: bytes) -> bytes:
    """A masked text frame of a WebSocket."""
    size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xff" + len(text).to_bytes(8)
    return b"\x81" + size + bytes(4) + text
