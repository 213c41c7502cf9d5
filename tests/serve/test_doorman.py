"""The door before console and API: who comes in, as whom, and what every answer carries."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from httpx import ASGITransport, AsyncClient, Response
from starlette.types import Message, Receive, Scope, Send

from citywarden.access.admission import Login
from citywarden.model.access import Token, User, Visit
from citywarden.model.errors import Unavailable
from citywarden.model.identity import LOCAL, Identity, Role
from citywarden.serve.doorman import ENDED, Doorman
from dashboards.api.rights import IDENTITY, STRANGER, VISIT

HERE = "http://127.0.0.1:8080"
ZHANG = User("zhang", Role.DISPATCHER, "north")
CRM = Token("1", "crm", Role.VIEWER, None, ("readings:read",), 0, "root")


@dataclass
class Known:
    """Cookies and tokens that open the door."""

    cookies: dict[str, Visit] = field(default_factory=lambda: {"good": Visit("digest", ZHANG, "form")})
    tokens: dict[str, Token] = field(default_factory=lambda: {"cw_good": CRM})
    away: bool = False

    async def visit(self, cookie: str) -> Visit | None:
        if self.away:
            raise Unavailable("the database does not answer")
        return self.cookies.get(cookie)

    async def recognise(self, text: str) -> Token | None:
        return self.tokens.get(text)


class Inside:
    """What stands behind the door, and who came to it."""

    def __init__(self) -> None:
        self.scope: Scope = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                await send({"type": "websocket.send", "text": "heard"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"inside"})

    @property
    def who(self) -> Identity:
        who = self.scope[IDENTITY]
        assert isinstance(who, Identity)
        return who


async def ask(
    path: str = "/", method: str = "GET", *, login: Login = Login.ALWAYS, loopback: bool = True,
    known: Known | None = None,
    headers: Mapping[str, str] = {}, base: str = HERE, peer: str = "127.0.0.1",
) -> tuple[Response, Inside]:  # fmt: skip
    inside = Inside()
    door = Doorman(inside, known or Known(), login, loopback)
    transport = ASGITransport(door, client=(peer, 1234))
    async with AsyncClient(transport=transport, base_url=base) as http:
        return await http.request(method, path, headers=dict(headers)), inside


COOKIE = {"cookie": "cw_session=good"}


async def test_a_stranger_is_sent_to_the_login_and_back() -> None:
    answer, inside = await ask("/alerts?lang=en")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Falerts%3Flang%3Den")
    assert inside.scope == {}


@pytest.mark.parametrize("path", ["/api/v1/devices", "/api/v1/openapi.json", "/api/nothing"])
async def test_a_program_without_a_token_is_told(path: str) -> None:
    answer, inside = await ask(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert inside.scope == {}


@pytest.mark.parametrize("path", ["/healthz", "/login", "/_nicegui/3.1/static/a.js"])
async def test_what_is_open_is_open_to_a_stranger_who_stays_one(path: str) -> None:
    answer, inside = await ask(path)
    assert answer.text == "inside"
    assert inside.who == STRANGER
    assert not inside.who.sees("north")


async def test_a_session_comes_in_under_its_own_name() -> None:
    _, inside = await ask(headers=COOKIE, peer="10.0.0.7")
    assert inside.who == Identity("zhang", Role.DISPATCHER, "north", "10.0.0.7")
    assert inside.scope[VISIT].csrf == "form"


@pytest.mark.parametrize("cookie", ["cw_session=bad", "cw_session=", "other=good", "cw_session"])
async def test_any_other_cookie_opens_nothing(cookie: str) -> None:
    answer, _ = await ask("/api/v1/devices", headers={"cookie": cookie})
    assert answer.status_code == 401


async def test_a_cookie_is_found_among_odd_ones() -> None:
    _, inside = await ask(headers={"cookie": 'a="b; c"; x=[1]; cw_session=good; y'})
    assert inside.who.name == "zhang"


async def test_a_token_opens_the_api_for_its_scopes() -> None:
    bearer = {"authorization": "Bearer cw_good"}
    answer, inside = await ask("/api/v1/readings/gas/g1", headers=bearer)
    assert (answer.status_code, inside.who.name, inside.who.role) == (200, "token:crm", Role.VIEWER)
    answer, _ = await ask("/api/v1/alerts", headers=bearer)
    assert (answer.status_code, "readings:read" in answer.json()["detail"]) == (403, True)
    answer, _ = await ask("/api/v1/alerts", headers=bearer | {"accept-language": "zh-CN"})
    assert answer.json()["detail"] == "令牌 crm 的范围仅限 readings:read"
    answer, _ = await ask("/alerts", headers=bearer)
    assert answer.status_code == 303, "a token is no way to the pages"


async def test_a_bad_token_is_refused_even_where_nobody_is_asked() -> None:
    answer, _ = await ask("/api/v1/devices", login=Login.AUTO, headers={"authorization": "Bearer cw_bad"})
    assert answer.status_code == 401
    assert "invalid_token" in answer.headers["www-authenticate"]


async def test_on_the_machine_itself_nobody_is_asked() -> None:
    _, inside = await ask(login=Login.AUTO)
    assert inside.who == LOCAL
    _, inside = await ask(login=Login.AUTO, headers=COOKIE)
    assert inside.who.name == "zhang", "but who has logged in is known by name"


@pytest.mark.parametrize(
    ("base", "headers"),
    [
        (HERE, {"x-forwarded-for": "203.0.113.9"}),
        (HERE, {"forwarded": "for=203.0.113.9"}),
        ("http://rebound.example", {}),
    ],
)
async def test_a_proxied_or_rebound_request_is_asked_to_log_in(base: str, headers: dict[str, str]) -> None:
    answer, _ = await ask("/api/v1/devices", login=Login.AUTO, base=base, headers=headers)
    assert answer.status_code == 401


async def test_beyond_loopback_everybody_is_asked() -> None:
    answer, _ = await ask("/api/v1/devices", login=Login.AUTO, loopback=False)
    assert answer.status_code == 401


async def test_metrics_are_for_this_machine_and_for_those_who_log_in() -> None:
    assert (await ask("/metrics", login=Login.AUTO, loopback=False))[0].status_code == 200
    assert (await ask("/metrics", loopback=False, peer="10.0.0.1"))[0].status_code == 401
    assert (await ask("/metrics", headers={"x-forwarded-for": "10.0.0.1"}))[0].status_code == 401
    assert (await ask("/metrics", headers=COOKIE, peer="10.0.0.1"))[0].status_code == 200


async def test_a_first_password_opens_nothing_but_its_change() -> None:
    known = Known({"good": Visit("digest", User("new", Role.ADMINISTRATOR, must_change=True), "form")})
    page, _ = await ask("/", headers=COOKIE, known=known)
    assert (page.status_code, page.headers["location"]) == (303, "/password")
    assert (await ask("/api/v1/users", headers=COOKIE, known=known))[0].status_code == 403
    assert (await ask("/password", headers=COOKIE, known=known))[0].status_code == 200


@pytest.mark.parametrize("login", [Login.AUTO, Login.ALWAYS])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:9999"])
async def test_another_site_changes_nothing(login: Login, origin: str) -> None:
    told = COOKIE | {"origin": origin}
    answer, inside = await ask("/api/v1/alerts/a/acknowledge", "POST", login=login, headers=told)
    assert (answer.status_code, inside.scope) == (403, {})


async def test_a_database_that_is_away_lets_nobody_in() -> None:
    answer, inside = await ask("/", headers=COOKIE, known=Known(away=True), login=Login.AUTO)
    assert (answer.status_code, answer.headers["retry-after"], inside.scope) == (503, "5", {})


@pytest.mark.parametrize("path", ["/", "/login", "/api/v1/devices", "/healthz", "/nothing"])
async def test_every_answer_is_protected(path: str) -> None:
    for headers in ({}, COOKIE):
        answer, _ = await ask(path, headers=headers)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "strict-transport-security" not in answer.headers
    answer, _ = await ask(path, base="https://127.0.0.1:8080")
    assert answer.headers["strict-transport-security"].startswith("max-age=")


async def test_the_api_says_that_it_is_no_page() -> None:
    answer, _ = await ask("/api/v1/devices", headers=COOKIE)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


class Socket:
    """The browser's end of a WebSocket, or of a long answer."""

    def __init__(self, kind: str = "websocket", path: str = "/_nicegui_ws/socket.io/", **headers: str) -> None:
        told = {"host": "127.0.0.1:8080"} | headers
        self.scope: Scope = {
            "type": kind, "path": path, "method": "GET", "scheme": "ws", "client": ("127.0.0.1", 1),
            "query_string": b"", "headers": [(name.encode(), value.encode()) for name, value in told.items()],
        }  # fmt: skip
        self.sent: asyncio.Queue[Message] = asyncio.Queue()
        self.heard: asyncio.Queue[Message] = asyncio.Queue()

    async def send(self, message: Message) -> None:
        await self.heard.put(message)


async def test_a_websocket_of_a_stranger_is_closed_before_it_opens() -> None:
    for headers in ({}, {"cookie": "cw_session=good", "origin": "http://evil.example"}):
        socket, inside = Socket(**headers), Inside()
        await socket.sent.put({"type": "websocket.connect"})
        await Doorman(inside, Known(), Login.ALWAYS, True)(socket.scope, socket.sent.get, socket.send)
        assert (await socket.heard.get())["type"] == "websocket.close"
        assert inside.scope == {}


async def test_an_open_websocket_is_closed_when_its_login_ends() -> None:
    socket, inside, known = Socket(cookie="cw_session=good"), Inside(), Known()
    door = Doorman(inside, known, Login.ALWAYS, True)
    running = asyncio.create_task(door(socket.scope, socket.sent.get, socket.send))
    await socket.sent.put({"type": "websocket.connect"})
    assert (await socket.heard.get())["type"] == "websocket.accept"
    await socket.sent.put({"type": "websocket.receive", "text": "hello"})
    assert (await socket.heard.get())["text"] == "heard"
    await door.look()
    assert not running.done()
    known.cookies.clear()
    await door.look()
    assert await socket.heard.get() == {"type": "websocket.close", "code": ENDED}
    await running
    assert inside.who.name == "zhang"


async def test_a_long_answer_ends_when_its_token_is_revoked() -> None:
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    known = Known(tokens={"cw_good": Token("1", "crm", Role.VIEWER, None, (), 0, "root")})
    socket = Socket("http", "/api/v1/stream", authorization="Bearer cw_good")
    door = Doorman(stream, known, Login.ALWAYS, True)
    running = asyncio.create_task(door(socket.scope, socket.sent.get, socket.send))
    await socket.sent.put({"type": "http.request", "body": b""})
    assert [(await socket.heard.get())["type"] for _ in range(2)] == ["http.response.start", "http.response.body"]
    known.tokens.clear()
    await door.look()
    await running
