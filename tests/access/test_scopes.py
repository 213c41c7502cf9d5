"""What a token may touch."""

import pytest

from citywarden.access.scopes import parse_scopes, permits


def test_scopes_are_read_from_words() -> None:
    assert parse_scopes(["readings:read, alerts:write", "readings:read"]) == ("readings:read", "alerts:write")


@pytest.mark.parametrize("wrong", ["readings", "readings:delete", "READINGS:read", ":read", "*"])
def test_what_is_no_scope_is_named(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no scope"):
        parse_scopes([wrong])


@pytest.mark.parametrize(
    ("scopes", "request_", "allowed"),
    [
        ((), "POST /api/v1/alerts/a/acknowledge", True),
        (("readings:read",), "GET /api/v1/readings/gas/g1", True),
        (("readings:read",), "HEAD /api/v1/readings/gas/g1", True),
        (("readings:read",), "GET /api/v1/alerts", False),
        (("alerts:read",), "POST /api/v1/alerts/a/acknowledge", False),
        (("alerts:write",), "POST /api/v1/alerts/a/acknowledge", True),
        (("alerts:write",), "GET /api/v1/alerts", False),
        (("alerts:*",), "GET /api/v1/alerts", True),
        (("*:read",), "GET /api/v1/users", True),
        (("*:read",), "DELETE /api/v1/users/li", False),
        (("metrics:read",), "GET /metrics", True),
        (("alerts:read",), "GET /metrics", False),
        (("alerts:read",), "GET /api/v1/me", True),
        (("alerts:read",), "GET /api/v1/alertsandmore", False),
    ],
)
def test_a_scope_opens_its_area_only(scopes: tuple[str, ...], request_: str, allowed: bool) -> None:
    method, path = request_.split()
    assert permits(scopes, method, path) is allowed
