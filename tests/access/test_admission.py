"""Who is asked to log in, what strangers may have, and what another site may not."""

import pytest

from citywarden.access.admission import Caller, Login, demands_login, is_first, is_foreign, is_loopback, is_open

HERE = {"host": "127.0.0.1:8080"}


def caller(path: str = "/", method: str = "GET", kind: str = "http", peer: str = "127.0.0.1", **headers: str) -> Caller:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Caller(kind, method, path, peer, HERE | told)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("[::1]", True), ("localhost", True),
     ("a.localhost", True), ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("example.org", False),
     ("", False), ("localhost.example.org", False)],
)  # fmt: skip
def test_loopback_is_told_from_the_rest(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_nobody_is_asked_on_the_machine_itself() -> None:
    assert not demands_login(Login.AUTO, True, caller())
    assert not demands_login(Login.AUTO, True, caller(host="localhost:8080"))
    assert not demands_login(Login.AUTO, True, caller(host="[::1]:8080"))


@pytest.mark.parametrize(
    "headers",
    [
        {"x_forwarded_for": "203.0.113.9"},
        {"forwarded": "for=203.0.113.9"},
        {"x_real_ip": "203.0.113.9"},
        {"via": "1.1 proxy"},
        {"host": "rebound.example.org:8080"},
        {"host": ""},
        {"peer": "203.0.113.9"},
        {"peer": ""},
    ],
)
def test_a_proxy_or_a_rebound_name_makes_loopback_public(headers: dict[str, str]) -> None:
    assert demands_login(Login.AUTO, True, caller(**headers))


def test_any_other_address_always_demands_a_login() -> None:
    assert demands_login(Login.AUTO, False, caller())
    assert demands_login(Login.ALWAYS, True, caller())


@pytest.mark.parametrize("path", ["/healthz", "/login", "/api/v1/login", "/_nicegui/3.18.0/static/nicegui.js",
                                  "/_nicegui/3.18.0/components/abc/top_bar.js"])  # fmt: skip
def test_strangers_may_have(path: str) -> None:
    assert is_open(caller(path))


@pytest.mark.parametrize(
    "path",
    ["/", "/alerts", "/metrics", "/api/v1/devices", "/api/v1/openapi.json", "/_nicegui_ws/socket.io/", "/healthz/x",
     "/_nicegui/client/1/upload/2", "/_nicegui/auto/static/x/secret.txt", "/_nicegui/3.18.0/", "/login/../api",
     "/supervision.csv", "/_nicegui/3.18.0/../../api/v1/devices", "//healthz"],
)  # fmt: skip
def test_strangers_may_not_have(path: str) -> None:
    assert not is_open(caller(path))


def test_strangers_may_not_listen() -> None:
    assert not is_open(caller("/login", kind="websocket"))


def test_before_the_password_is_changed_there_is_only_that() -> None:
    assert is_first(caller("/password", "POST"))
    assert not is_first(caller("/"))
    assert not is_first(caller("/api/v1/users"))


@pytest.mark.parametrize(
    ("asked", "foreign"),
    [
        (caller(method="POST"), False),
        (caller(method="POST", origin="http://127.0.0.1:8080"), False),
        (caller(method="POST", origin="http://evil.example"), True),
        (caller(method="POST", origin="http://127.0.0.1:9999"), True),
        (caller(method="POST", origin="null"), True),
        (caller(method="POST", origin="http://["), True),
        (caller(method="POST", sec_fetch_site="cross-site"), True),
        (caller(method="GET", origin="http://evil.example"), False),
        (caller(kind="websocket", origin="http://evil.example"), True),
        (caller(kind="websocket", origin="http://127.0.0.1:8080"), False),
    ],
)
def test_another_site_changes_nothing_and_hears_nothing(asked: Caller, foreign: bool) -> None:
    assert is_foreign(asked) is foreign
