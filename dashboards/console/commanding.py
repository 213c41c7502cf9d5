"""What a device can be told to do, on its page: a row for each command, and what became of the latest ones."""

import logging
from collections.abc import Mapping, Sequence

from nicegui import ui
from nicegui.events import GenericEventArguments

from citywarden.model.command import Command, State, Wish
from citywarden.model.device import Device
from citywarden.model.errors import CitywardenError
from citywarden.model.kind import JsonScalar, Kind, Order, Quantity
from dashboards.console.markup import html
from dashboards.console.parts.commandparts import CommandDesk
from dashboards.console.picture import Json
from dashboards.console.session import Session
from dashboards.sources import Commands

LATEST = 20
"""Commands that are shown."""
FOLLOW_S = 1.0
MOST_ARGUMENTS = 32

log = logging.getLogger(__name__)


def order_view(order: Order) -> dict[str, Json]:
    """A command of a kind, for the browser."""
    return {"name": order.name, "zh": order.zh, "en": order.en, "args": [argument_view(q) for q in order.arguments]}


def argument_view(q: Quantity) -> dict[str, Json]:
    """An argument and its range."""
    return {
        "field": q.field, "zh": q.zh, "en": q.en, "unit": q.unit, "form": q.form.value, "low": q.low, "high": q.high,
        "required": q.required,
    }  # fmt: skip


def command_view(command: Command) -> dict[str, Json]:
    """A command and how far it got. `why`: a word of ours; `said`: the device's own words, or a name for the word."""
    why, said = reason_of(command)
    return {
        "id": command.id, "name": command.name, "args": [[name, value] for name, value in command.args.items()],
        "state": command.state.value, "by": command.by, "created_ms": command.created_ms,
        "updated_ms": command.updated_ms, "expires_ms": command.expires_ms, "attempts": command.attempts,
        "outstanding": command.state.outstanding, "can_cancel": command.state in (State.QUEUED, State.SENT),
        "why": why, "said": said,
    }  # fmt: skip


def reason_of(command: Command) -> tuple[str, str]:
    """Why a command ended as it did: (a key of the words or "", what is to be said beside it)."""
    detail = command.detail
    match command.state:
        case State.EXPIRED if command.attempts == 0:
            return "cmd_why_unsent", ""
        case State.EXPIRED:
            return ("cmd_why_undone" if detail.startswith("acknowledged") else "cmd_why_unheard"), ""
        case State.CANCELLED:
            return "cmd_why_by", detail.removeprefix("by ")
        case State.FAILED if detail.startswith("rejected"):
            return "cmd_why_rejected", detail.removeprefix("rejected").lstrip(": ")
        case State.DONE if detail.startswith("late"):
            return "cmd_why_late", detail.removeprefix("late").lstrip("; ")
    return "", detail


def wish_of(device: Device, asked: Mapping[str, object]) -> Wish | None:
    """The command that the browser asked for, arguments unchecked; None when it makes no sense."""
    name, args, expires = asked.get("name"), asked.get("args"), asked.get("expires_min")
    if not isinstance(name, str) or not isinstance(args, Mapping) or len(args) > MOST_ARGUMENTS:
        return None
    if not isinstance(expires, int | float) or isinstance(expires, bool):
        return None
    taken: dict[str, JsonScalar] = {}
    for field, value in args.items():
        if not isinstance(value, bool | int | float | str):
            return None
        taken[str(field)] = value
    return Wish(device.key, name, taken, float(expires))


class Panel:
    """The panel of one page, and what keeps it up to date."""

    def __init__(self, session: Session, desk: Commands, kind: Kind, device: Device) -> None:
        self._session = session
        self._desk = desk
        self._kind = kind
        self._device = device
        self._shown: Sequence[Json] = ()

    async def build(self) -> None:
        """Lay it out where the page stands."""
        self._shown = await self._read()
        self._part = CommandDesk(
            self._session.language, orders=[order_view(order) for order in self._kind.commands],
            latest=self._shown, timezone=self._session.sources.timezone.key, **self._session.hand(),
        )  # fmt: skip
        self._session.parts.append(self._part)
        self._part.on("give", self._give)
        self._part.on("cancel", self._cancel)
        ui.timer(FOLLOW_S, self._follow, immediate=False)

    async def _read(self) -> list[Json]:
        page = await self._desk.find(self._device.key, None, None, LATEST, None)
        return [command_view(command) for command in page.items]

    async def _follow(self) -> None:
        """Show what has happened since."""
        try:
            now = await self._read()
        except CitywardenError as error:
            log.warning("console cannot read the commands of %s: %s", self._device.id, error)
            return
        if now != self._shown:
            self._shown = now
            self._part.props["latest"] = now
            self._part.update()

    async def _give(self, e: GenericEventArguments) -> None:
        session, by = self._session, self._session.by(e.args.get("by"))
        wish = wish_of(self._device, e.args)
        if not session.may or by is None or wish is None:
            wrong = "cmd_wrong" if wish is None else "who_missing"
            self._part.answered(False, wrong if session.may else "cmd_look_only")
            return
        told = " ".join([wish.name, *(f"{name}={value}" for name, value in wish.args.items())])
        named = ["/".join(wish.device)]
        try:
            async with session.sources.audit.doing(session.who, "command.send", named, told[:300]) as intent:
                command = await self._desk.send(wish, by)
                intent.detail = f"{told} ({command.id})"[:300]
        except CitywardenError as error:
            self._part.answered(False, error.said(session.language))
            return
        self._part.answered(True)
        await self._follow()

    async def _cancel(self, e: GenericEventArguments) -> None:
        session, by = self._session, self._session.by(e.args.get("by"))
        mine = {str(command["id"]) for command in self._shown if isinstance(command, Mapping)}
        if not session.may or by is None or e.args.get("id") not in mine:
            self._part.answered(False, "who_missing" if session.may else "cmd_look_only")
            return
        command, named = str(e.args["id"]), ["/".join(self._device.key)]
        try:
            async with session.sources.audit.doing(session.who, "command.cancel", named, command):
                await self._desk.cancel(command, by)
        except CitywardenError as error:
            log.info("%s could not call back command %s: %s", by, e.args["id"], error)
            self._part.answered(False, "cmd_too_late")
            return
        self._part.answered(True)
        await self._follow()


async def command_panel(session: Session, kind: Kind, device: Device) -> None:
    """The commands of a device where the page stands; a line where its kind has none; nothing without their desk."""
    desk = session.sources.commands
    if desk is None:
        return
    if kind.commands:
        await Panel(session, desk, kind, device).build()
        return
    line = ui.html("", sanitize=False)

    def draw() -> None:
        said = session.say("cmd_none").replace("{kind}", kind.en if session.language == "en" else kind.zh)
        line.set_content(html('<p class="cw-none">{t}</p>', t=said))

    draw()
    session.redraw.append(draw)


def obeys(session: Session, kind: str) -> bool:
    """Whether devices of a kind can be told anything here."""
    known = session.sources.kinds.get(kind)
    return session.sources.commands is not None and known is not None and bool(known.commands)
