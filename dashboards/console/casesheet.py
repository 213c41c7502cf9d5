"""One case's own page: where it stands, until when, what happened to it, its evidence, and the steps it can take."""

import asyncio
from collections.abc import Mapping, Sequence

from nicegui import ui
from nicegui.events import GenericEventArguments

from citywarden.model.case import Case, Deed, Step, Why
from citywarden.model.casedesk import Cases
from citywarden.model.casetime import Clock, Limit
from citywarden.model.errors import CitywardenError, NotFound
from dashboards.console.broadcast import Broadcast
from dashboards.console.caseviews import case_view, category_view, event_view, file_view
from dashboards.console.parts import CityMap
from dashboards.console.parts.caseparts import CaseSheet
from dashboards.console.picture import Json
from dashboards.console.session import Session, begin, district_names
from dashboards.sources import Sources

MAX_NOTE, MAX_UNIT = 2000, 200
REFRESH_S = 20.0
LONGEST = {Clock.NATURAL: 366 * 1440, Clock.BUSINESS_HOURS: 2000 * 60, Clock.BUSINESS_DAYS: 250}


def deed_of(session: Session, asked: Mapping[str, object]) -> Deed | None:
    """The step that the browser asked for; None when it makes no sense, or nobody says in whose name."""
    by = session.by(asked.get("by"))
    step = next((one for one in Step if one == asked.get("step")), None)
    if by is None or step is None:
        return None

    def text(name: str, longest: int) -> str:
        value = asked.get(name)
        return value.strip()[:longest] if isinstance(value, str) else ""

    why = next((one for one in Why if one == asked.get("why")), None)
    return Deed(step, by, text("note", MAX_NOTE) or None, why, text("unit", MAX_UNIT), _limit(asked))


def _limit(asked: Mapping[str, object]) -> Limit | None:
    amount, clock = asked.get("amount"), next((one for one in Clock if one == asked.get("clock")), None)
    if not isinstance(amount, int | float) or clock is None or not 1 <= amount <= LONGEST[clock]:
        return None
    return Limit(int(amount), clock)


class Sheet:
    """What one page shows of a case, and what keeps it up to date."""

    def __init__(self, session: Session, desk: Cases, case: Case) -> None:
        self._session = session
        self._desk = desk
        self._case = case
        self._leave = desk.subscribe(self._changed)
        self._running: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """The browser is gone."""
        self._leave()
        self._leave = lambda: None

    async def build(self) -> None:
        session, sources = self._session, self._session.sources
        self._part = CaseSheet(
            session.language, file=await self._read(), names=district_names(sources.districts),
            timezone=sources.timezone.key, categories=[category_view(one) for one in self._desk.categories],
            largest=self._desk.largest_file, **session.hand(),
        )  # fmt: skip
        session.parts.append(self._part)
        if self._case.lat is not None and self._case.lon is not None:
            kinds = {kind.name: {"zh": kind.zh, "en": kind.en} for kind in sources.kinds.values()}
            severity = "major" if self._case.open else "info"
            spot = {"lon": self._case.lon, "lat": self._case.lat, "severity": severity, "trail": []}
            city = CityMap(session.language, districts=sources.districts, kinds=kinds, spot=spot)
            city.classes("cw-spot")
            session.parts.append(city)
        self._part.on("act", self._act)
        ui.timer(REFRESH_S, self.show, immediate=False)

    async def _read(self) -> dict[str, Json]:
        desk, session = self._desk, self._session
        case = self._case = await desk.get(self._case.id)
        steps: list[Step] = desk.possible(case, session.who.role) if session.may else []
        alert = f"/alerts/{case.alert}" if case.alert else None
        return {
            "case": case_view(desk, case, session.sources.now_ms()),
            "history": [event_view(event) for event in await desk.history(case.id)],
            "files": [file_view(one) for one in await desk.evidence(case.id)],
            "steps": [{"step": step.value, "reasons": [why.value for why in desk.reasons(step)]} for step in steps],
            "units": list(await desk.units(session.who.tenant)),
            "alert": alert,
        }

    def _changed(self, cases: Sequence[Case]) -> None:
        if any(case.id == self._case.id for case in cases):
            self._running = asyncio.create_task(self.show(), name="case sheet")

    async def show(self) -> None:
        """Read the case again and send it."""
        self._part.props["file"] = await self._read()
        self._part.update()

    async def _act(self, e: GenericEventArguments) -> None:
        session, deed = self._session, deed_of(self._session, e.args)
        if deed is None or not session.may or not session.who.may(self._desk.needs(deed.step)):
            self._part.answered(False, "case_who_missing" if deed is None else "case_not_allowed")
            return
        said = " ".join(filter(None, (deed.why or "", deed.unit, deed.note or "")))[:200]
        named = [self._case.number]
        try:
            async with session.sources.audit.doing(session.who, f"case.{deed.step}", named, said):
                await self._desk.take(self._case.id, deed)
        except CitywardenError as error:
            self._part.answered(False, error.said(session.language))
            return
        self._part.answered(True)


async def sheet_page(sources: Sources, broadcast: Broadcast, ref: str, lang: str | None = None) -> None:
    """Build a case's page for one browser; it follows the case."""
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "case", lang, live_map=True)
        body = ui.element("div").classes("cw-body")
    desk = None if sources.cases is None else sources.cases.seen_by(session.who)
    try:
        case = None if desk is None else await desk.get(ref)
    except NotFound:
        case = None
    if desk is None or case is None:
        with body:
            session.label("case_unknown", "cw-empty")
        return
    sheet = Sheet(session, desk, case)
    ui.context.client.on_delete(sheet.stop)
    with body, ui.element("div").classes("cw-case"):
        await sheet.build()
