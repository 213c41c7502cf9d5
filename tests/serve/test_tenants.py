"""A whole server with two tenants: nobody of one ever reads, or changes, what is the other's. Every route is asked."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient, Response
from pydantic import SecretStr

from citywarden.access.desk import Desk
from citywarden.alerts.receiver import Receiver
from citywarden.cli.running import wall_ms
from citywarden.columns import Reading
from citywarden.model.access import NewToken
from citywarden.model.alert import Finding
from citywarden.model.device import Device
from citywarden.model.identity import Identity, Role
from citywarden.model.message import DeadLetter, Reject
from citywarden.sections import AccessSettings, AlertsSettings, Settings, TargetSettings
from citywarden.serve.prepare import prepare
from citywarden.serve.server import Options, Running, running
from citywarden.serve.tables import open_database
from ingest.deadletters import DeadLetters
from tests.alerts.alert_builders import finding
from tests.builders import columns
from tests.serve.conftest import SECRET

MARK = "southsecret"
"""Stands in every name of the other tenant's, and is that tenant's name."""
ROOT = Identity("root", Role.ADMINISTRATOR)
PLAN = json.dumps({
    "type": "FeatureCollection",
    "features": [{
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": [[114.05, 22.54], [114.06, 22.54]]},
        "properties": {"task": f"{MARK}-road", "vehicle": f"{MARK}-v1", "operation": "sweep", "window": "00:00-23:59",
                       "timezone": "Asia/Shanghai"},
    }],
})  # fmt: skip
SHARED = frozenset({"/healthz", "/metrics", "/api/v1/openapi.json"})


@dataclass
class City:
    """A server of two tenants, with a token of each and one that sees both; `ids`: what the paths may name."""

    server: Running
    tokens: Mapping[str, str]
    ids: dict[str, list[str]] = field(default_factory=dict)

    @property
    def today(self) -> str:
        """The day of the tasks."""
        return self.ids["tasks"][0].rpartition("@")[2]

    def client(self, who: str) -> AsyncClient:
        headers = {"authorization": f"Bearer {self.tokens[who]}"}
        return AsyncClient(base_url=self.server.url, headers=headers, timeout=30)


def things(tenant: str) -> Iterator[Device]:
    for kind in ("gas", "vehicle"):
        name = f"{tenant}-{kind[0]}1"
        yield Device(tenant=tenant, kind=kind, id=name, name=f"{name} thing", district="Futian", lat=22.5, lon=114.0)


def alarm(device: Device) -> Finding:
    known: dict[str, object] = {"tenant": device.tenant, "summary": {"en": f"Methane at {device.name}", "zh-CN": "x"}}
    return finding("major", wall_ms(), device.id, **known)


@asynccontextmanager
async def city(folder: Path) -> AsyncIterator[City]:
    """Devices, readings, alerts, deliveries, silences, dead letters and a plan, of both where that can be."""
    receiver = Receiver(SECRET, wall_ms)
    async with receiver.listen() as address:
        target = TargetSettings(name="dispatch", url=address, secret=SecretStr(SECRET), language="en")
        settings = Settings(
            tenant=MARK, language="en", data=folder, alerts=AlertsSettings(targets=(target,)),
            access=AccessSettings(login="always"),
        )  # fmt: skip
        async with running(prepare(settings, None, PLAN), Options(port=0), wall_ms) as server:
            yield await filled(server, settings)


async def filled(server: Running, settings: Settings) -> City:
    engine = open_database(settings.database_url)
    desk, now_ms = Desk(engine), wall_ms()
    tokens = {
        who: desk.add_token(ROOT, NewToken(f"{who}-key", Role.ADMINISTRATOR, tenant), now_ms)[1]
        for who, tenant in (("north", "north"), ("both", None))
    }
    for tenant in ("north", MARK):
        server.registry.add(list(things(tenant)))
        for device in things(tenant):
            value = {"methane_lel_pct": 30.0} if device.kind == "gas" else {"lat": 22.5, "lon": 114.0}
            batch = columns(device.kind, [(0, value)], device, now_ms - 1000)
            server.live.update(batch)
            await server.store.write(batch)
    letters = DeadLetters(engine, 1000)
    letters.add([
        DeadLetter(0, n, -1, f"city/{tenant}/gas/{tenant}-g9/status", b"{}", now_ms, Reject.BAD_TOPIC, f"of {tenant}")
        for n, tenant in enumerate(("north", MARK))
    ])  # fmt: skip
    raised = await server.desk.apply([alarm(next(things(tenant))) for tenant in ("north", MARK)], now_ms, {})
    assert await server.courier.drain(60)
    made = City(server, tokens)
    async with made.client("both") as http:
        silence = {"ends_at": now_ms + 3_600_000, "why": f"why {MARK}", "tenant": MARK, "rule": "no.rule"}
        quiet = (await http.post("/api/v1/silences", json=silence)).json()["id"]
        told = (await http.get("/api/v1/deliveries")).json()["items"]
        sent = [one["id"] for one in told if one["alert"]["tenant"] == MARK]
        body = {"tenant": MARK, "title": f"{MARK} case", "alert": next(a.id for a in raised if a.tenant == MARK)}
        case = await http.post("/api/v1/cases", json=body)
        await http.post("/api/v1/users", json={"name": f"{MARK}-user", "role": "viewer", "tenant": MARK})
        token = await http.post("/api/v1/tokens", json={"name": f"{MARK}-token", "tenant": MARK})
        tasks = [task["task"] for task in (await http.get("/api/v1/tasks")).json()["items"]]
    assert case.status_code == 201, case.text
    engine.dispose()
    made.ids = {
        "alerts": [alert.id for alert in raised if alert.tenant == MARK], "deliveries": sent, "silences": [quiet],
        "cases": [case.json()["id"]], "tasks": tasks, "users": [f"{MARK}-user"], "tokens": [token.json()["id"]],
        "kind": ["gas", "vehicle"], "device": [f"{MARK}-g1", f"{MARK}-v1"], "tenant": [MARK], "targets": ["dispatch"],
    }  # fmt: skip
    return made


def addresses(path: str, ids: Mapping[str, list[str]]) -> list[str]:
    """A path of the document with what the other tenant has in place of its parameters."""
    found = [path]
    while "{" in found[0]:
        before, _, rest = found[0].partition("{")
        name, _, _ = rest.partition("}")
        area = before.removeprefix("/api/v1/").partition("/")[0]
        values = ids.get(name) or ids.get(area) or ["none"]
        found = [one.replace(f"{{{name}}}", value) for one in found for value in values]
    return found


async def document(http: AsyncClient) -> dict[str, Any]:
    got = (await http.get("/api/v1/openapi.json")).json()
    assert isinstance(got, dict)
    return got


async def first(http: AsyncClient, method: str, path: str, body: object = None) -> Response:
    """An answer; of one that never ends, the beginning."""
    if path.partition("?")[0].endswith("/stream"):
        return Response(200, text="")
    return await http.request(method, path, json=body)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def test_nobody_reads_what_another_tenant_has(folder: Path) -> None:
    async with city(folder) as made, made.client("north") as north, made.client("both") as both:
        paths = [path for path, methods in (await document(both))["paths"].items() if "get" in methods]
        told: set[str] = set()
        for path in paths:
            asked = [one for one in addresses(path, made.ids) if path not in SHARED]
            asked += [f"{one}?tenant={MARK}" for one in asked] if path not in SHARED else []
            for address in asked:
                seen = await first(north, "GET", address)
                echo = seen.json().get("detail", "") if seen.status_code >= 400 else seen.text
                if seen.status_code < 400:
                    assert MARK not in echo, (address, echo[:2000])
                if MARK in (await first(both, "GET", address)).text:
                    told.add(path)
        # Those who see both do read it there: the walk looks where something is.
        assert told >= {
            "/api/v1/devices", "/api/v1/alerts", "/api/v1/alerts/{id}", "/api/v1/alerts/{id}/history",
            "/api/v1/alerts/{id}/deliveries", "/api/v1/deliveries", "/api/v1/deliveries/{id}",
            "/api/v1/deliveries/{id}/inspection", "/api/v1/silences", "/api/v1/silences/{id}", "/api/v1/deadletters",
            "/api/v1/tasks", "/api/v1/tasks/{task}/report", "/api/v1/cases", "/api/v1/cases/{id}",
            "/api/v1/cases/export", "/api/v1/users", "/api/v1/tokens", "/api/v1/audit", "/api/v1/audit.csv",
        }  # fmt: skip
        measured = (await north.get("/api/v1/alerts/measures")).json()
        assert (measured["raised"], sum(measured["open_by_age"].values())) == (1, 1)
        assert (await both.get("/api/v1/alerts/measures")).json()["raised"] == 2
        readings = await north.get(f"/api/v1/readings/gas/{MARK}-g1?tenant={MARK}")
        assert readings.status_code == 404
        assert len((await north.get("/api/v1/readings/gas/north-g1")).json()["items"]) == 1
        assert (await north.get("/metrics")).status_code == 403


BODIES: Mapping[str, object] = {
    "/api/v1/alerts/{id}/assign": {"to": "me"},
    "/api/v1/alerts/{id}/note": {"note": "mine now"},
    "/api/v1/cases/{id}/steps": {"step": "note", "note": "mine now"},
    "/api/v1/users/{name}": {"role": "viewer"},
}


async def test_nobody_changes_what_another_tenant_has(folder: Path) -> None:
    async with city(folder) as made, made.client("north") as north, made.client("both") as both:
        before = {name: (await both.get(f"/api/v1/{name}")).json()["items"] for name in ("alerts", "silences", "users")}
        tried = 0
        for path, methods in (await document(both))["paths"].items():
            for method in set(methods) & {"post", "put", "patch", "delete"}:
                if "{" not in path:
                    continue
                for address in addresses(path, made.ids):
                    answer = await first(north, method.upper(), address, BODIES.get(path))
                    assert answer.status_code in (403, 404, 422), (method, address, answer.status_code, answer.text)
                    assert answer.status_code != 422 or path not in BODIES, (address, answer.text)
                    tried += 1
        assert tried >= 12
        after = {name: (await both.get(f"/api/v1/{name}")).json()["items"] for name in before}
        assert after == before
        for path, body in (
            ("/api/v1/silences", {"ends_at": wall_ms() + 3_600_000, "why": "x", "tenant": MARK}),
            ("/api/v1/users", {"name": "spy", "role": "viewer", "tenant": MARK}),
            ("/api/v1/users", {"name": "spy", "role": "viewer"}),
            ("/api/v1/tokens", {"name": "spy", "tenant": MARK}),
            ("/api/v1/tokens", {"name": "spy"}),
        ):
            assert (await north.post(path, json=body)).status_code == 403, path
        mine = await north.post("/api/v1/silences", json={"ends_at": wall_ms() + 3_600_000, "why": "x"})
        assert mine.json()["tenant"] == ["north"], "a silence of a tenant's is about that tenant's alerts only"


async def test_the_stream_tells_a_tenant_of_its_own_only(folder: Path) -> None:
    async with city(folder) as made, made.client("north") as north, made.client("both") as both:
        async with north.stream("GET", "/api/v1/stream") as mine, both.stream("GET", "/api/v1/stream") as all_of_it:
            heard, everything = mine.aiter_text(), all_of_it.aiter_text()
            await anext(heard), await anext(everything)
            made.server.live.tell_all(await made.server.work.reports(date.fromisoformat(made.today)))
            for tenant in (MARK, "north"):
                for device in things(tenant):
                    made.server.live.tell(Reading(device, wall_ms(), wall_ms(), {"battery_v": 3.6}))
                made.server.live.tell_all(a for a in await made.server.desk.open() if a.tenant == tenant)
            text = ""
            while "event: alert" not in text:
                text += await anext(heard)
            told = ""
            while told.count("event: alert") < 2:
                told += await anext(everything)
        assert MARK not in text
        assert "north-g1" in text
        assert f"{MARK}-road" in told
