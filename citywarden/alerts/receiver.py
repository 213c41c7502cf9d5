"""A receiver of webhooks: what a dispatcher's own program would be. For the demo, and to try a target out."""

import asyncio
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import uvicorn
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

REMEMBERED_IDS = 10_000
"""Ids kept to tell a message that comes twice."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message, first time it came. `received_ms`: the receiver's clock."""

    id: str
    received_ms: int
    body: MappingProxyType[str, object]


class Receiver:
    """Verifies Standard Webhooks signatures and keeps the last messages.

    `app` is an ASGI application: POST / takes a message (204; 401 when its signature is wrong; 400 when it is no JSON
    object), GET / tells what came.
    """

    def __init__(self, secret: str, clock_ms: Callable[[], int], keep: int = 200) -> None:
        self._webhook = Webhook(secret)
        self._clock_ms = clock_ms
        self._messages: deque[Received] = deque(maxlen=keep)
        self._ids: dict[str, None] = {}
        self.count = 0
        self.duplicates = 0
        self.rejected = 0
        self.app = Starlette(routes=[Route("/", self._take, methods=["POST"]), Route("/", self._tell)])

    @property
    def messages(self) -> tuple[Received, ...]:
        """The last messages, oldest first."""
        return tuple(self._messages)

    @asynccontextmanager
    async def listen(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on loopback, on a free port for 0, while the block runs; yields the address to post to."""
        with socket.create_server(("127.0.0.1", port)) as server_socket:
            config = uvicorn.Config(self.app, log_level="warning", access_log=False, lifespan="off", ws="none")
            server = QuietServer(config)
            serving = asyncio.create_task(server.serve([server_socket]))
            try:
                yield f"http://127.0.0.1:{server_socket.getsockname()[1]}/"
            finally:
                server.should_exit = True
                await serving

    async def _take(self, request: Request) -> Response:
        raw = await request.body()
        try:
            self._webhook.verify(raw, dict(request.headers), json_parse=False)
        except (WebhookVerificationError, UnicodeDecodeError, ValueError):
            self.rejected += 1
            return Response(status_code=401)
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self.rejected += 1
            return Response(status_code=400)
        self._keep(request.headers["webhook-id"], body)
        return Response(status_code=204)

    def _keep(self, message_id: str, body: dict[str, object]) -> None:
        if message_id in self._ids:
            self.duplicates += 1
            return
        self._ids[message_id] = None
        if len(self._ids) > REMEMBERED_IDS:
            del self._ids[next(iter(self._ids))]
        self.count += 1
        self._messages.append(Received(message_id, self._clock_ms(), MappingProxyType(body)))

    async def _tell(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "count": self.count,
                "duplicates": self.duplicates,
                "rejected": self.rejected,
                "items": [{"id": m.id, "received_ms": m.received_ms, "body": dict(m.body)} for m in self._messages],
            }
        )


class QuietServer(uvicorn.Server):
    """Leaves the signals to the program it is part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
