"""What was sent to whom, how the targets do, and silences."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from citywarden.model.alert import Severity
from citywarden.model.dispatch import Inspection, Sending, SilenceNote, TargetHealth
from citywarden.model.identity import NEW
from citywarden.model.wire import alert_body, timestamp
from dashboards.api.questions import Cursor, Limit, Moment, Word
from dashboards.api.rights import Dispatcher, Supervisor, signed
from dashboards.api.shapes import AlertBody, Listed, SeverityWord, Timestamp
from dashboards.sources import Dispatch, Sources

StateWord = Literal["waiting", "delivered", "refused", "expired"]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


_ONE = {"type": "string", "minLength": 1, "maxLength": 200}
Patterns = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200)]],
    BeforeValidator(_listed),
    Field(max_length=100),
    WithJsonSchema({"anyOf": [{"type": "array", "items": _ONE, "maxItems": 100}, _ONE]}, mode="validation"),
]


class SendingBody(BaseModel):
    """One message about an alert to one target; `alert` as it was then. `code`, `detail`: of the last attempt."""

    id: str
    target: str
    state: StateWord
    change: str
    by: str | None
    created_at: Timestamp
    attempts: int
    next_at: Timestamp | None
    done_at: Timestamp | None
    code: int | None
    detail: str | None
    digest: str | None
    alert: AlertBody


class TriedBody(BaseModel):
    """One attempt; `state` as the message was afterwards."""

    at: Timestamp
    state: StateWord
    code: int | None
    detail: str | None


class InspectionBody(BaseModel):
    """A message as it goes to its target; secrets are blotted out. `together`: the messages of its digest."""

    sending: SendingBody
    format: str
    address: str
    headers: dict[str, str]
    body: str
    attempts: list[TriedBody]
    together: list[str]


class TargetBody(BaseModel):
    """How a target does; `since`: disabled since, or held until."""

    name: str
    format: str
    address: str
    state: Literal["ok", "failing", "held", "disabled", "gone"]
    waiting: int
    ok_at: Timestamp | None
    error_at: Timestamp | None
    error: str | None
    since: Timestamp | None


class Matched(BaseModel):
    """Which alerts."""

    model_config = ConfigDict(extra="forbid")

    tenant: Patterns = []
    kind: Patterns = []
    rule: Patterns = []
    subject: Patterns = []
    district: Patterns = []
    severity: SeverityWord = "info"
    up_to: SeverityWord = "critical"

    def parts(self) -> dict[str, Any]:
        """As the fields of a silence."""
        said = self.model_dump(include=set(Matched.model_fields))
        return said | {name: Severity[said[name].upper()] for name in ("severity", "up_to")}


class NewSilence(Matched):
    """Patterns with `*` and `?`; an empty list fits everything. `severity`: at least so severe, `up_to`: at most.
    `starts_at` missing: now.
    """

    starts_at: Moment | None = None
    ends_at: Moment
    by: Annotated[str, Field(min_length=1, max_length=200)] = "api"
    why: Annotated[str, Field(min_length=1, max_length=2000)]


class SilenceBody(Matched):
    id: str
    starts_at: Timestamp
    ends_at: Timestamp
    created_at: Timestamp
    by: str
    why: str
    ended_by: str | None


class Ending(BaseModel):
    model_config = ConfigDict(extra="forbid")

    by: Annotated[str, Field(min_length=1, max_length=200)] = "api"


def deliveries(sources: Sources, desk: Dispatch) -> APIRouter:
    """Routes of messages and silences."""
    router = APIRouter(prefix="/api/v1", tags=["alerts"])
    _messages(router, sources, desk)
    _silences(router, sources, desk)
    return router


def _messages(router: APIRouter, sources: Sources, desk: Dispatch) -> None:
    @router.get("/deliveries", response_model=Listed[SendingBody])
    async def sent(
        target: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
        state: StateWord | None = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> dict[str, object]:
        """Messages about alerts, newest first: what waits, what was taken, refused or given up."""
        page = await desk.sent(target, state, limit, cursor)
        return {"items": [sending_body(s, sources.language) for s in page.items], "next": page.next}

    @router.get("/deliveries/{id}", response_model=SendingBody)
    async def sending(id: Word) -> dict[str, object]:
        """One message."""
        return sending_body(await desk.sending(id), sources.language)

    @router.post("/deliveries/{id}/replay", response_model=SendingBody)
    async def replay(id: Word, who: Dispatcher) -> dict[str, object]:
        """Send a message, or the digest it was part of, once more under its old id."""
        async with sources.audit.doing(who, "delivery.replay", [id]) as intent:
            sent = await desk.replay(id)
            intent.detail = f"to {sent.target}"
        return sending_body(sent, sources.language)

    @router.get("/deliveries/{id}/inspection", response_model=InspectionBody)
    async def inspect(id: Word) -> dict[str, object]:
        """A message as it goes to its target, and every attempt to send it."""
        return inspection_body(await desk.inspect(id), sources.language)

    @router.get("/targets", response_model=Listed[TargetBody])
    async def targets() -> dict[str, object]:
        """How the targets do: what waits for them, and what was wrong last."""
        return {"items": [target_body(health) for health in await desk.targets()], "next": None}

    @router.post("/targets/{name}/enable", response_model=TargetBody)
    async def enable(name: Word, who: Supervisor) -> dict[str, object]:
        """Use a target again that had answered that it wants no more messages."""
        async with sources.audit.doing(who, "target.enable", [name]):
            health = await desk.enable(name)
        return target_body(health)


def _silences(router: APIRouter, sources: Sources, desk: Dispatch) -> None:
    @router.post("/silences/preview", response_model=Listed[AlertBody])
    async def preview(matched: Matched, _who: Dispatcher) -> dict[str, object]:
        """The open alerts that a silence would be about, if it held now."""
        found = await desk.fitting(SilenceNote(0, 0, "", "", **matched.parts()))
        return {"items": [alert_body(alert, sources.language) for alert in found], "next": None}

    @router.get("/silences", response_model=Listed[SilenceBody])
    async def silences(
        ended: Annotated[bool, Query(description="Those that are over, too")] = False,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> dict[str, object]:
        """Silences, newest first."""
        page = await desk.silences(ended, limit, cursor)
        return {"items": [silence_body(note) for note in page.items], "next": page.next}

    @router.post("/silences", response_model=SilenceBody, status_code=201)
    async def silence(new: NewSilence, who: Dispatcher) -> dict[str, object]:
        """Have alerts that fit told to nobody for a while; they are recorded all the same."""
        starts_ms = sources.now_ms() if new.starts_at is None else new.starts_at
        by, _ = signed(who, new.by)
        wanted = SilenceNote(starts_ms, new.ends_at, by, new.why, **new.parts())
        async with sources.audit.doing(who, "silence.begin", [NEW], wanted.why) as intent:
            made = await desk.silence(wanted)
            intent.subjects = [made.id]
        return silence_body(made)

    @router.get("/silences/{id}", response_model=SilenceBody)
    async def one(id: Word) -> dict[str, object]:
        """One silence."""
        return silence_body(await desk.get_silence(id))

    @router.post("/silences/{id}/end", response_model=SilenceBody)
    async def end(id: Word, who: Dispatcher, ending: Ending | None = None) -> dict[str, object]:
        """Cut a silence short: what still fires is told."""
        by, _ = signed(who, (ending or Ending()).by)
        async with sources.audit.doing(who, "silence.end", [id]):
            ended = await desk.end_silence(id, by)
        return silence_body(ended)


def sending_body(sending: Sending, language: str) -> dict[str, object]:
    """A message with the alert it was about."""
    return {
        "id": sending.id,
        "target": sending.target,
        "state": sending.state,
        "change": sending.event.change,
        "by": sending.event.by,
        "created_at": timestamp(sending.created_ms),
        "attempts": sending.attempts,
        "next_at": None if sending.next_ms is None else timestamp(sending.next_ms),
        "done_at": None if sending.done_ms is None else timestamp(sending.done_ms),
        "code": sending.code,
        "detail": sending.detail,
        "digest": sending.digest,
        "alert": alert_body(sending.event.alert, language),
    }


def silence_body(note: SilenceNote) -> dict[str, object]:
    """A silence with its patterns."""
    return {
        "id": note.id,
        "starts_at": timestamp(note.starts_ms),
        "ends_at": timestamp(note.ends_ms),
        "created_at": timestamp(note.created_ms),
        "by": note.by,
        "why": note.why,
        "ended_by": note.ended_by,
        **{name: list(getattr(note, name)) for name in ("tenant", "kind", "rule", "subject", "district")},
        "severity": note.severity.word,
        "up_to": note.up_to.word,
    }


def inspection_body(found: Inspection, language: str) -> dict[str, object]:
    """A message with its attempts."""
    tries = [{"at": timestamp(t.at_ms), "state": t.state, "code": t.code, "detail": t.detail} for t in found.attempts]
    return {
        "sending": sending_body(found.sending, language),
        "format": found.format,
        "address": found.address,
        "headers": dict(found.headers),
        "body": found.body,
        "attempts": tries,
        "together": list(found.together),
    }


def target_body(health: TargetHealth) -> dict[str, object]:
    """How a target does."""

    def moment(ms: int | None) -> str | None:
        return None if ms is None else timestamp(ms)

    return {
        "name": health.name,
        "format": health.format,
        "address": health.address,
        "state": health.state,
        "waiting": health.waiting,
        "ok_at": moment(health.ok_ms),
        "error_at": moment(health.error_ms),
        "error": health.error,
        "since": moment(health.since_ms),
    }
