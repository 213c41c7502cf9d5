"""Alerts, and what people do about them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query

from citywarden.model.alert import AlertQuery, Severity, Status
from citywarden.model.wire import alert_body
from dashboards.api.questions import Cursor, Limit, Moment, Tenant, Word
from dashboards.api.rights import Dispatcher, signed
from dashboards.api.shapes import AlertBody, Deed, Listed, SeverityWord
from dashboards.sources import Sources

Deeds = Annotated[Deed | None, Body(description="Who does it, and a note; may be left out")]
Told = Literal["firing", "acknowledged", "resolved"]


def dispatch(sources: Sources) -> APIRouter:
    """Routes of the alerts."""
    router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])

    @router.get("", response_model=Listed[AlertBody])
    async def alerts(
        status: Told | None = None,
        rule: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
        severity: SeverityWord | None = None,
        since: Annotated[Moment | None, Query(description="Changed at this time or after")] = None,
        tenant: Tenant = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> dict[str, object]:
        """Alerts, newest first; each as webhooks send it."""
        query = AlertQuery(
            status=None if status is None else Status(status),
            rule=rule,
            severity=None if severity is None else Severity[severity.upper()],
            since_ms=since,
            tenant=tenant,
            limit=limit,
            cursor=cursor,
        )
        page = await sources.alerts.find(query)
        return {"items": [alert_body(alert, sources.language) for alert in page.items], "next": page.next}

    @router.get("/{id}", response_model=AlertBody)
    async def alert(id: Word) -> dict[str, object]:
        """One alert."""
        return alert_body(await sources.alerts.get(id), sources.language)

    @router.post("/{id}/acknowledge", response_model=AlertBody)
    async def acknowledge(id: Word, who: Dispatcher, deed: Deeds = None) -> dict[str, object]:
        """Say that somebody takes care of the alert; returns it as it is then."""
        deed = deed or Deed()
        by, note = signed(who, deed.by, deed.note)
        async with sources.audit.doing(who, "alert.acknowledge", [id], note or ""):
            alert = await sources.alerts.acknowledge(id, by, note)
        return alert_body(alert, sources.language)

    @router.post("/{id}/resolve", response_model=AlertBody)
    async def resolve(id: Word, who: Dispatcher, deed: Deeds = None) -> dict[str, object]:
        """End the alert by hand; returns it as it is then."""
        deed = deed or Deed()
        by, note = signed(who, deed.by, deed.note)
        async with sources.audit.doing(who, "alert.resolve", [id], note or ""):
            alert = await sources.alerts.resolve(id, by, note)
        return alert_body(alert, sources.language)

    return router
