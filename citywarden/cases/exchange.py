"""Cases as a JSON document that other programs read, and back into an empty, or at least another, database."""

import base64
import binascii
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import orjson
from pydantic import ValidationError
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from citywarden.cases import archive, tables
from citywarden.cases.evidence import EvidenceStore, type_of
from citywarden.cases.ledger import Ledger
from citywarden.cases.records import case_row, event_row, evidence_row
from citywarden.model.case import Asked, Case, CaseEvent, Evidence
from citywarden.model.casebody import (
    CaseDocument,
    CasesDocument,
    DeadlineBody,
    EvidenceDocument,
    LimitBody,
    case_body,
    event_body,
    evidence_body,
)
from citywarden.model.casequery import CaseQuery
from citywarden.model.casetime import Deadline, Limit
from citywarden.model.errors import CitywardenError, ConfigurationError, NotFound, Problem
from citywarden.model.wire import timestamp

FORMAT, VERSION = "citywarden.cases", 1
PAGE = 500
MOST_PROBLEMS = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def export(
    ledger: Ledger, query: CaseQuery, now_ms: int, content: Callable[[Evidence], bytes | None] = lambda _one: None
) -> Iterator[bytes]:
    """The document in pieces, one case at a time, changed last first. `content`: a file's bytes, None to leave out."""
    head = {"format": FORMAT, "version": VERSION, "exported_at": timestamp(now_ms)}
    yield orjson.dumps(head)[:-1] + b',"cases":['
    between = b"\n"
    for case in _cases(ledger, query, now_ms):
        history = ledger.read(partial(archive.history, case_id=case.id))
        files = ledger.read(partial(archive.evidence, case_id=case.id))
        document = case_body(case, now_ms) | {
            "history": [event_body(event) for event in history],
            "evidence": [evidence_body(one) | {"content": _encoded(content(one))} for one in files],
        }
        yield between + orjson.dumps(document)
        between = b",\n"
    yield b"\n]}\n"


def contents(store: EvidenceStore) -> Callable[[Evidence], bytes | None]:
    """Reads files for an export; what is not there any more is left out."""

    def read(one: Evidence) -> bytes | None:
        try:
            return store.path(one.sha256).read_bytes()
        except NotFound:
            return None

    return read


async def bring_in(ledger: Ledger, store: EvidenceStore, text: bytes, file: str) -> int:
    """Enter every case of a document, or none; returns how many.

    Raises ConfigurationError naming everything that is wrong: the shape, contents that do not fit their hash, ids and
    numbers that are there already.
    """
    document = parse(text, file)
    problems: list[Problem] = []
    for i, case in enumerate(document.cases):
        for j, one in enumerate(case.evidence):
            if one.content is not None and (what := _misfit(one, store.largest)) is not None:
                problems.append(Problem(file, None, f"cases[{i}].evidence[{j}]", what))
    problems += ledger.read(partial(_there_already, document=document, file=file))
    if problems:
        raise ConfigurationError(problems[:MOST_PROBLEMS])
    for case in document.cases:
        for one in case.evidence:
            if one.content is not None:
                await store.take(_one(base64.b64decode(one.content)))
    try:
        with ledger.writing() as connection:
            for case in document.cases:
                _enter(connection, case)
    except IntegrityError as error:
        raise CitywardenError(f"the cases do not fit what is there: {error.orig}") from None
    return len(document.cases)


def parse(text: bytes, file: str) -> CasesDocument:
    """The document of an export. Raises ConfigurationError."""
    try:
        return CasesDocument.model_validate_json(text)
    except ValidationError as error:
        found = [
            Problem(file, None, _path(one["loc"]), str(one["msg"])) for one in error.errors(include_url=False)
        ]  # fmt: skip
        raise ConfigurationError(found[:MOST_PROBLEMS]) from None


def case_of(body: CaseDocument) -> Case:
    """The case of a document, as `case_body` wrote it."""
    asked, alert, at = body.extension_asked, body.alert, body.location
    return Case(
        body.id, body.tenant, body.number, body.category, body.title, body.source, body.stage, _ms(body.reported_at),
        _ms(body.updated_at), body.reporter, body.text, body.place, body.district, at.lat if at else None,
        at.lon if at else None, alert.id if alert else None, (alert.kind, alert.subject) if alert else None,
        _maybe(alert.resolved_at) if alert else None, body.unit, _maybe(body.verified_at), _maybe(body.accepted_at),
        _maybe(body.filed_at), _maybe(body.dispatched_at), _maybe(body.begun_at), _maybe(body.handled_at),
        _maybe(body.checked_at), _maybe(body.closed_at), _maybe(body.ended_at), _deadline(body.deadline),
        _deadline(body.handle_deadline), _deadline(body.whole_deadline),
        Asked(_limit(asked.limit), asked.why, asked.by, _ms(asked.at), asked.note) if asked else None,
        body.extensions, body.reworks, body.transfers, body.near_due or body.overdue, body.overdue,
    )  # fmt: skip


def _cases(ledger: Ledger, query: CaseQuery, now_ms: int) -> Iterator[Case]:
    cursor = query.cursor
    while True:
        wanted = replace(query, limit=PAGE, cursor=cursor)
        page = ledger.read(partial(archive.find, query=wanted, now_ms=now_ms))
        yield from page.items
        if page.next is None:
            return
        cursor = page.next


def _enter(connection: Connection, body: CaseDocument) -> None:
    connection.execute(insert(tables.case), {**case_row(case_of(body)), "version": 1})
    events = [
        CaseEvent(
            _ms(e.at), e.change, e.stage, e.by, e.why, e.note, e.unit, _limit(e.limit) if e.limit else None,
            _maybe(e.due_at),
        )
        for e in body.history
    ]  # fmt: skip
    if events:
        connection.execute(insert(tables.event), [event_row(body.id, event) for event in events])
    files = [
        Evidence(one.id, body.id, one.sha256, one.name, one.type, one.size, one.place, one.by, _ms(one.at))
        for one in body.evidence
    ]
    if files:
        connection.execute(insert(tables.evidence), [evidence_row(one) for one in files])


def _there_already(connection: Connection, document: CasesDocument, file: str) -> list[Problem]:
    """Ids and numbers that the database, or the document itself, has twice."""
    t = tables.case
    found: list[Problem] = []
    seen: dict[tuple[str, str], int] = {}
    for i, case in enumerate(document.cases):
        mine = select(t.c.id).where((t.c.id == case.id) | ((t.c.tenant == case.tenant) & (t.c.number == case.number)))
        if connection.execute(mine.limit(1)).first() is not None:
            found.append(Problem(file, None, f"cases[{i}]", f"{case.number} of {case.tenant} is there already"))
        for key in (("id", case.id), (case.tenant, case.number)):
            if seen.setdefault(key, i) != i:
                found.append(Problem(file, None, f"cases[{i}]", f"{key[1]} stands in cases[{seen[key]}] too"))
    return found


def _misfit(one: EvidenceDocument, largest: int) -> str | None:
    try:
        content = base64.b64decode(one.content or "", validate=True)
    except binascii.Error:
        return "the content is no base64"
    if hashlib.sha256(content).hexdigest() != one.sha256 or len(content) != one.size:
        return "the content does not fit its sha256 and size"
    if len(content) > largest:
        return f"the content is larger than {largest // (1 << 20)} MiB"
    return None if type_of(content[:16]) == one.type else f"the content is no {one.type}"


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _encoded(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _deadline(body: DeadlineBody | None) -> Deadline | None:
    if body is None:
        return None
    return Deadline(
        body.phase, _limit(body.limit), _ms(body.since), _maybe(body.due_at), _maybe(body.warn_at), body.unknown_year
    )


def _limit(body: LimitBody) -> Limit:
    return Limit(body.amount, body.clock)


def _ms(moment: str) -> int:
    return (datetime.fromisoformat(moment) - _EPOCH) // timedelta(milliseconds=1)


def _maybe(moment: str | None) -> int | None:
    return None if moment is None else _ms(moment)


def _path(loc: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")


def shape() -> Mapping[str, object]:
    """The JSON schema of the document (draft 2020-12)."""
    schema = CasesDocument.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "citywarden.cases.1", **schema}
