"""The record of changes as JSON and as CSV, and its routes."""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from citywarden.model.access import AuditEntry, AuditQuery
from citywarden.model.wire import timestamp
from dashboards.api.questions import Cursor, Limit, Moment
from dashboards.api.rights import Administrator
from dashboards.api.shapes import Listed, Timestamp
from dashboards.gate import Access

COLUMNS = ("number", "at", "by", "tenant", "action", "subject", "detail", "source", "previous", "digest")


class EntryBody(BaseModel):
    """One change. `digest` is of the entry and of `previous`, the digest of the one before."""

    number: int
    at: Timestamp
    by: str
    tenant: str | None
    action: str
    subject: str
    detail: str
    source: str
    previous: str
    digest: str


def record(router: APIRouter, gate: Access) -> None:
    """Routes of the record."""

    @router.get("/audit", response_model=Listed[EntryBody])
    async def audit(
        who: Administrator,
        since: Moment | None = None,
        until: Moment | None = None,
        by: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
        action: Annotated[
            str | None, Query(min_length=1, max_length=100, description="`user` fits `user.add` too")
        ] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> dict[str, object]:
        """Every change, newest first."""
        page = await gate.find(who, AuditQuery(since, until, by, action, None, limit, cursor))
        return {"items": [entry_body(entry) for entry in page.items], "next": page.next}

    @router.get(
        "/audit.csv",
        responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
        response_class=StreamingResponse,
    )
    async def audit_csv(
        who: Administrator,
        since: Moment | None = None,
        until: Moment | None = None,
        by: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
        action: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
    ) -> StreamingResponse:
        """The same as a file, all of it."""

        async def lines() -> AsyncIterator[str]:
            cursor: str | None = None
            yield csv_lines((), head=True)
            while True:
                page = await gate.find(who, AuditQuery(since, until, by, action, None, 1000, cursor))
                yield csv_lines(page.items)
                if (cursor := page.next) is None:
                    return

        named = {"content-disposition": 'attachment; filename="citywarden-audit.csv"'}
        return StreamingResponse(lines(), media_type="text/csv", headers=named)


def entry_body(entry: AuditEntry) -> dict[str, object]:
    """One entry."""
    note = entry.note
    return {
        "number": entry.number,
        "at": timestamp(note.at_ms),
        "by": note.by,
        "tenant": note.tenant,
        "action": note.action,
        "subject": note.subject,
        "detail": note.detail,
        "source": note.source,
        "previous": entry.previous,
        "digest": entry.digest,
    }


def csv_lines(entries: Iterable[AuditEntry], head: bool = False) -> str:
    """Entries as lines. A text that a spreadsheet would take for a formula is kept a text."""
    out = io.StringIO()
    writer = csv.writer(out)
    if head:
        writer.writerow(COLUMNS)
    for entry in entries:
        body = entry_body(entry)
        writer.writerow(
            [f"'{v}" if isinstance(v, str) and v[:1] in "=+-@\t\r" and v else v for v in map(body.get, COLUMNS)]
        )
    return out.getvalue()
