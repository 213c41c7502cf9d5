"""Evidence of cases: files up, files down. A type is what the first bytes say; nothing is shown as a page."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse

from citywarden.model.case import Place
from citywarden.model.casebody import EvidenceBody, evidence_body
from citywarden.model.casedesk import Cases
from citywarden.model.errors import CitywardenError, NotFound, Unavailable
from dashboards.api.problems import BadQuestion, Refused, wanted_by
from dashboards.api.questions import Word
from dashboards.api.rights import Dispatcher, Viewer, signed
from dashboards.sources import Sources

_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {
    "type": "string", "format": "binary"}}}}}  # fmt: skip
_FILE: dict[int | str, dict[str, object]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, max-age=86400",
}


def evidence(sources: Sources, desk: Cases) -> APIRouter:
    """Routes of the evidence."""
    router = APIRouter(prefix="/api/v1/cases/{id}/evidence", tags=["cases"])

    @router.post("", response_model=EvidenceBody, status_code=201, openapi_extra=_BODY)
    async def attach(
        id: Word,
        request: Request,
        who: Dispatcher,
        name: Annotated[str, Query(min_length=1, max_length=200, description="Shown; its ending does not count")],
        place: Place = Place.OTHER,
        by: Annotated[str, Query(min_length=1, max_length=200)] = "api",
    ) -> dict[str, object]:
        """Keep a file with a case: the body is the file itself, JPEG, PNG, WebP, PDF or MP4."""
        mine = desk.seen_by(who)
        case = await mine.get(id)
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > desk.largest_file:
            most = desk.largest_file >> 20
            raise Refused(413, f"a file may have {most} MiB", f"文件不能超过 {most} MiB")
        signer, _ = signed(who, by)
        try:
            async with sources.audit.doing(who, "case.evidence", [case.number], name) as intent:
                kept = await mine.attach(case, request.stream(), name, place, signer)
                intent.detail = f"{kept.name} {kept.sha256}"
        except (NotFound, Unavailable):
            raise
        except CitywardenError as error:
            raise BadQuestion("body", error.said(wanted_by(request))) from None
        return evidence_body(kept)

    @router.get("/{file}", response_class=FileResponse, responses=_FILE)
    async def fetched(id: Word, file: Word, who: Viewer) -> FileResponse:
        """A file, to be saved."""
        mine = desk.seen_by(who)
        found, path = await mine.file((await mine.get(id)).id, file)
        return FileResponse(path, media_type=found.type, filename=found.name, headers=SAFE)

    return router
