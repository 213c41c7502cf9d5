"""The way into console and API, HTTP and WebSocket alike: who is asking is found out before anything else is run.

request -> from another site? -> token, session or local? -> password to be changed? -> scope of the token?
        -> the application, with the identity in its scope -> security headers on the answer
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http.cookies import CookieError, SimpleCookie
from typing import Protocol
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from citywarden.access.admission import (
    Caller,
    Login,
    bearer_of,
    demands_login,
    is_first,
    is_foreign,
    is_local,
    is_open,
)
from citywarden.access.scopes import permits
from citywarden.model.access import Token, Visit
from citywarden.model.errors import Unavailable
from citywarden.model.identity import LOCAL, Identity, Role
from citywarden.serve.headers import protected
from dashboards.api.cookies import SESSION
from dashboards.api.problems import OTHER_SITE, language_of, problem
from dashboards.api.rights import IDENTITY, LOG_IN, STRANGER, VISIT

LOOK_S = 5.0
"""How often sessions and tokens of open connections are asked for anew: another process may have ended them."""
ENDED = 4401
"""Code of a WebSocket that is closed because its login has ended."""

_BAD_TOKEN = ("the token is unknown, revoked or expired", "令牌不存在、已吊销或已过期")
_CHANGE_FIRST = (
    "change your password first: POST /api/v1/me/password, or the page /password",
    "请先修改密码：POST /api/v1/me/password，或页面 /password",
)
"""English and Chinese."""


class Recognition(Protocol):
    """Who knows cookies and tokens."""

    async def visit(self, cookie: str) -> Visit | None: ...
    async def recognise(self, text: str) -> Token | None: ...


@dataclass(frozen=True, slots=True)
class Asker:
    """Who is asking, and by what. `refused`: the token that was shown is no good."""

    who: Identity
    visit: Visit | None = None
    token: Token | None = None
    cookie: str = ""
    bearer: str = ""
    refused: bool = False


class Doorman:
    """An application behind a door."""

    def __init__(self, app: ASGIApp, known: Recognition, login: Login, loopback: bool) -> None:
        self._app = app
        self._known = known
        self._login = login
        self._loopback = loopback
        self._inside: set[_Connection] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        caller = caller_of(scope)
        shown = protected(caller.path, str(scope.get("scheme")) in ("https", "wss"), send)
        try:
            asker = await self._asker(caller)
        except Unavailable as error:
            await _refuse(caller, problem(503, str(error), {"Retry-After": "5"}), scope, receive, shown)
            return
        refusal = self._refusal(caller, asker, str(scope.get("query_string", b""), "latin-1"))
        if refusal is not None:
            await _refuse(caller, refusal, scope, receive, shown)
            return
        scope[IDENTITY] = asker.who
        if asker.visit is not None:
            scope[VISIT] = asker.visit
        connection = _Connection(asker, receive, shown)
        self._inside.add(connection)
        try:
            await self._app(scope, connection.receive, connection.send)
        finally:
            self._inside.discard(connection)
            connection.close()

    async def look_around(self) -> None:
        """For good: end what is still open of sessions and tokens that are no longer good."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Once."""
        for connection in list(self._inside):
            try:
                if not await self._still_good(connection.asker):
                    connection.end()
            except Unavailable:
                return

    async def _still_good(self, asker: Asker) -> bool:
        if asker.visit is not None:
            return await self._known.visit(asker.cookie) is not None
        return asker.token is None or await self._known.recognise(asker.bearer) is not None

    async def _asker(self, caller: Caller) -> Asker:
        address = caller.peer
        bearer = bearer_of(caller)
        if bearer is not None and (caller.is_api or caller.path == "/healthz"):
            token = await self._known.recognise(bearer)
            if token is None:
                return Asker(STRANGER, refused=True)
            who = replace(token.identity, source=address)
            return Asker(who, token=token, bearer=bearer)
        cookie = cookie_of(caller)
        visit = await self._known.visit(cookie) if cookie else None
        if visit is not None:
            visit = replace(visit, address=address)
            return Asker(visit.who, visit, cookie=cookie)
        if not demands_login(self._login, self._loopback, caller):
            return Asker(LOCAL)
        if caller.path == "/metrics" and is_local(caller):
            return Asker(Identity("local", Role.VIEWER, source=address))
        return Asker(STRANGER)

    def _refusal(self, caller: Caller, asker: Asker, query: str) -> Response | None:
        """The answer to somebody who may not come in."""
        at = 1 if language_of(caller.headers.get("accept-language", "")) == "zh-CN" else 0
        if is_foreign(caller):
            return problem(403, OTHER_SITE[at])
        if asker.refused:
            return problem(401, _BAD_TOKEN[at], {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        if asker.who == STRANGER and not is_open(caller):
            if caller.is_api or caller.kind == "websocket" or caller.method not in ("GET", "HEAD"):
                return problem(401, LOG_IN[at], {"WWW-Authenticate": "Bearer"})
            back = quote(caller.path + (f"?{query}" if query else ""), safe="")
            return RedirectResponse(f"/login?next={back}", 303)
        if asker.visit is not None and asker.visit.user.must_change and not is_first(caller):
            if caller.is_api or caller.kind == "websocket":
                return problem(403, _CHANGE_FIRST[at])
            return RedirectResponse("/password", 303)
        if asker.token is not None and not permits(asker.token.scopes, caller.method, caller.path):
            name, scopes = asker.token.name, " ".join(asker.token.scopes)
            said = (f"the token {name} has the scopes {scopes} only", f"令牌 {name} 的范围仅限 {scopes}")
            return problem(403, said[at])
        return None


class _Connection:
    """A request that is being answered; when its login ends, it is as if the other side had gone."""

    def __init__(self, asker: Asker, receive: Receive, send: Send) -> None:
        self.asker = asker
        self._receive = receive
        self._send = send
        self._websocket = False
        self._ended = asyncio.Event()
        self._waiting: asyncio.Task[bool] | None = None

    def end(self) -> None:
        self._ended.set()

    def close(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    async def receive(self) -> Message:
        if self.asker.visit is None and self.asker.token is None:
            return await self._receive()
        if self._waiting is None:
            self._waiting = asyncio.create_task(self._ended.wait())
        message = asyncio.ensure_future(self._receive())
        try:
            await asyncio.wait({message, self._waiting}, return_when=asyncio.FIRST_COMPLETED)
            if message.done():
                found = message.result()
                self._websocket = self._websocket or found["type"].startswith("websocket.")
                return found
        finally:
            message.cancel()
        if self._websocket:
            await self._send({"type": "websocket.close", "code": ENDED})
            return {"type": "websocket.disconnect", "code": ENDED}
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self._ended.is_set() and message["type"] in ("websocket.send", "http.response.body"):
            if message["type"] == "http.response.body":
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            else:
                return
        await self._send(message)


def caller_of(scope: Scope) -> Caller:
    """What the door looks at."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        headers[key] = f"{headers[key]}; {value.decode('latin-1')}" if key == "cookie" and key in headers else (
            value.decode("latin-1"))  # fmt: skip
    client = scope.get("client")
    return Caller(
        scope["type"], str(scope.get("method", "GET")), str(scope.get("path", "")), str(client[0]) if client else "",
        headers,
    )  # fmt: skip


def cookie_of(caller: Caller) -> str:
    """The session's cookie, "" without one."""
    jar: SimpleCookie = SimpleCookie()
    for part in caller.headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == SESSION:
            try:
                jar.load(f"{name}={value}")
            except CookieError:
                return ""
    return jar[SESSION].value[:200] if SESSION in jar else ""


Sending = Callable[[Message], Awaitable[None]]


async def _refuse(caller: Caller, answer: Response, scope: Scope, receive: Receive, send: Sending) -> None:
    """Answer; a WebSocket that was not accepted can only be closed, which the other side sees as 403."""
    if caller.kind == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": ENDED, "reason": "log in"})
        return
    await answer(scope, receive, send)
