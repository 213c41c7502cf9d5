"""EMQX 5's management API as far as it is used, on loopback, with the shapes and codes of its own documentation."""

import asyncio
import json
from collections.abc import AsyncIterator
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


@dataclass
class EmqxFake:
    """What it has been told. `users`: password by name; `asked`: method and path of each; `away`: answers 503."""

    users: dict[str, str] = field(default_factory=dict)
    rules: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    clients: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    away: bool = False
    url: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = json.loads(await request.body() or b"null")
        await self._answer(request, body)(scope, receive, send)

    def _answer(self, request: Request, body: Any) -> Response:
        path, method = request.scope["raw_path"].decode().partition("?")[0], request.method
        self.asked.append((method, path))
        if self.away:
            return problem(503, "SERVICE_UNAVAILABLE")
        if request.headers.get("authorization") != "Basic a2V5OnNlY3JldA==":
            return problem(401, "BAD_API_KEY_OR_SECRET")
        for place, act in ((USERS, self._users), (RULES, self._rules), (CLIENTS, self._clients)):
            if path == place or path.startswith(f"{place}/"):
                return act(method, unquote(path[len(place) + 1 :]), body, request)
        return problem(404, "API_NOT_EXIST")

    def _users(self, method: str, name: str, body: Any, request: Request) -> Response:
        if not name and method == "POST":
            if body["user_id"] in self.users:
                return problem(409, "ALREADY_EXISTS")
            self.users[body["user_id"]] = body["password"]
            return JSONResponse({"user_id": body["user_id"], "is_superuser": body["is_superuser"]}, 201)
        if not name:
            return paged([{"user_id": one, "is_superuser": False} for one in sorted(self.users)], request)
        if name not in self.users:
            return problem(404, "NOT_FOUND")
        if method == "PUT":
            self.users[name] = body["password"]
        if method == "DELETE":
            del self.users[name]
            return Response(status_code=204)
        return JSONResponse({"user_id": name, "is_superuser": False})

    def _rules(self, method: str, name: str, body: Any, request: Request) -> Response:
        if not name and method == "POST":
            if any(one["username"] in self.rules for one in body):
                return problem(409, "ALREADY_EXISTS")
            self.rules |= {one["username"]: one["rules"] for one in body}
            return Response(status_code=204)
        if not name:
            more = {"qos": [0, 1, 2], "retain": "all"}
            return paged(
                [{"username": u, "rules": [one | more for one in r]} for u, r in sorted(self.rules.items())], request
            )  # fmt: skip
        if name not in self.rules:
            return problem(404, "NOT_FOUND")
        if method == "PUT":
            self.rules[name] = body["rules"]
        if method == "DELETE":
            del self.rules[name]
        return Response(status_code=204)

    def _clients(self, method: str, name: str, body: Any, request: Request) -> Response:
        if not name:
            wanted = request.query_params.get("username")
            return paged([{"clientid": c, "username": u} for c, u in self.clients.items() if u == wanted], request)
        if self.clients.pop(name, None) is None:
            return problem(404, "CLIENTID_NOT_FOUND")
        return Response(status_code=204)


def problem(status: int, code: str) -> Response:
    return JSONResponse({"code": code, "message": code.lower()}, status)


def paged(items: list[dict[str, Any]], request: Request) -> Response:
    page, limit = int(request.query_params["page"]), int(request.query_params["limit"])
    found = items[(page - 1) * limit : page * limit]
    meta = {"count": len(items), "page": page, "limit": limit, "hasnext": page * limit < len(items)}
    return JSONResponse({"data": found, "meta": meta})


@asynccontextmanager
async def emqx_fake() -> AsyncIterator[EmqxFake]:
    """An EMQX that listens until the block ends."""
    fake = EmqxFake()
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
