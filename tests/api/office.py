"""The cases' API over a real desk, in a database of the test's own."""

from dataclasses import replace
from pathlib import Path

import httpx
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from starlette.types import Receive, Scope, Send

from citywarden.cases.desk import CaseDesk
from citywarden.cases.ledger import Ledger
from citywarden.model.identity import Identity, Role
from citywarden.serve.tables import open_database
from dashboards.api import mount_api
from dashboards.api.rights import IDENTITY
from dashboards.sources import Sources
from tests.api.fakes import FakeInbox, alert, sources
from tests.cases.case_builders import MONDAY_MS, TABLE, evidence_store
from tests.record import Record

LI = Identity("li", Role.DISPATCHER, "t")
CHEN = Identity("chen", Role.SUPERVISOR, "t")
LOOKING = Identity("wu", Role.VIEWER, "t")
OTHER = Identity("ma", Role.ADMINISTRATOR, "u")


class Office:
    """The API over a desk; `self(who, method, path)` asks as somebody."""

    def __init__(self, folder: Path) -> None:
        self.now_ms = MONDAY_MS
        self.engine = open_database(f"sqlite:///{folder / 'cases.sqlite'}")
        store = evidence_store(folder, largest=1 << 20)
        self.desk = CaseDesk(Ledger(self.engine, TABLE), store, lambda: self.now_ms, "t")
        self.record = Record()
        inbox = FakeInbox([alert("a1", district="Futian"), replace(alert("a2"), tenant="u")])
        known: Sources = sources(cases=self.desk, alerts=inbox, audit=self.record, now_ms=lambda: self.now_ms)
        self._app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        mount_api(self._app, known)

    async def __call__(self, who: Identity | None, method: str, path: str, **more: object) -> httpx.Response:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self._app({**scope, **({IDENTITY: who} if who else {})}, receive, send)

        async with AsyncClient(transport=ASGITransport(app), base_url="http://c") as http:
            return await http.request(method, f"/api/v1/cases{path}", **more)  # type: ignore[arg-type]

    async def open(self, who: Identity = LI, **known: object) -> dict[str, object]:
        body = {"category": "streetlight_dark", "title": "路灯不亮", "location": {"lat": 22.5, "lon": 114.0}} | known
        answer = await self(who, "POST", "", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def step(self, who: Identity, number: object, step: str, **more: object) -> httpx.Response:
        return await self(who, "POST", f"/{number}/steps", json={"step": step, **more})
