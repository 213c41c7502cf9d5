"""Users and tokens, for administrators."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from nicegui import ui
from nicegui.events import GenericEventArguments

from citywarden.model.access import NewToken, NewUser, Token, User, UserChange
from citywarden.model.errors import CitywardenError
from citywarden.model.identity import Identity, Role
from dashboards.api.rights import identity_of
from dashboards.console.broadcast import Broadcast
from dashboards.console.markup import html
from dashboards.console.moments import moment
from dashboards.console.parts.admin import AdminDesk
from dashboards.console.session import begin
from dashboards.gate import Access
from dashboards.sources import Sources

DAY_MS = 86_400_000
log = logging.getLogger(__name__)
Asked = Mapping[str, object]


async def users_page(sources: Sources, broadcast: Broadcast, lang: str | None = None) -> None:
    """Build the page of users and tokens for one browser."""
    who = identity_of(ui.context.client.request)
    gate = sources.access
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "admin_users", lang)
        body = ui.element("div").classes("cw-body")
    if gate is None or not who.may(Role.ADMINISTRATOR):
        with body:
            ui.html(html('<p class="cw-empty">{t}</p>', t=session.say("not_allowed_here")), sanitize=False)
        return
    with body:
        units = list(await sources.cases.units(who.tenant)) if sources.cases is not None else []
        desk = AdminDesk(session.language, roles=[role.value for role in Role], own=who.tenant, units=units)
    session.parts.append(desk)

    async def show() -> None:
        desk.show(
            [user_view(user, sources) for user in await gate.users(who)],
            [token_view(token, sources) for token in await gate.tokens(who)],
        )

    async def do(e: GenericEventArguments) -> None:
        secret, wrong = "", ""
        try:
            secret = await act(gate, who, e.args, sources.now_ms())
        except CitywardenError as error:
            log.info("%s could not %s: %s", who.name, e.args.get("what"), error)
            wrong = error.said(session.language)
        except ValueError as error:
            log.info("%s could not %s: %s", who.name, e.args.get("what"), error)
            wrong = "failed_deed"
        desk.answered(secret, wrong)
        await show()

    desk.on("act", do)
    await show()


async def act(gate: Access, who: Identity, asked: Asked, now_ms: int) -> str:
    """Do what an administrator chose; returns a password or token that was made. Raises CitywardenError, ValueError."""
    name = str(asked.get("name") or "").strip()

    async def add_user() -> str:
        new = NewUser(name, Role(str(asked.get("role"))), _tenant(asked), unit=_unit(asked))
        return (await gate.add_user(who, new))[1] or ""

    async def change(wanted: UserChange) -> str:
        await gate.change_user(who, name, wanted)
        return ""

    async def remove() -> str:
        await gate.remove_user(who, name)
        return ""

    async def reset() -> str:
        return await gate.reset_password(who, name, None) or ""

    async def add_token() -> str:
        days = asked.get("days")
        expires = now_ms + round(float(days) * DAY_MS) if isinstance(days, int | float) and days > 0 else None
        scopes = tuple(str(asked.get("scopes") or "").split())
        new = NewToken(name, Role(str(asked.get("role"))), _tenant(asked), scopes, expires, _unit(asked))
        return (await gate.add_token(who, new))[1]

    async def revoke() -> str:
        await gate.revoke_token(who, str(asked.get("id")))
        return ""

    deeds: Mapping[str, Callable[[], Awaitable[str]]] = {
        "add_user": add_user,
        "role": lambda: change(UserChange(role=Role(str(asked.get("role"))))),
        "unit": lambda: change(UserChange(unit=_unit(asked))),
        "let_in": lambda: change(UserChange(enabled=True)),
        "keep_out": lambda: change(UserChange(enabled=False)),
        "remove_user": remove,
        "reset_password": reset,
        "add_token": add_token,
        "revoke": revoke,
    }
    deed = deeds.get(str(asked.get("what")))
    if deed is None:
        raise ValueError("failed_deed")
    return await deed()


def _tenant(asked: Asked) -> str | None:
    return str(asked.get("tenant") or "").strip() or None


def _unit(asked: Asked) -> str:
    return str(asked.get("unit") or "").strip()


def user_view(user: User, sources: Sources) -> dict[str, object]:
    """What the browser shows of a user."""
    return {
        "name": user.name,
        "role": user.role.value,
        "tenant": user.tenant,
        "unit": user.unit,
        "enabled": user.enabled,
        "must_change": user.must_change,
        "login": moment(user.login_ms, sources.timezone),
        "made": moment(user.created_ms, sources.timezone),
        "by": user.created_by,
    }


def token_view(token: Token, sources: Sources) -> dict[str, object]:
    """What the browser shows of a token."""
    now_ms = sources.now_ms()
    state = "enabled" if token.good(now_ms) else "revoked" if token.revoked_ms is not None else "token_expired"
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role.value,
        "tenant": token.tenant,
        "unit": token.unit,
        "scopes": list(token.scopes),
        "state": state,
        "used": moment(token.used_ms, sources.timezone),
        "expires": None if token.expires_ms is None else moment(token.expires_ms, sources.timezone),
        "made": moment(token.created_ms, sources.timezone),
        "by": token.created_by,
    }
