"""Every route of the API that changes something leaves its entry in the record: who did what to what."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import httpx
import pytest
from sqlalchemy import Engine, event, insert
from sqlalchemy.exc import OperationalError

from citywarden.access.desk import Desk
from citywarden.cli.running import wall_ms
from citywarden.model.access import AuditEntry, AuditQuery, NewUser
from citywarden.model.claim import State
from citywarden.model.identity import Role
from citywarden.provision import tables
from tests.api.served import ROOT, Served, served
from tests.cases.case_builders import PNG

GOOD, BETTER = "river-lantern-42", "mountain-ferry-77"
DEVICE = "/api/v1/devices/t/gas/NEW1"
CHANGES_NOTHING = {"POST /api/v1/silences/preview"}
"""Asked by POST because the question is long."""


@dataclass(frozen=True)
class Change:
    """What is asked, and the entry it leaves. `{name}` of a path: what that is here."""

    route: str
    action: str
    body: object = None
    path: str = ""
    status: int = 200


ALERTS = {"ids": ["{alert}"], "note": "seen"}
CHANGES = (
    Change("POST /api/v1/alerts/acknowledge", "alert.acknowledge", ALERTS),
    Change("POST /api/v1/alerts/assign", "alert.assign", ALERTS | {"to": "Wang"}),
    Change("POST /api/v1/alerts/resolve", "alert.resolve", ALERTS),
    Change("POST /api/v1/alerts/close", "alert.close", ALERTS),
    Change("POST /api/v1/alerts/{id}/acknowledge", "alert.acknowledge", None, "/api/v1/alerts/{alert}/acknowledge"),
    Change("POST /api/v1/alerts/{id}/assign", "alert.assign", {"to": "Wang"}, "/api/v1/alerts/{alert}/assign"),
    Change("POST /api/v1/alerts/{id}/note", "alert.note", {"note": "wet"}, "/api/v1/alerts/{alert}/note"),
    Change("POST /api/v1/alerts/{id}/resolve", "alert.resolve", None, "/api/v1/alerts/{alert}/resolve"),
    Change("POST /api/v1/alerts/{id}/close", "alert.close", None, "/api/v1/alerts/{alert}/close"),
    Change("POST /api/v1/deliveries/{id}/replay", "delivery.replay", None, "/api/v1/deliveries/{message}/replay"),
    Change("POST /api/v1/targets/{name}/enable", "target.enable", None, "/api/v1/targets/dispatch/enable"),
    Change("POST /api/v1/silences", "silence.begin", {"ends_at": "{soon}", "why": "works", "rule": "gas.*"}, "", 201),
    Change("POST /api/v1/silences/{id}/end", "silence.end", None, "/api/v1/silences/{made}/end"),
    Change("POST /api/v1/cases", "case.open", {"category": "other", "title": "a lid is missing"}, "", 201),
    Change("POST /api/v1/cases/{id}/steps", "case.accept", {"step": "accept"}, "/api/v1/cases/{made}/steps"),
    Change("POST /api/v1/cases/{id}/evidence", "case.evidence", PNG, "/api/v1/cases/{case}/evidence?name=a.png", 201),
    Change("POST /api/v1/users", "user.add", {"name": "sun", "role": "viewer", "unit": "路灯管理所"}, "", 201),
    Change("PATCH /api/v1/users/{name}", "user.change", {"unit": ""}, "/api/v1/users/sun"),
    Change("DELETE /api/v1/users/{name}", "user.remove", None, "/api/v1/users/sun", 204),
    Change("POST /api/v1/tokens", "token.add", {"name": "crm"}, "", 201),
    Change("DELETE /api/v1/tokens/{id}", "token.revoke", None, "/api/v1/tokens/crm", 204),
    Change("POST /api/v1/devices", "device.add", {"tenant": "t", "kind": "gas", "id": "NEW1"}, "", 201),
    Change("PATCH /api/v1/devices/{tenant}/{kind}/{id}", "device.change", {"name": "A"}, DEVICE),
    Change("POST /api/v1/devices/{tenant}/{kind}/{id}/rotate", "device.rotate", None, f"{DEVICE}/rotate"),
    Change("POST /api/v1/devices/{tenant}/{kind}/{id}/disable", "device.disable", None, f"{DEVICE}/disable"),
    Change("POST /api/v1/devices/{tenant}/{kind}/{id}/enable", "device.enable", None, f"{DEVICE}/enable"),
    Change("DELETE /api/v1/devices/{tenant}/{kind}/{id}", "device.remove", None, DEVICE, 204),
    Change("POST /api/v1/devices/{kind}/{device}/commands", "command.send", {"name": "off"},
           "/api/v1/devices/streetlight/L1/commands", 202),
    Change("POST /api/v1/commands/{command}/cancel", "command.cancel", None, "/api/v1/commands/{made}/cancel"),
    Change("POST /api/v1/claims/keys", "claim.key", {"tenant": "t"}, "", 201),
    Change("DELETE /api/v1/claims/keys/{tenant}", "claim.key_dropped", None, "/api/v1/claims/keys/t", 204),
    Change("POST /api/v1/claims/{tenant}/{kind}/{serial}/approve", "claim.approve", {},
           "/api/v1/claims/t/gas/W1/approve"),
    Change("POST /api/v1/claims/{tenant}/{kind}/{serial}/reject", "claim.reject", None,
           "/api/v1/claims/t/gas/W2/reject", 204),
)  # fmt: skip
OWN = {
    "POST /api/v1/login": ["login"], "POST /api/v1/me/password": ["user.password"], "POST /api/v1/logout": ["logout"],
}  # fmt: skip
"""What somebody does about the own login, by the action it is recorded as."""


@dataclass
class Asking:
    """A server, somebody who may do everything there, and its record."""

    server: Served
    http: httpx.Client
    names: dict[str, str]

    @property
    def desk(self) -> Desk:
        return Desk(self.server.engine)

    def entries(self) -> list[AuditEntry]:
        return list(self.desk.find(AuditQuery(limit=1000)).items)

    def ask(self, change: Change) -> httpx.Response:
        method, _, route = change.route.partition(" ")
        path = str(self._filled(change.path or route))
        if isinstance(change.body, bytes):
            return self.http.request(method, path, content=change.body)
        return self.http.request(method, path, json=self._filled(change.body))

    def _filled(self, told: object) -> object:
        if isinstance(told, str) and "{" in told:
            for name, value in self.names.items():
                told = told.replace(f"{{{name}}}", value)
        elif isinstance(told, Mapping):
            return {name: self._filled(value) for name, value in told.items()}
        elif isinstance(told, list):
            return [self._filled(value) for value in told]
        return told


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    with served(tmp_path_factory.mktemp("record"), "credentials") as server:
        with server.engine.begin() as connection:
            for serial in ("W1", "W2"):
                known = {"tenant": "t", "kind": "gas", "serial": serial, "state": State.WAITING, "asked_ms": 1}
                connection.execute(insert(tables.claims).values(known))
        headers = server.headers(Role.ADMINISTRATOR)
        with httpx.Client(base_url=server.url, headers=headers, timeout=60) as http:
            message = http.get("/api/v1/deliveries").json()["items"][0]["id"]
            soon = f"{wall_ms() + 3_600_000}"
            names = {"alert": server.ids["alerts"], "case": server.ids["cases"], "message": message, "soon": soon}
            yield Asking(server, http, names)


@contextmanager
def a_record_that_takes_no_intention() -> Iterator[None]:
    def refuse(_c: object, _cursor: object, statement: str, _parameters: object, _context: object, _many: bool) -> None:
        if statement.startswith("INSERT INTO audit_intention"):
            raise OperationalError(statement, None, sqlite3.OperationalError("the disk is full"))

    event.listen(Engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", refuse)


def test_what_cannot_be_written_down_is_not_done(asking: Asking) -> None:
    before = asking.server.rows()
    known = Asking(asking.server, asking.http, asking.names | {"made": asking.names["case"]})
    with a_record_that_takes_no_intention():
        for change in CHANGES:
            if change.action.startswith(("user.", "token.")):
                continue  # one transaction with their entry: tests/access/test_intentions.py
            answer = known.ask(replace(change, path=change.path.replace("NEW1", "G1")))
            assert answer.status_code == 503, f"{change.route}: {answer.text}"
    assert asking.server.rows() == before


def test_every_change_is_recorded_with_who_made_it(asking: Asking) -> None:
    for change in CHANGES:
        before = asking.entries()
        answer = asking.ask(change)
        assert answer.status_code == change.status, f"{change.route}: {answer.text}"
        if answer.content and "id" in answer.json():
            asking.names["made"] = answer.json()["id"]
        fresh = asking.entries()[: len(asking.entries()) - len(before)]
        told = [(entry.note.by, entry.note.action, entry.note.source) for entry in fresh]
        assert told == [("token:administrator-key", change.action, "127.0.0.1")], change.route
        assert fresh[0].note.subject, f"{change.route}: to what?"
    assert asking.desk.verify().whole


def test_what_is_refused_leaves_no_entry_of_a_change(asking: Asking) -> None:
    before = len(asking.entries())
    headers = asking.server.headers(Role.VIEWER)
    with httpx.Client(base_url=asking.server.url, headers=headers, timeout=60) as viewer:
        for change in CHANGES:
            answer = Asking(asking.server, viewer, asking.names).ask(change)
            assert answer.status_code == 403, change.route
    assert len(asking.entries()) == before


def test_so_is_what_somebody_does_about_the_own_login(asking: Asking) -> None:
    asking.desk.add_user(ROOT, NewUser("zhang", Role.VIEWER, None, GOOD), wall_ms())
    with httpx.Client(base_url=asking.server.url, timeout=60) as http:
        assert http.post("/api/v1/login", json={"name": "zhang", "password": GOOD}).status_code == 200
        assert http.post("/api/v1/me/password", json={"old": GOOD, "new": BETTER}).status_code == 204
        assert http.post("/api/v1/logout").status_code == 204
        assert http.post("/api/v1/login", json={"name": "zhang", "password": GOOD}).status_code == 401
    told = [(entry.note.by, entry.note.action) for entry in reversed(asking.entries()[:4])]
    assert told == [("zhang", "login"), ("zhang", "user.password"), ("zhang", "logout"), ("", "login.failed")]


def test_no_route_that_changes_something_is_left_out(asking: Asking) -> None:
    document = asking.http.get("/api/v1/openapi.json").json()
    there = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
        if method not in ("get", "head")
    }
    assert there == {change.route for change in CHANGES} | set(OWN) | CHANGES_NOTHING
