"""Login, logout, passwords, users, tokens and the audit over HTTP: door, pages and API together."""

import csv
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from citywarden.access.admission import Login
from citywarden.access.desk import Desk
from citywarden.access.passwords import Passwords
from citywarden.access.reception import Reception
from citywarden.model.access import NewToken, NewUser
from citywarden.model.identity import Identity, Role
from citywarden.sections import Settings
from citywarden.serve.doorman import Doorman
from citywarden.serve.reception import make_first, password_file
from citywarden.serve.tables import open_database
from dashboards.api import mount_api
from dashboards.console.gateway import CSP, add_gateway
from tests.access.conftest import CHEAP
from tests.api.fakes import FakeInbox, alert, sources
from tests.builders import NOON_MS

ROOT = Identity("root", Role.ADMINISTRATOR)
GOOD, BETTER = "river-lantern-42", "mountain-ferry-77"


@dataclass
class House:
    """A server's door, pages and API on a database of its own. `ms`: its clock."""

    reception: Reception
    app: Doorman
    ms: int = NOON_MS

    def client(self, base: str = "http://console.example", **headers: str) -> AsyncClient:
        transport = ASGITransport(self.app, client=("10.0.0.5", 1))
        return AsyncClient(transport=transport, base_url=base, headers=headers)

    async def user(self, name: str, role: Role, tenant: str | None = None) -> None:
        await self.reception.add_user(ROOT, NewUser(name, role, tenant, GOOD))

    async def token(self, role: Role = Role.ADMINISTRATOR, *scopes: str) -> dict[str, str]:
        _, text = await self.reception.add_token(ROOT, NewToken(f"{role}{len(scopes)}", role, None, scopes))
        return {"authorization": f"Bearer {text}"}


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    engine = open_database(f"sqlite:///{folder / 'a.sqlite'}")
    reception = Reception(Desk(engine, Passwords(CHEAP)), lambda: built.ms)
    known = sources(access=reception, audit=reception, alerts=FakeInbox([alert("a1"), alert("a2")]))
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    mount_api(app, known)
    add_gateway(app, known, reception)

    @app.get("/")
    async def wall() -> str:
        return "the wall"

    built = House(reception, Doorman(app, reception, Login.ALWAYS, loopback=False))
    yield built
    await reception.close()
    engine.dispose()


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as built:
        yield built


def csrf_of(page: Response) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{32})"', page.text)
    assert found is not None, page.text
    return found[1]


async def log_in(http: AsyncClient, name: str, password: str = GOOD, path: str = "/login?next=/") -> Response:
    """Through the form, as a browser does."""
    page = await http.get(path)
    form = {"csrf": csrf_of(page), "name": name, "password": password}
    return await http.post(path, data=form)


# -- the pages


async def test_somebody_logs_in_and_comes_where_they_wanted_to_go(made: House) -> None:
    await made.user("zhang", Role.DISPATCHER)
    async with made.client() as http:
        refused = await http.get("/")
        answer = await log_in(http, "zhang", path=refused.headers["location"])
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert (await http.get("/")).text == '"the wall"'
        cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("cw_session="))
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Secure" not in cookie


async def test_over_tls_the_cookie_is_for_tls_only(made: House) -> None:
    await made.user("zhang", Role.DISPATCHER)
    async with made.client("https://console.example") as http:
        answer = await log_in(http, "zhang")
        assert all("Secure" in cookie for cookie in answer.headers.get_list("set-cookie") if '=""' not in cookie)


@pytest.mark.parametrize("away", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_the_way_back_never_leads_elsewhere(made: House, away: str) -> None:
    await made.user("zhang", Role.DISPATCHER)
    async with made.client() as http:
        page = await http.get("/login", params={"next": away})
        form = {"csrf": csrf_of(page), "name": "zhang", "password": GOOD}
        assert (await http.post("/login", params={"next": away}, data=form)).headers["location"] == "/"


async def test_a_wrong_password_is_told_and_the_name_is_kept(made: House) -> None:
    await made.user("zhang", Role.DISPATCHER)
    async with made.client() as http:
        answer = await log_in(http, "zhang", "wrong wrong wrong", "/login?lang=en")
        assert answer.status_code == 401
        assert "Name or password is wrong" in answer.text
        assert 'value="zhang"' in answer.text
        assert "wrong wrong" not in answer.text


async def test_a_form_from_elsewhere_logs_nobody_in(made: House) -> None:
    await made.user("zhang", Role.DISPATCHER)
    async with made.client() as http:
        form = {"csrf": "0" * 32, "name": "zhang", "password": GOOD}
        assert (await http.post("/login", data=form)).status_code == 403
        await http.get("/login")
        assert (await http.post("/login", data=form)).status_code == 403
        assert "cw_session" not in http.cookies


async def test_names_are_shown_as_they_were_typed_and_never_as_markup(made: House) -> None:
    async with made.client() as http:
        answer = await log_in(http, '"><script>alert(1)</script>', "wrong wrong wrong")
        assert "<script>" not in answer.text
        assert answer.headers["content-security-policy"] == CSP


async def test_too_many_failures_say_when_to_come_back(made: House) -> None:
    await made.user("zhang", Role.DISPATCHER)
    async with made.client() as http:
        for _ in range(5):
            assert (await log_in(http, "zhang", "wrong wrong wrong")).status_code == 401
        answer = await log_in(http, "zhang", GOOD, "/login?lang=en")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
        assert "try again in 30 s" in answer.text
        made.ms += 30_000
        assert (await log_in(http, "zhang")).status_code == 303


async def test_the_first_administrator_chooses_a_password_first(made: House, tmp_path: Path) -> None:
    file = make_first(Settings(data=tmp_path), made.reception.desk, NOON_MS)
    assert file == password_file(Settings(data=tmp_path))
    assert file.stat().st_mode & 0o777 == 0o600
    first = file.read_text("utf-8").strip()
    async with made.client() as http:
        answer = await log_in(http, "admin", first)
        assert answer.headers["location"].startswith("/password?")
        assert (await http.get("/")).headers["location"] == "/password"
        assert (await http.get("/api/v1/users")).status_code == 403
        page = await http.get("/password?lang=en")
        form = {"csrf": csrf_of(page), "old": first, "new": BETTER}
        assert (await http.post("/password?lang=en", data=form | {"again": "another"})).status_code == 422
        assert (await http.post("/password?lang=en", data=form | {"csrf": "0", "again": BETTER})).status_code == 403
        empty = await http.post("/password?lang=zh-CN", data=form | {"old": " ", "again": BETTER})
        assert (empty.status_code, "当前密码：请填写" in empty.text) == (422, True)
        short = await http.post("/password?lang=en", data=form | {"new": "short", "again": "short"})
        assert "at least 12" in short.text
        assert (await http.post("/password", data=form | {"again": BETTER})).status_code == 303
        assert (await http.get("/api/v1/users")).json()["items"][0]["must_change"] is False
    assert make_first(Settings(data=tmp_path), made.reception.desk, NOON_MS) is None, "there is somebody already"


async def test_logging_out_ends_the_session_and_needs_the_form(made: House) -> None:
    await made.user("zhang", Role.DISPATCHER)
    async with made.client() as http:
        await log_in(http, "zhang")
        cookie = http.cookies["cw_session"]
        page = await http.get("/password")
        assert (await http.post("/logout", data={"csrf": "0" * 32})).status_code == 403
        assert (await http.post("/logout", data={"csrf": csrf_of(page)})).status_code == 303
        http.cookies.set("cw_session", cookie)
        assert (await http.get("/api/v1/me")).status_code == 401


async def test_one_ends_a_session_elsewhere(made: House) -> None:
    await made.user("zhang", Role.DISPATCHER)
    async with made.client() as here, made.client() as there:
        await log_in(there, "zhang")
        (elsewhere,) = await made.reception.sessions("zhang")
        await log_in(here, "zhang")
        form = {"csrf": csrf_of(await here.get("/password")), "session": elsewhere.id}
        assert (await here.post("/account/end", data=form | {"csrf": "x"})).status_code == 403
        assert (await here.post("/account/end", data=form)).status_code == 303
        assert (await there.get("/api/v1/me")).status_code == 401
        assert (await here.get("/api/v1/me")).json()["name"] == "zhang"


# -- the API


async def test_a_program_logs_in_and_out_with_json(made: House) -> None:
    await made.user("zhang", Role.SUPERVISOR, "north")
    async with made.client() as http:
        me = await http.post("/api/v1/login", json={"name": "zhang", "password": GOOD})
        wanted = {"name": "zhang", "role": "supervisor", "tenant": "north", "unit": "", "login": "session",
                  "must_change": False}  # fmt: skip
        assert me.json() == wanted == (await http.get("/api/v1/me")).json()
        assert (await http.post("/api/v1/logout", json={"everywhere": True})).status_code == 204
        assert (await http.get("/api/v1/me")).status_code == 401
        wrong = await http.post("/api/v1/login", json={"name": "zhang", "password": "wrong"})
        assert (wrong.status_code, wrong.headers["content-type"]) == (401, "application/problem+json")
        for _ in range(4):
            await http.post("/api/v1/login", json={"name": "zhang", "password": "wrong"})
        brake = await http.post("/api/v1/login", json={"name": "zhang", "password": GOOD})
        assert (brake.status_code, brake.headers["retry-after"]) == (429, "30")


async def test_another_site_logs_nobody_in(made: House) -> None:
    await made.user("zhang", Role.SUPERVISOR)
    async with made.client(origin="http://evil.example") as http:
        assert (await http.post("/api/v1/login", json={"name": "zhang", "password": GOOD})).status_code == 403


async def test_a_changed_password_ends_the_sessions_elsewhere(made: House) -> None:
    await made.user("zhang", Role.VIEWER)
    async with made.client() as here, made.client() as there:
        await log_in(here, "zhang")
        await log_in(there, "zhang")
        change = {"old": GOOD, "new": BETTER}
        assert (await here.post("/api/v1/me/password", json={"old": "x", "new": BETTER})).status_code == 401
        assert (await here.post("/api/v1/me/password", json=change)).status_code == 204
        assert (await there.get("/api/v1/me")).status_code == 401
        assert (await here.get("/api/v1/me")).status_code == 200


async def test_administrators_manage_users(made: House) -> None:
    async with made.client(**await made.token()) as http:
        new = await http.post("/api/v1/users", json={"name": "li", "role": "viewer", "tenant": "north"})
        assert new.status_code == 201
        password = new.json()["password"]
        assert (new.json()["must_change"], len(password)) == (True, 24)
        assert (await http.get("/api/v1/users/li")).json() == {k: v for k, v in new.json().items() if k != "password"}
        changed = await http.patch("/api/v1/users/li", json={"role": "dispatcher", "tenant": None, "enabled": False})
        assert (changed.json()["role"], changed.json()["tenant"], changed.json()["enabled"]) == (
            "dispatcher",
            None,
            False,
        )
        reset = await http.patch("/api/v1/users/li", json={"enabled": True, "reset_password": True})
        assert reset.json()["password"] not in (None, password)
        assert (await http.delete("/api/v1/users/li")).status_code == 204
        assert (await http.get("/api/v1/users/li")).status_code == 404
        assert (await http.post("/api/v1/users", json={"name": "a b", "role": "viewer"})).status_code == 409
        assert (await http.post("/api/v1/users", json={"name": "ab", "role": "king"})).status_code == 422


async def test_a_user_of_a_unit_is_one_from_the_next_login_on(made: House) -> None:
    await made.user("zhang", Role.DISPATCHER, "north")
    async with made.client() as http, made.client(**await made.token()) as root:
        await log_in(http, "zhang")
        assert (await http.get("/api/v1/me")).json()["unit"] == ""
        changed = await root.patch("/api/v1/users/zhang", json={"unit": " 路灯管理所 "})
        assert changed.json()["unit"] == "路灯管理所"
        assert (await http.get("/api/v1/me")).status_code == 401
        await log_in(http, "zhang")
        assert (await http.get("/api/v1/me")).json()["unit"] == "路灯管理所"
        assert (await root.patch("/api/v1/users/zhang", json={"role": "administrator"})).status_code == 409
        new = await root.post("/api/v1/tokens", json={"name": "crm", "role": "dispatcher", "unit": "排水抢险队"})
        async with made.client(authorization=f"Bearer {new.json()['token']}") as crm:
            assert (await crm.get("/api/v1/me")).json()["unit"] == "排水抢险队"


async def test_a_token_is_shown_once_and_does_what_its_scopes_say(made: House) -> None:
    async with made.client(**await made.token()) as http:
        new = {"name": "crm", "role": "dispatcher", "scopes": ["alerts:write"]}
        text = (await http.post("/api/v1/tokens", json=new)).json()["token"]
        listed = (await http.get("/api/v1/tokens")).text
        assert text not in listed
        assert text.rpartition("_")[2] not in listed
        async with made.client(authorization=f"Bearer {text}") as crm:
            done = await crm.post("/api/v1/alerts/a1/acknowledge", json={"by": "Wang", "note": "on my way"})
            assert done.status_code == 200
            assert (await crm.get("/api/v1/devices")).status_code == 403
            assert (await crm.get("/api/v1/me")).json()["login"] == "token"
        assert (await http.delete("/api/v1/tokens/crm")).status_code == 204
        async with made.client(authorization=f"Bearer {text}") as crm:
            assert (await crm.get("/api/v1/me")).status_code == 401


async def test_who_does_something_is_who_logged_in(made: House, tmp_path: Path) -> None:
    await made.user("zhang", Role.DISPATCHER)
    async with made.client(**await made.token()) as root, made.client() as http:
        await log_in(http, "zhang")
        await http.post("/api/v1/alerts/a1/acknowledge", json={"by": "The Mayor", "note": "mine"})
        entry = (await root.get("/api/v1/audit", params={"action": "alert"})).json()["items"][0]
        told = (entry["by"], entry["action"], entry["subject"], entry["detail"], entry["source"])
        assert told == ("zhang", "alert.acknowledge", "a1", "[The Mayor] mine", "10.0.0.5")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.DISPATCHER, Role.SUPERVISOR])
async def test_the_record_and_the_users_are_for_administrators(made: House, role: Role) -> None:
    async with made.client(**await made.token(role)) as http:
        for path in ("audit", "audit.csv", "users", "users/a", "tokens"):
            assert (await http.get(f"/api/v1/{path}")).status_code == 403
        done = await http.post("/api/v1/alerts/a1/acknowledge")
        assert done.status_code == (403 if role is Role.VIEWER else 200)


async def test_the_record_is_read_in_pages_and_as_a_file(made: House) -> None:
    await made.user("zhang", Role.DISPATCHER)
    async with made.reception.doing(ROOT, "device.rename", ["=cmd()"], 'a "quoted" detail'):
        pass
    async with made.client(**await made.token()) as http:
        first = (await http.get("/api/v1/audit", params={"limit": 2})).json()
        second = (await http.get("/api/v1/audit", params={"limit": 2, "cursor": first["next"]})).json()
        entries = [*first["items"], *second["items"]]
        assert [entry["action"] for entry in entries] == ["token.add", "device.rename", "user.add"]
        assert [entry["previous"] for entry in entries[:-1]] == [entry["digest"] for entry in entries[1:]]
        answer = await http.get("/api/v1/audit.csv")
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert answer.headers["content-type"].startswith("text/csv")
        assert [row["digest"] for row in rows] == [entry["digest"] for entry in entries]
        assert rows[1]["subject"] == "'=cmd()"
        assert (await http.get("/api/v1/audit", params={"since": NOON_MS + 1})).json()["items"] == []


async def test_strangers_hear_only_that_the_server_is_well(made: House) -> None:
    async with made.client() as http:
        assert (await http.get("/healthz")).json() == {"ok": True, "components": {}, "figures": {}}
    async with made.client(**await made.token(Role.VIEWER)) as http:
        assert (await http.get("/healthz")).json()["components"] == {"store": "ok"}


async def test_metrics_are_not_for_one_tenant(made: House) -> None:
    await made.user("zhang", Role.ADMINISTRATOR, "north")
    async with made.client() as http:
        assert (await http.get("/metrics")).status_code == 401
        await log_in(http, "zhang")
        assert (await http.get("/metrics")).status_code == 403
    async with made.client(**await made.token(Role.VIEWER, "metrics:read")) as http:
        assert (await http.get("/metrics")).status_code == 200
