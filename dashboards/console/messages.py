"""What was sent to whom, and how the targets do: the page of the deliveries."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nicegui import ui
from nicegui.events import GenericEventArguments

from citywarden.model.dispatch import Sending, TargetHealth
from citywarden.model.errors import CitywardenError
from citywarden.model.identity import Role
from dashboards.console.broadcast import Broadcast
from dashboards.console.parts import DeliveryBook
from dashboards.console.picture import Json
from dashboards.console.session import Session, begin
from dashboards.sources import Dispatch, Sources

PIECE, MOST = 50, 1000
REFRESH_S = 5.0
STATES = ("waiting", "delivered", "refused", "expired")


def sending_view(session: Session, sending: Sending) -> dict[str, Json]:
    """A message as the pages show it."""
    event = sending.event
    view = session.broadcast.scene.view(event.alert)
    return {
        "id": sending.id, "target": sending.target, "state": sending.state, "created_ms": sending.created_ms,
        "done_ms": sending.done_ms, "next_ms": sending.next_ms, "attempts": sending.attempts, "code": sending.code,
        "detail": sending.detail, "digest": sending.digest, "change": event.change, "by": event.by,
        "alert": event.alert.id, "severity": event.alert.severity.word, "place": view["place"], "zh": view["zh"],
        "en": view["en"], "to": event.alert.assigned_to, "hold": event.alert.hold, "level": event.alert.severity.word,
    }  # fmt: skip


def target_view(health: TargetHealth) -> dict[str, Json]:
    """A target as the page shows it."""
    return {
        "name": health.name, "format": health.format, "address": health.address, "state": health.state,
        "waiting": health.waiting, "ok_ms": health.ok_ms, "error_ms": health.error_ms, "error": health.error,
        "since_ms": health.since_ms,
    }  # fmt: skip


@dataclass(slots=True)
class Asked:
    """The filters of the page, and how many messages it shows."""

    target: str | None = None
    state: str | None = None
    limit: int = PIECE
    shown: dict[str, object] = field(default_factory=dict)

    def take(self, asked: Mapping[str, object]) -> None:
        target, state, limit = asked.get("target"), asked.get("state"), asked.get("limit")
        self.target = target if isinstance(target, str) and target else None
        self.state = state if isinstance(state, str) and state in STATES else None
        self.limit = min(MOST, max(PIECE, limit)) if isinstance(limit, int) else PIECE


def deliveries_page(sources: Sources, broadcast: Broadcast, lang: str | None = None) -> None:
    """Build the page of the deliveries for one browser; it looks again every few seconds."""
    desk = sources.dispatch
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "deliveries", lang)
        body = ui.element("div").classes("cw-body")
    if desk is None:
        with body:
            session.label("no_targets", "cw-empty")
        return
    with body:
        part = DeliveryBook(
            session.language, targets=None, sent=[], more=False, timezone=sources.timezone.key, may=session.may,
            rules=session.who.may(Role.SUPERVISOR),
        )  # fmt: skip
    session.parts.append(part)
    _serve(session, desk, part)


def _serve(session: Session, desk: Dispatch, part: DeliveryBook) -> None:
    asked = Asked()

    async def show() -> None:
        page = await desk.sent(asked.target, asked.state, asked.limit, None)
        seen = [s for s in page.items if session.who.sees(s.event.alert.tenant)]
        shown: dict[str, object] = {
            "targets": [target_view(health) for health in await desk.targets()],
            "sent": [sending_view(session, one) for one in seen],
            "more": page.next is not None and asked.limit < MOST,
        }
        if shown != asked.shown:
            asked.shown = shown
            part.props.update(shown)
            part.update()

    async def query(e: GenericEventArguments) -> None:
        asked.take(e.args)
        await show()

    async def inspect(e: GenericEventArguments) -> None:
        try:
            found = await desk.inspect(str(e.args))
        except CitywardenError as error:
            part.said(error.said(session.language))
            return
        if session.who.sees(found.sending.event.alert.tenant):
            tries = [{"at_ms": t.at_ms, "state": t.state, "code": t.code, "detail": t.detail} for t in found.attempts]
            part.inspected(
                sending_view(session, found.sending)
                | {"format": found.format, "address": found.address, "headers": dict(found.headers),
                   "body": found.body, "tries": tries, "together": len(found.together)}
            )  # fmt: skip

    async def change(action: str, name: str, needed: Role, said: str) -> None:
        if not session.who.may(needed):
            part.said("not_allowed")
            return
        try:
            async with session.sources.audit.doing(session.who, action, [name]):
                await (desk.replay(name) if action == "delivery.replay" else desk.enable(name))
            part.said(said)
        except CitywardenError as error:
            part.said(error.said(session.language))
        await show()

    part.on("query", query)
    part.on("inspect", inspect)
    part.on("replay", lambda e: change("delivery.replay", str(e.args), Role.DISPATCHER, "replayed"))
    part.on("enable", lambda e: change("target.enable", str(e.args), Role.SUPERVISOR, "enabled_again"))
    ui.timer(REFRESH_S, show, immediate=False)
