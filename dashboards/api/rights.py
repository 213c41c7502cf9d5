"""Who may call what: a route names the role it needs, and hears who is asking."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from citywarden.model.access import Visit
from citywarden.model.identity import LOCAL, Identity, Role

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


def needs(role: Role) -> Callable[[Request], Identity]:
    """A dependency for routes: `who: Annotated[Identity, Depends(needs(Role.DISPATCHER))]`. Answers 403 otherwise."""

    def check(request: Request) -> Identity:
        who = identity_of(request)
        if who == STRANGER:
            raise HTTPException(401, "log in, or show a token", {"WWW-Authenticate": "Bearer"})
        if not who.may(role):
            raise HTTPException(403, f"{who.name} is {who.role}, this needs {role}")
        return who

    return check


Viewer = Annotated[Identity, Depends(needs(Role.VIEWER))]
Dispatcher = Annotated[Identity, Depends(needs(Role.DISPATCHER))]
Supervisor = Annotated[Identity, Depends(needs(Role.SUPERVISOR))]
Administrator = Annotated[Identity, Depends(needs(Role.ADMINISTRATOR))]
"""Parameters of routes: who is asking, who may."""


def _every_tenant(who: Viewer) -> Identity:
    if who.tenant is not None:
        raise HTTPException(403, f"{who.name} sees tenant {who.tenant} only, this tells of all")
    return who


EveryTenant = Annotated[Identity, Depends(_every_tenant)]
"""A parameter of routes that tell of everybody's: somebody who sees every tenant."""
