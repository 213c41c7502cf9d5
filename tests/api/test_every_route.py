"""Every route and method of a whole server: what is wrong is refused in one form, and nobody gets past the role."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, product

import httpx
import pytest

from citywarden.model.identity import Role
from tests.api.served import SECRET, Served
from tests.api.wrong import Asking, Operation, operations
from tests.fuzz.effort import EFFORT

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND")
OPEN = frozenset({"/healthz", "/metrics", "/api/v1/login"})
"""For who has not logged in; the metrics for this machine only."""
OWN = frozenset({"/api/v1/login", "/api/v1/logout", "/api/v1/me/password"})
"""What anybody does about the own login."""
NEVER_ENDS = "/api/v1/stream"
SECRETS = re.compile(r"Traceback|File \"|sqlalchemy|sqlite|argon2|cw_[0-9a-f]{12}_|whsec_|" + re.escape(SECRET[6:]))


@pytest.fixture(scope="module")
def routes(server: Served) -> list[Operation]:
    found = httpx.get(f"{server.url}/api/v1/openapi.json", headers=server.headers(Role.VIEWER), timeout=60).json()
    return operations(found)


@pytest.fixture
def client(server: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as made:
        yield made


def ask(client: httpx.Client, server: Served, role: Role | None, asking: Asking) -> httpx.Response:
    headers = server.headers(role) | ({} if asking.body is None else {"content-type": asking.type})
    return client.request(asking.method, asking.url, content=asking.body, headers=headers)


def misfit(answer: httpx.Response) -> str:
    """What is wrong with a refusal; "" when it is as every refusal has to be."""
    kind = answer.headers.get("content-type", "")
    if not 400 <= answer.status_code < 500:
        return f"{answer.status_code} {answer.text[:300]}"
    if kind != "application/problem+json":
        return f"{answer.status_code} as {kind}: {answer.text[:300]}"
    if answer.request.method == "HEAD":
        return ""
    told = answer.json()
    whole = isinstance(told, dict) and {"type", "title", "detail"} <= set(told) and told["status"] == answer.status_code
    if not whole or SECRETS.search(answer.text) or len(answer.text) > 20_000:
        return f"{answer.status_code} says {answer.text[:300]}"
    return ""


def test_whatever_does_not_fit_the_document_is_refused(
    server: Served, client: httpx.Client, routes: list[Operation]
) -> None:
    tried, broken = 0, []
    for route in routes:
        if route.path == NEVER_ENDS and route.method == "GET":
            continue
        for asking in route.wrong(server.ids):
            answer = ask(client, server, Role.ADMINISTRATOR, asking)
            tried += 1
            if what := misfit(answer):
                broken.append(f"{route.method} {route.path}: {asking.why} -> {what}")
    assert not broken, f"{len(broken)} of {tried}:\n" + "\n".join(broken)
    assert tried > 400


def fits(path: str, address: str) -> bool:
    """Whether a route's path may name that address; `/alerts/assign` is one of `/alerts/{id}`, too."""
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), address) is not None


def test_methods_that_no_route_has_are_405(server: Served, client: httpx.Client, routes: list[Operation]) -> None:
    broken = []
    for path in {route.path for route in routes}:
        address = next(route for route in routes if route.path == path).named(server.ids)
        has = {route.method for route in routes if fits(route.path, address)}
        for method in METHODS:
            if method in has:
                continue
            answer = client.request(method, address, headers=server.headers(Role.ADMINISTRATOR))
            if answer.status_code != 405 or misfit(answer) or not answer.headers.get("allow"):
                broken.append(f"{method} {path}: {answer.status_code} {answer.headers.get('allow')} {misfit(answer)}")
    assert not broken, "\n".join(sorted(broken))


def test_without_a_login_there_is_nothing(server: Served, client: httpx.Client, routes: list[Operation]) -> None:
    before, broken = server.rows(), []
    for route in routes:
        if route.path in OPEN:
            continue
        answer = ask(client, server, None, route.right(server.ids))
        if answer.status_code != 401 or misfit(answer) or not answer.headers.get("www-authenticate"):
            broken.append(f"{route.method} {route.path}: {answer.status_code} {misfit(answer)}")
    assert not broken, "\n".join(broken)
    assert server.rows() == before
    assert client.get("/healthz").json() == {"ok": True, "components": {}, "figures": {}}


@pytest.mark.parametrize("token", ["x", "cw_", "cw_000000000000_" + "a" * 43, "ü", "a" * 5000])
def test_a_token_that_is_none_opens_nothing(server: Served, client: httpx.Client, token: str) -> None:
    for path in ("/api/v1/devices", "/healthz", "/metrics"):
        answer = client.get(path, headers=[(b"authorization", f"Bearer {token}".encode("latin-1"))])
        assert answer.status_code == 401, path
        assert misfit(answer) == ""


def test_a_viewer_changes_nothing(server: Served, client: httpx.Client, routes: list[Operation]) -> None:
    before, broken, tried = server.rows(), [], 0
    for route in routes:
        if route.method == "GET" or route.path in OWN:
            continue
        answer = ask(client, server, Role.VIEWER, route.right(server.ids))
        tried += 1
        if answer.status_code != 403 or misfit(answer):
            broken.append(f"{route.method} {route.path}: {answer.status_code} {answer.text[:200]}")
    assert not broken, "\n".join(broken)
    assert server.rows() == before
    assert tried > 25


def test_the_same_requests_of_an_administrator_do_change_things(
    server: Served, client: httpx.Client, routes: list[Operation]
) -> None:
    """What a viewer was refused was worth refusing: nothing of it fails, and some of it succeeds."""
    done, broken = [], []
    for route in sorted(routes, key=lambda one: one.method == "DELETE"):
        if route.method == "GET" or route.path in OWN:
            continue
        answer = ask(client, server, Role.ADMINISTRATOR, route.right(server.ids))
        if answer.is_success:
            done.append(route.path)
        elif answer.status_code not in (404, 409, 422) or misfit(answer):
            broken.append(f"{route.method} {route.path}: {answer.status_code} {answer.text[:200]}")
    assert not broken, "\n".join(broken)
    assert len(done) > 15, done


TEXTS = ("\x00", "\ud800", "\u202e", "'; DROP TABLE alert; --", "../../../../etc/passwd", "%00", "灯" * 40, "{{7*7}}",
         "<script>alert(1)</script>", "a\r\nSet-Cookie: x=1", "𝕏" * 60)  # fmt: skip
PLACES = ("path", "query", "body")


def test_odd_texts_break_no_route(server: Served, client: httpx.Client, routes: list[Operation]) -> None:
    """Names that no path has, and texts in every place for texts: refused or taken, and never more than that."""
    broken = []
    turns = cycle(TEXTS)
    for route, place in product(routes, PLACES):
        if route.path == NEVER_ENDS or route.path in OWN:
            continue
        for text in TEXTS if EFFORT > 1 else [next(turns) for _ in range(3)]:
            asking = odd(route, server, text, place)
            if asking is None:
                continue
            answer = ask(client, server, Role.ADMINISTRATOR, asking)
            if not (answer.is_success or not misfit(answer)) or "set-cookie" in answer.headers:
                broken.append(f"{route.method} {route.path} {text!r} in the {place}: {misfit(answer)}")
    assert not broken, "\n".join(broken)


def odd(route: Operation, server: Served, text: str, place: str) -> Asking | None:
    """The text as every name of the path, in every query, or in every field that is a text; None: it has none."""
    right, sent = route.right(server.ids), text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    names = {one["name"]: sent for one in route.parameters("path")}
    query = {one["name"]: sent for one in route.parameters("query") if route.is_text(one["schema"])}
    fields = [] if route.body is None else route.resolved(route.body).get("properties", {}).items()
    texts = {name: text for name, schema in fields if route.is_text(schema) and name != "password"}
    if place == "path" and names:
        return replace(right, path=route.named(names))
    if place == "query" and query:
        return replace(right, query={**right.query, **query})
    if place == "body" and texts:
        return replace(right, body=json.dumps({**json.loads(right.body or b"{}"), **texts}).encode())
    return None


@pytest.mark.parametrize("name", ["origin", "host", "cookie", "sec-fetch-site", "x-forwarded-for"])
@pytest.mark.parametrize(
    "value", ["http://[", "[::1", "a" * 3000, "\xff", "cw_session=\x80", "-1", "null", "http://x:99999"]
)
def test_odd_headers_break_nothing(server: Served, client: httpx.Client, name: str, value: str) -> None:
    for path, method in (("/api/v1/silences", "POST"), ("/healthz", "GET"), ("/login", "GET")):
        headers = [(b"host", b"127.0.0.1")] if name != "host" else []
        headers += [(b"content-type", b"application/json"), (name.encode(), value.encode("latin-1"))]
        answer = client.request(method, path, headers=headers)
        assert answer.status_code < 500, answer.text
        assert not SECRETS.search(answer.text[:20_000]) or path == "/login"
