"""The server itself: health, metrics, what it refused, and the stream of changes."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST

from citywarden.model.casequery import Sight
from citywarden.model.message import Reject
from dashboards.api.problems import BadQuestion, problem
from dashboards.api.questions import Cursor, Limit
from dashboards.api.rights import STRANGER, EveryTenant, identity_of
from dashboards.api.shapes import HealthBody, LetterBody, Listed, letter_body
from dashboards.api.stream import Choice, Event, stream
from dashboards.sources import Health, Sources

_TEXT: dict[int | str, dict[str, object]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
_EVENTS: dict[int | str, dict[str, object]] = {
    200: {
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
        "description": "Events `alert`, `reading`, `task`, `case` and `lagged`; their data is JSON",
    }
}


def server(sources: Sources) -> APIRouter:
    """Routes of the server itself."""
    router = APIRouter(tags=["server"])

    @router.get("/healthz", response_model=HealthBody)
    async def healthz(request: Request) -> object:
        """200 while all is well; otherwise 503, a problem document that also names the components and figures.

        Who has not logged in hears no more than `ok`.
        """
        health = sources.health()
        if identity_of(request) == STRANGER:
            health = Health(health.ok, {}, {})
        body = {"ok": health.ok, "components": dict(health.components), "figures": dict(health.figures)}
        if health.ok:
            return body
        wrong = "; ".join(f"{name}: {state}" for name, state in health.components.items() if state != "ok")
        return problem(503, wrong or "not well", None, **body)

    @router.get("/metrics", responses=_TEXT, response_class=Response)
    async def metrics(_who: EveryTenant) -> Response:
        """Metrics in the text format of Prometheus."""
        return Response(sources.metrics(), headers={"content-type": CONTENT_TYPE_LATEST})

    @router.get("/api/v1/deadletters", response_model=Listed[LetterBody])
    async def deadletters(reason: Reject | None = None, limit: Limit = 100, cursor: Cursor = None) -> dict[str, object]:
        """Messages and items that were refused, newest first, with their bytes."""
        page = await sources.letters.find(None if reason is None else reason.value, limit, cursor)
        return {"items": [letter_body(letter) for letter in page.items], "next": page.next}

    @router.get("/api/v1/stream", responses=_EVENTS, response_class=StreamingResponse)
    async def changes(
        request: Request,
        events: Annotated[
            str | None, Query(max_length=200, description="Of alert,reading,task,case; all if left out")
        ] = None,
        kinds: Annotated[str | None, Query(max_length=2000, description="Kinds, by commas; all if left out")] = None,
    ) -> StreamingResponse:
        """Live changes as server-sent events. A client that was too slow gets `lagged` and should read anew."""
        who = identity_of(request)
        sight = Sight(who.unit, who.name) if who.unit else None
        choice = Choice(_words("events", events, set(Event)), _words("kinds", kinds, set(sources.kinds)), sight)
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingResponse(stream(sources, choice), headers=headers, media_type="text/event-stream")

    return router


def _words(name: str, text: str | None, possible: set[str]) -> frozenset[str]:
    """Words of a list with commas. Raises BadQuestion for one that does not exist."""
    words = frozenset(word.strip() for word in (text or "").split(",") if word.strip())
    if unknown := words - possible:
        raise BadQuestion(
            f"query.{name}", f"no {', '.join(sorted(unknown))}; expected any of: {', '.join(sorted(possible))}",
            f"没有 {'、'.join(sorted(unknown))}，应取自：{'、'.join(sorted(possible))}",
        )  # fmt: skip
    return words
