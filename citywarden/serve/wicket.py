"""What one side may take of HTTP before anybody knows who it is: heads, bodies and connections have a size and a time.

connection -> too many? -> head: complete in time, not too long -> body: complete in time, not too large -> application
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dashboards.api.problems import problem

_EVIDENCE = re.compile(r"/api/v1/cases/[^/]+/evidence")
SLOWEST = 16 * 1024
"""Bytes a second at which a body has to come on the whole."""
_LAST = {"Connection": "close"}
"""What is left of a body that was refused is no next request."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """`head_*`: a request line and its headers. `body_s`: the longest pause in a body; `file_bytes`: of evidence.
    `connections`: in all; `of_address`: of one address, proxies that are known and this machine excepted.
    """

    head_s: float = 20.0
    head_bytes: int = 64 * 1024
    body_s: float = 30.0
    body_bytes: int = 1024 * 1024
    file_bytes: int = 1024 * 1024
    connections: int = 2000
    of_address: int = 500

    def body_of(self, path: str) -> int:
        """Bytes that the body of a request to that path may have."""
        return self.file_bytes if _EVIDENCE.fullmatch(path) else self.body_bytes


DEFAULT = Bounds()


class Wicket(HttpToolsProtocol):
    """One connection, until its head is there."""

    bounds = DEFAULT
    _head_bytes = 0
    _waited: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections or self._of_address() > self.bounds.of_address:
            transport.abort()
            return
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # Between two requests, line breaks are no beginning of one, and would end uvicorn's own patience.
        if self._waited is None and (self.cycle is None or self.cycle.response_complete):
            self._wait()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._waited is not None and self._head_bytes > self.bounds.head_bytes:
            self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._waited is None:
            self._wait()

    def on_headers_complete(self) -> None:
        self._wait_no_more()
        super().on_headers_complete()

    def _of_address(self) -> int:
        """How many connections its address has, 0 where many may share it."""
        address, known = self.client and self.client[0], self.config.forwarded_allow_ips or ()
        if address is None or address in known:
            return 0
        return sum((getattr(one, "client", None) or ("",))[0] == address for one in self.connections)

    def _wait(self) -> None:
        self._head_bytes = 0
        self._waited = self.loop.call_later(self.bounds.head_s, self._refuse, b"408 Request Timeout")

    def _wait_no_more(self) -> None:
        if self._waited is not None:
            self._waited.cancel()
            self._waited = None

    def _refuse(self, status: bytes) -> None:
        """Say so, and hang up."""
        self._wait_no_more()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()


def wicket_of(bounds: Bounds) -> type[Wicket]:
    """The protocol with these bounds."""

    class Fitted(Wicket):
        pass

    Fitted.bounds = bounds
    return Fitted


class Bounded:
    """An application whose requests have bodies that end."""

    def __init__(self, app: ASGIApp, bounds: Bounds) -> None:
        self._app = app
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._bounds.body_of(scope["path"])
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        said = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        try:
            if said.isdigit() and int(said[:20]) > most:
                raise HTTPException(413, f"a body may have {most} bytes here")
            await self._app(scope, _bounded(receive, most, self._bounds.body_s), sending)
        except HTTPException as error:
            if not begun:
                await problem(error.status_code, error.detail, _LAST)(scope, receive, send)


def _bounded(receive: Receive, most: int, pause_s: float) -> Receive:
    """What comes in, until it is too much or takes too long: then an HTTPException, which applications answer."""
    clock: Callable[[], float] = asyncio.get_running_loop().time
    until, taken, whole = clock() + pause_s + most / SLOWEST, 0, False

    async def receiving() -> Message:
        nonlocal taken, whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout(min(pause_s, until - clock())):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "the body took too long", _LAST) from None
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            whole = not message.get("more_body", False)
        if taken > most:
            raise HTTPException(413, f"a body may have {most} bytes here", _LAST)
        return message

    return receiving
