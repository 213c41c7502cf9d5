"""EMQX 5's management API as far as it is used, on loopback; `emqx_contract.json` says what it must answer."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from citywarden.alerts.receiver import QuietServer

USERS = "/api/v5/authentication/password_based:built_in_database/users"
RULES = "/api/v5/authorization/sources/built_in_database/rules/users"
CLIENTS = "/api/v5/clients"
KEY, SECRET = "key", "secret"
MAX_RULES, MAX_LIMIT = 100, 10_000
REALM = {"WWW-Authenticate": 'Basic Realm="emqx-dashboard"'}


@dataclass(frozen=True)
class Exchange:
    """What was asked and answered, without its values."""

    method: str
    place: str
    named: bool
    query: frozenset[str]
    fields: frozenset[str]
    status: int


@dataclass
class EmqxFake:
    """What it has been told. `users`: password by name; `asked`: method and path of each; `away`: answers 503;
    `without`: of `authentication` and `authorization`, what is not set up.
    """

    users: dict[str, str] = field(default_factory=dict)
    superusers: set[str] = field(default_factory=set)
    rules: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    clients: dict[str, str] = field(default_factory=dict)
    without: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    exchanges: set[Exchange] = field(default_factory=set)
    away: bool = False
    url: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = json.loads(await request.body() or b"null")
        path = request.scope["raw_path"].decode().partition("?")[0]
        answer = self._answer(request, path, body)
        self.asked.append((request.method, path))
        self.exchanges.add(exchange(request.method, path, set(request.query_params), body, answer.status_code))
        await answer(scope, receive, send)

    def _answer(self, request: Request, path: str, body: Any) -> Response:
        if self.away:
            return problem(503, "SERVICE_UNAVAILABLE", "away")
        if "authorization" not in request.headers:
            return problem(401, "AUTHORIZATION_HEADER_ERROR", "Support authorization: basic/bearer ", REALM)
        if request.headers["authorization"] != f"Basic {base64.b64encode(f'{KEY}:{SECRET}'.encode()).decode()}":
            return problem(401, "BAD_API_KEY_OR_SECRET", "Check api_key/api_secret", REALM)
        for place, act in ((USERS, self._users), (RULES, self._rules), (CLIENTS, self._clients)):
            if path == place or path.startswith(f"{place}/"):
                return act(request.method, unquote(path[len(place) + 1 :]), body, request)
        return problem(404, "NOT_FOUND", "Request Path Not Found")

    def _users(self, method: str, name: str, body: Any, request: Request) -> Response:
        if "authentication" in self.without:
            return problem(404, "NOT_FOUND", "Authenticator not found in the 'global' scope")
        if method in ("POST", "PUT") and not isinstance(body.get("password"), str):
            return problem(400, "BAD_REQUEST", "password is required")
        if method == "POST":
            if body["user_id"] in self.users:
                return problem(409, "ALREADY_EXISTS", "User already exists")
            return JSONResponse(self._keep(body["user_id"], body), 201)
        if not name:
            return paged([self._user(one) for one in sorted(self.users)], request)
        if name not in self.users:
            return problem(404, "NOT_FOUND", "User not found")
        if method == "PUT":
            self._keep(name, body)
        if method == "DELETE":
            del self.users[name]
            return Response(status_code=204)
        return JSONResponse(self._user(name))

    def _keep(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.users[name] = body["password"]
        (self.superusers.add if body.get("is_superuser") else self.superusers.discard)(name)
        return self._user(name)

    def _user(self, name: str) -> dict[str, Any]:
        return {"user_id": name, "is_superuser": name in self.superusers}

    def _rules(self, method: str, name: str, body: Any, request: Request) -> Response:
        if "authorization" in self.without:
            return problem(404, "NOT_FOUND", "Not found: built_in_database")
        if method == "POST":
            for one in body:
                if one["username"] in self.rules:
                    return problem(409, "ALREADY_EXISTS", f"User '{one['username']}' already exist")
            self.rules |= {one["username"]: one["rules"] for one in body}
            return Response(status_code=204)
        if method == "PUT":
            assert body["username"] == name
            if len(body["rules"]) > MAX_RULES:
                return problem(400, "BAD_REQUEST", "The rules length exceeds the maximum limit.")
            self.rules[name] = body["rules"]
            return Response(status_code=204)
        if not name:
            return paged([shown(user, rules) for user, rules in sorted(self.rules.items())], request)
        if name not in self.rules:
            return problem(404, "NOT_FOUND", "Username Not Found" if method == "DELETE" else "Not Found")
        if method == "DELETE":
            del self.rules[name]
            return Response(status_code=204)
        return JSONResponse(shown(name, self.rules[name]))

    def _clients(self, method: str, name: str, body: Any, request: Request) -> Response:
        if not name:
            wanted = request.query_params.get("username")
            return paged([{"clientid": c, "username": u} for c, u in self.clients.items() if u == wanted], request)
        if self.clients.pop(name, None) is None:
            return problem(404, "CLIENTID_NOT_FOUND", "Client ID not found")
        return Response(status_code=204)


def exchange(method: str, path: str, query: set[str], body: Any, status: int) -> Exchange:
    """An exchange without its values: which place, whether something in it is named, which fields are given."""
    place = next((place for place in (USERS, RULES, CLIENTS) if path.startswith(place)), path)
    one = body[0] if isinstance(body, list) else body or {}
    return Exchange(method, place, path != place, frozenset(query), frozenset(one), status)


def shown(username: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    more = {"qos": [0, 1, 2], "retain": "all"}
    return {"username": username, "rules": [one | more for one in rules]}


def problem(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"code": code, "message": message}, status, headers)


def paged(items: list[dict[str, Any]], request: Request) -> Response:
    page, limit = int(request.query_params["page"]), int(request.query_params["limit"])
    if page < 1 or not 1 <= limit <= MAX_LIMIT:
        return problem(400, "BAD_REQUEST", "out of range")
    found = items[(page - 1) * limit : page * limit]
    meta = {"count": len(items), "page": page, "limit": limit, "hasnext": page * limit < len(items)}
    return JSONResponse({"data": found, "meta": meta})


@asynccontextmanager
async def emqx_fake(fake: EmqxFake | None = None) -> AsyncIterator[EmqxFake]:
    """An EMQX that listens until the block ends."""
    fake = fake or EmqxFake()
    server = QuietServer(uvicorn.Config(fake, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    fake.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield fake
    finally:
        server.should_exit = True
        await task
