"""Who may call what: a route names the role it needs, and hears who is asking."""

from collections.abc import Callable

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from citywarden.model.identity import LOCAL, Identity, Role

IDENTITY = "citywarden.identity"
"""Key in an ASGI scope under which the door puts who is asking; without a door it is whoever sits at the machine."""


def identity_of(connection: HTTPConnection) -> Identity:
    """Who is asking."""
    found = connection.scope.get(IDENTITY, LOCAL)
    assert isinstance(found, Identity)
    return found


def needs(role: Role) -> Callable[[Request], Identity]:
    """A dependency for routes: `who: Annotated[Identity, Depends(needs(Role.DISPATCHER))]`. Answers 403 otherwise."""

    def check(request: Request) -> Identity:
        who = identity_of(request)
        if not who.may(role):
            raise HTTPException(403, f"{who.name} is {who.role}, this needs {role}")
        return who

    return check
