"""Every route of the API that changes something asks who is there, and names the role it needs."""

from dataclasses import dataclass, replace
from typing import cast

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from starlette.types import Receive, Scope, Send

from citywarden.model.identity import LOCAL, Identity, Role
from dashboards.api import build_api
from dashboards.api.rights import IDENTITY, STRANGER, signed
from dashboards.gate import Access
from dashboards.sources import Claims, Dispatch, Enrolment, Sources
from tests.api.fakes import sources

FOR_EVERYBODY = frozenset({"POST /api/v1/login", "POST /api/v1/logout", "POST /api/v1/me/password"})
"""What somebody does about the own login; the last two of them need a session."""
ASKED_LATER = frozenset({"POST /api/v1/cases/{id}/steps"})
"""Which role a step of a case needs depends on the step, which has to be read first."""


@dataclass
class Anybody:
    """A room whose methods nobody reaches: the door to them is closed before."""


def whole() -> Sources:
    """Sources with every room that has routes."""
    nothing = Anybody()
    known = sources(dispatch=cast(Dispatch, nothing), access=cast(Access, nothing))
    return replace(known, enrolment=cast(Enrolment, nothing), claims=cast(Claims, nothing), cases=nothing)  # type: ignore[arg-type]


class As:
    """The API as somebody sees it."""

    def __init__(self, api: FastAPI, who: Identity) -> None:
        self._api, self._who = api, who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._api({**scope, IDENTITY: self._who}, receive, send)


def changing(api: FastAPI) -> list[str]:
    """`METHOD path` of everything in the document that is not only read."""
    found = [f"{method.upper()} {path}" for path, methods in api.openapi()["paths"].items() for method in methods]
    return sorted(name for name in found if not name.startswith("GET "))


async def answers(api: FastAPI, who: Identity) -> dict[str, int]:
    """What somebody hears who tries everything, with nothing to say."""
    transport = ASGITransport(As(api, who), raise_app_exceptions=False)
    heard = {}
    async with AsyncClient(transport=transport, base_url="http://a") as http:
        for name in changing(api):
            method, path = name.split(" ")
            heard[name] = (await http.request(method, path.replace("{", "").replace("}", ""), json={})).status_code
    return heard


async def test_whatever_changes_something_needs_a_dispatcher_at_least() -> None:
    heard = await answers(build_api(whole()), Identity("v", Role.VIEWER))
    assert {"POST /api/v1/alerts/{id}/acknowledge", "POST /api/v1/silences", "PATCH /api/v1/users/{name}"} <= set(heard)
    let_in = {name: status for name, status in heard.items() if status != 403 and name not in FOR_EVERYBODY}
    assert let_in == dict.fromkeys(ASKED_LATER, 422)


async def test_a_dispatcher_comes_further() -> None:
    heard = await answers(build_api(whole()), Identity("d", Role.DISPATCHER))
    assert heard["POST /api/v1/alerts/{id}/acknowledge"] == 404
    assert heard["POST /api/v1/silences"] == 422
    assert heard["PATCH /api/v1/users/{name}"] == 403


async def test_a_stranger_changes_nothing() -> None:
    heard = await answers(build_api(whole()), STRANGER)
    let_in = {name: status for name, status in heard.items() if status != 401 and name not in ASKED_LATER}
    assert let_in == {"POST /api/v1/login": 422}


def test_the_record_is_signed_by_the_login() -> None:
    zhang = Identity("zhang", Role.DISPATCHER)
    assert signed(zhang, "api", "note") == ("zhang", "note")
    assert signed(zhang, "zhang", None) == ("zhang", None)
    assert signed(zhang, "The Mayor", "note") == ("zhang", "[The Mayor] note")
    assert signed(zhang, "The Mayor", None) == ("zhang", "[The Mayor]")


def test_where_nobody_logs_in_the_given_name_counts() -> None:
    assert signed(LOCAL, "Zhang", "note") == ("Zhang", "note")
