"""Who may call what: a route names the role it needs, and hears who is asking."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from citywarden.model.access import Forbidden, Visit
from citywarden.model.identity import LOCAL, Identity, Role
from dashboards.api.problems import Refused

IDENTITY = "citywarden.identity"
"""Key in an ASGI scope under which the door puts who is asking; without a door it is whoever sits at the machine."""
VISIT = "citywarden.visit"
"""Key under which the door puts the session of a browser that is logged in."""
STRANGER = Identity("", Role.VIEWER, "")
"""Nobody who logged in: sees no tenant, for none has an empty name."""


def identity_of(connection: HTTPConnection) -> Identity:
    """Who is asking."""
    found = connection.scope.get(IDENTITY, LOCAL)
    assert isinstance(found, Identity)
    return found


def visit_of(connection: HTTPConnection) -> Visit | None:
    """The session it belongs to; None for programs, and where no login is asked for."""
    found = connection.scope.get(VISIT)
    return found if isinstance(found, Visit) else None


def signed(who: Identity, by: str, note: str | None = None) -> tuple[str, str | None]:
    """(who did it, note) for the record: the name of the login, and what was given beside it as part of the note.

    Where no login is asked for, what was given is all that is known.
    """
    if who == LOCAL:
        return by, note
    if by in ("", "api", who.name):
        return who.name, note
    return who.name, f"[{by}] {note or ''}".strip()


LOG_IN = ("log in, or show a token", "请先登录，或出示令牌")
"""Said to strangers, in English and Chinese."""
ROLES = {Role.VIEWER: "查看", Role.DISPATCHER: "调度", Role.SUPERVISOR: "监管", Role.ADMINISTRATOR: "管理员"}
"""The roles in Chinese."""


def lacking(who: Identity, needed: Role) -> Forbidden:
    """Why somebody may not do what needs a role."""
    return Forbidden(
        f"{who.name} is {who.role}, this needs {needed}",
        f"{who.name} 的角色是“{ROLES[who.role]}”，此操作需要“{ROLES[needed]}”角色",
    )


def needs(role: Role) -> Callable[[Request], Identity]:
    """A dependency for routes: `who: Annotated[Identity, Depends(needs(Role.DISPATCHER))]`. Answers 403 otherwise."""

    def check(request: Request) -> Identity:
        who = identity_of(request)
        if who == STRANGER:
            raise Refused(401, *LOG_IN, {"WWW-Authenticate": "Bearer"})
        if not who.may(role):
            raise lacking(who, role)
        return who

    return check


Viewer = Annotated[Identity, Depends(needs(Role.VIEWER))]
Dispatcher = Annotated[Identity, Depends(needs(Role.DISPATCHER))]
Supervisor = Annotated[Identity, Depends(needs(Role.SUPERVISOR))]
Administrator = Annotated[Identity, Depends(needs(Role.ADMINISTRATOR))]
"""Parameters of routes: who is asking, who may."""


def _every_tenant(who: Viewer) -> Identity:
    if who.tenant is not None:
        raise Forbidden(
            f"{who.name} sees tenant {who.tenant} only, this tells of all",
            f"{who.name} 只能查看租户 {who.tenant}，此处涉及全部租户",
        )
    return who


EveryTenant = Annotated[Identity, Depends(_every_tenant)]
"""A parameter of routes that tell of everybody's: somebody who sees every tenant."""
