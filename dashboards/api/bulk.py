"""The same done to many alerts at once."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from citywarden.model.dispatch import AlertDeed, Doing
from citywarden.model.identity import Identity
from citywarden.model.wire import alert_body
from dashboards.api.rights import Dispatcher, signed
from dashboards.api.shapes import AlertBody, Deed
from dashboards.recording import together
from dashboards.sources import Dispatch, Sources

MOST = 5000
"""Alerts of one request."""


AlertId = Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]


class Many(Deed):
    """Which alerts, who acts, and what there is to say."""

    ids: Annotated[list[AlertId], Field(min_length=1, max_length=MOST)]


class ManyAssigned(Many):
    """`to`: whom they are given to, null: nobody any more."""

    to: Annotated[str | None, Field(min_length=1, max_length=200)]


class DoneBody(BaseModel):
    """The alerts as they are then, in the order asked for; `unknown`: ids that are no alert's."""

    items: list[AlertBody]
    unknown: list[str]


def bulk(sources: Sources, desk: Dispatch) -> APIRouter:
    """Routes that change many alerts in one go."""
    router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])

    async def do(who: Identity, what: Doing, many: Many, to: str | None = None) -> dict[str, object]:
        by, note = signed(who, many.by, many.note)
        ids = list(dict.fromkeys(many.ids))
        said = f"to {to or 'nobody'}" if what is Doing.ASSIGN else note or ""
        async with sources.audit.doing(who, f"alert.{what}", together(ids), said) as intent:
            done = await desk.do_all(ids, AlertDeed(what, by, note, to))
            intent.subjects = together([alert.id for alert in done])
        known = {alert.id for alert in done}
        return {
            "items": [alert_body(alert, sources.language) for alert in done],
            "unknown": [id_ for id_ in ids if id_ not in known],
        }

    @router.post("/acknowledge", response_model=DoneBody)
    async def acknowledge(many: Many, who: Dispatcher) -> dict[str, object]:
        """Say that somebody takes care of these alerts."""
        return await do(who, Doing.ACKNOWLEDGE, many)

    @router.post("/assign", response_model=DoneBody)
    async def assign(many: ManyAssigned, who: Dispatcher) -> dict[str, object]:
        """Give these alerts to somebody, which also acknowledges them."""
        return await do(who, Doing.ASSIGN, many, many.to)

    @router.post("/resolve", response_model=DoneBody)
    async def resolve(many: Many, who: Dispatcher) -> dict[str, object]:
        """End these alerts by hand."""
        return await do(who, Doing.RESOLVE, many)

    @router.post("/close", response_model=DoneBody)
    async def close(many: Many, who: Dispatcher) -> dict[str, object]:
        """File these alerts; those that are open are ended by hand."""
        return await do(who, Doing.CLOSE, many)

    return router
