"""Cases: open them, take their steps, see where they stand and how well it goes."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from citywarden.model.case import Deed, Report, Source, Stage
from citywarden.model.casebody import (
    CaseBody,
    RatesBody,
    case_body,
    rates_body,
    whole_body,
)
from citywarden.model.casedesk import Cases
from citywarden.model.casetime import Limit
from citywarden.model.errors import NotFound
from citywarden.model.identity import NEW
from dashboards.api.caseshapes import BoardBody, By, CaseFilters, CategoryBody, NewCase, StepTaken, WholeCaseBody
from dashboards.api.problems import BadQuestion
from dashboards.api.questions import Moment, Tenant, Word
from dashboards.api.rights import Dispatcher, Viewer, needs, signed
from dashboards.api.shapes import Listed
from dashboards.sources import Sources

LONGEST_DAYS = 3660


def cases(sources: Sources, desk: Cases) -> APIRouter:
    """Routes of the cases."""
    router = APIRouter(prefix="/api/v1/cases", tags=["cases"])
    _questions(router, sources, desk)
    _accounts(router, sources, desk)
    _one(router, sources, desk)
    return router


def _questions(router: APIRouter, sources: Sources, desk: Cases) -> None:
    @router.get("", response_model=Listed[CaseBody])
    async def listed(who: Viewer, wanted: Annotated[CaseFilters, Query()]) -> dict[str, object]:
        """Cases, changed last first; somebody of a unit gets those of the unit, and the own reports."""
        page = await desk.seen_by(who).find(wanted.query())
        now_ms = sources.now_ms()
        return {"items": [case_body(case, now_ms) for case in page.items], "next": page.next}

    @router.get("/categories", response_model=list[CategoryBody])
    async def categories(_who: Viewer) -> list[dict[str, object]]:
        """The kinds of cases, and how long each phase of them may take."""
        return [
            {
                "id": c.id, "zh": c.zh, "en": c.en, "unit": c.unit, "overdue": c.overdue, "rules": list(c.rules),
                "limits": {p: {"amount": limit.amount, "clock": limit.clock} for p, limit in c.limits.items()},
                "rework": {"amount": c.rework.amount, "clock": c.rework.clock},
            }
            for c in desk.categories
        ]  # fmt: skip

    @router.get("/units", response_model=list[str])
    async def units(who: Viewer, tenant: Tenant = None) -> list[str]:
        """Units that a case can be given to, by their whole names: of the table, of users, and those that had one."""
        return list(await desk.seen_by(who).units(tenant))

    @router.post("", response_model=CaseBody, status_code=201)
    async def opened(new: NewCase, who: Dispatcher) -> dict[str, object]:
        """Open a case, out of an alert or of what somebody saw. 409 when the alert has an open one already."""
        by, _ = signed(who, new.by)
        report = await _report(sources, desk, new, by, who.tenant)
        said = f"{report.category} {report.title}"[:200]
        async with sources.audit.doing(who, "case.open", [NEW], said) as intent:
            case = await desk.open(report)
            intent.subjects = [case.number]
        return case_body(case, sources.now_ms())


def _accounts(router: APIRouter, sources: Sources, desk: Cases) -> None:
    @router.get("/board", response_model=BoardBody)
    async def board(who: Viewer, tenant: Tenant = None) -> dict[str, object]:
        """How many open cases stand where."""
        found = await desk.seen_by(who).board(tenant)
        stages = [
            {"stage": stage, "open": n, "overdue": late, "near": near}
            for stage, (n, late, near) in found.stages.items()
        ]
        return {"stages": sorted(stages, key=lambda row: list(Stage).index(Stage(str(row["stage"])))),
                "closed_today": found.closed_today}  # fmt: skip

    @router.get("/rates", response_model=list[RatesBody])
    async def rates(
        who: Viewer,
        since: Annotated[Moment | None, Query(description="Begin; left out: the first of this month")] = None,
        until: Annotated[Moment | None, Query(description="End, exclusive; left out: now")] = None,
        by: By | None = None,
        tenant: Tenant = None,
    ) -> list[dict[str, object]]:
        """The rates of a time: one row of everything, or a row for each group."""
        now_ms = sources.now_ms()
        today = datetime.fromtimestamp(now_ms / 1000, sources.timezone)
        first = today.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        start_ms = round(first.timestamp() * 1000) if since is None else since
        stop_ms = now_ms if until is None else until
        if not 0 < stop_ms - start_ms <= timedelta(days=LONGEST_DAYS) // timedelta(milliseconds=1):
            raise BadQuestion(
                "query.until", f"it must be after since, and at most {LONGEST_DAYS} days",
                f"应晚于 since，且相隔不超过 {LONGEST_DAYS} 天",
            )  # fmt: skip
        return [rates_body(row) for row in await desk.seen_by(who).rates(start_ms, stop_ms, by, tenant)]

    @router.get("/export", response_class=StreamingResponse)
    async def export(who: Viewer, wanted: Annotated[CaseFilters, Query()]) -> StreamingResponse:
        """Cases with history and evidence as one JSON document (docs/cases.md), whatever `limit` and `cursor` say."""
        headers = {"content-disposition": 'attachment; filename="cases.json"'}
        return StreamingResponse(
            desk.seen_by(who).export(replace(wanted.query(), cursor=None), wanted.content),
            headers=headers,
            media_type="application/json",
        )


def _one(router: APIRouter, sources: Sources, desk: Cases) -> None:
    @router.get("/{id}", response_model=WholeCaseBody)
    async def one(id: Word, who: Viewer) -> dict[str, object]:
        """A case by id or number: with its history, its files, and the steps the asker can take now."""
        mine = desk.seen_by(who)
        case = await mine.get(id)
        history, files = await mine.history(case.id), await mine.evidence(case.id)
        return whole_body(case, history, files, sources.now_ms()) | {
            "steps": [{"step": step, "reasons": desk.reasons(step)} for step in mine.possible(case, who.role)],
            "left_ms": desk.left_ms(case.deadline) if case.deadline else None,
        }

    @router.post("/{id}/steps", response_model=CaseBody)
    async def take(id: Word, taken: StepTaken, request: Request) -> dict[str, object]:
        """Take a step; returns the case as it is then. 403 without the role it needs, and for somebody of a unit who
        takes one that is not the unit's; 409 when it is not possible.
        """
        who = needs(desk.needs(taken.step))(request)
        mine = desk.seen_by(who)
        by, note = signed(who, taken.by, taken.note)
        limit = Limit(taken.limit.amount, taken.limit.clock) if taken.limit else None
        case = await mine.get(id)
        said = " ".join(filter(None, (taken.why or "", taken.unit, note or "")))[:200]
        async with sources.audit.doing(who, f"case.{taken.step}", [case.number], said):
            after = await mine.take(case.id, Deed(taken.step, by, note, taken.why, taken.unit, limit))
        return case_body(after, sources.now_ms())


async def _report(sources: Sources, desk: Cases, new: NewCase, by: str, tenant: str | None) -> Report:
    """What a new case says: what was given, over what its alert says."""
    at = new.location
    if new.alert is None:
        if new.category is None or new.title is None:
            raise BadQuestion("body", "expected category and title, or an alert", "应有类别和标题，或告警")
        return Report(
            tenant or new.tenant or desk.tenant, new.category, new.title, new.source or Source.PATROL, by, new.text,
            new.place, new.district, at.lat if at else None, at.lon if at else None,
        )  # fmt: skip
    alert = await sources.alerts.get(new.alert)
    if tenant not in (None, alert.tenant):
        raise NotFound(f"no alert {new.alert!r}")
    base = desk.report_of(alert, new.place, by)
    return Report(
        alert.tenant, new.category or base.category, new.title or base.title, new.source or base.source, by, new.text,
        base.place, new.district or base.district, at.lat if at else base.lat, at.lon if at else base.lon, alert.id,
        base.about,
    )  # fmt: skip
