"""The rules in force, as programs read them."""

from dataclasses import replace

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from citywarden.model.alert import Severity
from citywarden.model.identity import Identity, Role
from citywarden.model.ruling import Demand, Origin, RuleCard
from dashboards.api import mount_api
from dashboards.sources import Sources
from tests.api.fakes import FakeDirectory, FakeInbox, alert, sources
from tests.api.test_rights import As
from tests.builders import device

LEVEL = Demand(Severity.MAJOR, "co_ppm > 9", {"en": "CO > 9"}, 60_000, "co_ppm < 3", {"en": "CO < 3"})
LEAK = RuleCard(
    "gas.leak", "gas", Origin.FILE, {"en": "Leak"}, (LEVEL,), 600_000, Severity.MINOR, 1_800_000, "22:00-06:00",
    message={"en": "{name} leaks"}, profile={"limit": 9}, runbook="https://example.org/leak", file="ours.yaml", line=4,
)  # fmt: skip
STOP = RuleCard(
    "vehicle.dump", "vehicle", Origin.PLAN, {}, (Demand(Severity.CRITICAL, "", {"en": "dumps"}),), by_hand=True
)
DISK = RuleCard("disk.low", "server", Origin.SERVER, {}, (Demand(Severity.MAJOR, "", {"en": "full"}),))


def known() -> Sources:
    things = [device("gas", "g1"), device("gas", "g2", tenant="north"), replace(device("gas", "g3"), enabled=False)]
    raised = [
        alert("a1", rule="gas.leak"), alert("a2", rule="gas.leak", tenant="north"), alert("a3", rule="gas.leak.no_data")
    ]  # fmt: skip
    return sources(rules=(LEAK, STOP, DISK), devices=FakeDirectory(things), alerts=FakeInbox(raised))


async def ask(who: Identity, path: str) -> Response:
    app = FastAPI()
    mount_api(app, known())
    async with AsyncClient(transport=ASGITransport(As(app, who)), base_url="http://a") as http:
        return await http.get(path)


async def test_a_rule_is_told_whole() -> None:
    everybody = Identity("v", Role.VIEWER)
    leak, stop, disk = (await ask(everybody, "/api/v1/rules")).json()["items"]
    assert leak == {
        "id": "gas.leak",
        "kind": "gas",
        "title": {"en": "Leak"},
        "levels": [
            {"severity": "major", "when": "co_ppm > 9", "said": {"en": "CO > 9"}, "for_s": 60.0,
             "reset": "co_ppm < 3", "reset_said": {"en": "CO < 3"}}
        ],
        "no_data": {"rule": "gas.leak.no_data", "after_s": 600.0, "severity": "minor", "open": 1},
        "hold_s": 1800.0,
        "hours": "22:00-06:00",
        "ends_by_hand": False,
        "summary": {"en": "{name} leaks"},
        "profile": {"limit": 9},
        "runbook": "https://example.org/leak",
        "devices": 2,
        "open": 2,
        "source": {"origin": "file", "file": "ours.yaml", "line": 4},
    }  # fmt: skip
    assert (stop["devices"], stop["ends_by_hand"], stop["source"]["file"]) == (0, True, None)
    assert (disk["devices"], disk["hold_s"], disk["hours"], disk["no_data"]) == (None, None, None, None)


async def test_rules_are_chosen_by_kind_and_by_where_they_come_from() -> None:
    everybody = Identity("v", Role.VIEWER)

    async def ids(query: str) -> list[str]:
        return [item["id"] for item in (await ask(everybody, f"/api/v1/rules?{query}")).json()["items"]]

    assert await ids("kind=gas") == ["gas.leak"]
    assert await ids("origin=plan") == ["vehicle.dump"]
    assert await ids("origin=server&kind=gas") == []
    assert (await ask(everybody, "/api/v1/rules?origin=heaven")).status_code == 422


async def test_every_role_sees_the_rules_and_a_tenant_counts_its_own() -> None:
    for role in Role:
        answer = await ask(Identity("n", role, "north"), "/api/v1/rules?kind=gas")
        (leak,) = answer.json()["items"]
        assert (answer.status_code, leak["devices"], leak["open"], leak["no_data"]["open"]) == (200, 1, 1, 0)
    assert (await ask(Identity("", Role.VIEWER, ""), "/api/v1/rules")).status_code == 401
