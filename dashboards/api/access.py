"""Logging in, and what administrators do: users, tokens, the record of changes."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from citywarden.model.access import NewToken, NewUser, Token, User, UserChange, Visit
from citywarden.model.identity import Role
from citywarden.model.wire import timestamp
from dashboards.api.cookies import clear_session, set_session
from dashboards.api.problems import Refused
from dashboards.api.questions import Moment, Word
from dashboards.api.record import record
from dashboards.api.rights import Administrator, Viewer, visit_of
from dashboards.api.shapes import Listed, Timestamp
from dashboards.gate import Access

RoleWord = Literal["viewer", "dispatcher", "supervisor", "administrator"]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Password = Annotated[str, Field(min_length=1, max_length=256)]
UnitName = Annotated[str, Field(max_length=200)]
TenantName = Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Credentials(_Given):
    name: Name
    password: Password


class PasswordChange(_Given):
    """Both are passwords."""

    old: Password
    new: Password


class Leaving(_Given):
    """`everywhere`: end all sessions of this user."""

    everywhere: bool = False


class UserBody(BaseModel):
    """`tenant` null: sees every tenant. `unit`: of the cases only that unit's, "": all. `must_change`: the password
    is only for once.
    """

    name: str
    role: RoleWord
    tenant: str | None
    unit: str
    enabled: bool
    must_change: bool
    created_at: Timestamp
    created_by: str
    login_at: Timestamp | None


class MadeUser(UserBody):
    """`password`: the one that was generated, shown this once; null when it was given."""

    password: str | None


class NewUserBody(_Given):
    """Without a password one is generated, which has to be changed at the first login."""

    name: Name
    role: RoleWord
    tenant: TenantName = None
    unit: UnitName = ""
    password: Password | None = None


class UserPatch(_Given):
    """What is left out stays. `tenant` null: every tenant; `unit` "": of none. `reset_password`: true generates a new
    one.
    """

    role: RoleWord | None = None
    tenant: TenantName = None
    unit: UnitName | None = None
    enabled: bool | None = None
    reset_password: bool = False


class MeBody(BaseModel):
    """Who is asking. `login`: a browser that is logged in, a token, or whoever sits at the machine."""

    name: str
    role: RoleWord
    tenant: str | None
    unit: str
    login: Literal["session", "token", "local"]
    must_change: bool


class TokenBody(BaseModel):
    id: str
    name: str
    role: RoleWord
    tenant: str | None
    unit: str
    scopes: list[str]
    created_at: Timestamp
    created_by: str
    expires_at: Timestamp | None
    used_at: Timestamp | None
    revoked_at: Timestamp | None


class MadeToken(TokenBody):
    """`token`: what to send as `Authorization: Bearer`, shown this once."""

    token: str


class NewTokenBody(_Given):
    """`scopes` such as `readings:read`, `alerts:write`, `*:read`; none: all that the role may."""

    name: Name
    role: RoleWord = "viewer"
    tenant: TenantName = None
    unit: UnitName = ""
    scopes: Annotated[list[Annotated[str, Field(max_length=60)]], Field(max_length=50)] = []
    expires_at: Moment | None = None


def access(gate: Access) -> APIRouter:
    """Routes of the way in."""
    router = APIRouter(prefix="/api/v1", tags=["access"])
    _own(router, gate)
    _users(router, gate)
    _tokens(router, gate)
    record(router, gate)
    return router


def _own(router: APIRouter, gate: Access) -> None:
    @router.post("/login", response_model=MeBody)
    async def login(given: Credentials, request: Request, response: Response) -> dict[str, object]:
        """Begin a session; the answer sets its cookie. 429 with Retry-After after too many failures."""
        address = request.client.host if request.client else ""
        agent = request.headers.get("user-agent", "")
        user, cookie = await gate.login(given.name, given.password, address, agent)
        set_session(response, cookie, request.url.scheme == "https")
        return {"name": user.name, "role": user.role, "tenant": user.tenant, "unit": user.unit, "login": "session",
                "must_change": user.must_change}  # fmt: skip

    @router.post("/logout", status_code=204)
    async def logout(request: Request, who: Viewer, leaving: Leaving | None = None) -> Response:
        """End this session, or all of this user."""
        visit = _visit(request)
        await gate.logout(visit, leaving is not None and leaving.everywhere)
        answer = Response(status_code=204)
        clear_session(answer)
        return answer

    @router.get("/me", response_model=MeBody)
    async def me(request: Request, who: Viewer) -> dict[str, object]:
        """Who is asking."""
        visit = visit_of(request)
        how = "session" if visit else "token" if who.name.startswith("token:") else "local"
        return {"name": who.name, "role": who.role, "tenant": who.tenant, "unit": who.unit, "login": how,
                "must_change": visit is not None and visit.user.must_change}  # fmt: skip

    @router.post("/me/password", status_code=204)
    async def password(request: Request, given: PasswordChange, who: Viewer) -> Response:
        """Change one's own password; every other session of this user ends."""
        await gate.change_password(_visit(request), given.old, given.new)
        return Response(status_code=204)


def _users(router: APIRouter, gate: Access) -> None:
    @router.get("/users", response_model=Listed[UserBody])
    async def users(who: Administrator) -> dict[str, object]:
        """Who may log in."""
        return {"items": [user_body(user) for user in await gate.users(who)], "next": None}

    @router.post("/users", response_model=MadeUser, status_code=201)
    async def add_user(given: NewUserBody, who: Administrator) -> dict[str, object]:
        """Make a user."""
        new = NewUser(given.name, Role(given.role), given.tenant, given.password, given.unit)
        user, password = await gate.add_user(who, new)
        return user_body(user) | {"password": password}

    @router.get("/users/{name}", response_model=UserBody)
    async def user(name: Word, who: Administrator) -> dict[str, object]:
        """One user."""
        return user_body(await gate.user(who, name))

    @router.patch("/users/{name}", response_model=MadeUser)
    async def change_user(name: Word, given: UserPatch, who: Administrator) -> dict[str, object]:
        """Change role, tenant, unit, password or whether the user may come in; each ends the user's sessions."""
        tenant = given.tenant or "" if "tenant" in given.model_fields_set else None
        role = None if given.role is None else Role(given.role)
        user = await gate.change_user(who, name, UserChange(role, tenant, given.enabled, given.unit))
        password = await gate.reset_password(who, name, None) if given.reset_password else None
        return user_body(await gate.user(who, name) if password else user) | {"password": password}

    @router.delete("/users/{name}", status_code=204)
    async def remove_user(name: Word, who: Administrator) -> Response:
        """Take a user away; what the user did stays in the record."""
        await gate.remove_user(who, name)
        return Response(status_code=204)


def _tokens(router: APIRouter, gate: Access) -> None:
    @router.get("/tokens", response_model=Listed[TokenBody])
    async def tokens(who: Administrator) -> dict[str, object]:
        """The keys of programs, newest first, without their secrets."""
        return {"items": [token_body(token) for token in await gate.tokens(who)], "next": None}

    @router.post("/tokens", response_model=MadeToken, status_code=201)
    async def add_token(given: NewTokenBody, who: Administrator) -> dict[str, object]:
        """Make a token."""
        new = NewToken(given.name, Role(given.role), given.tenant, tuple(given.scopes), given.expires_at, given.unit)
        token, text = await gate.add_token(who, new)
        return token_body(token) | {"token": text}

    @router.delete("/tokens/{id}", status_code=204)
    async def revoke_token(id: Word, who: Administrator) -> Response:
        """End a token, by its id or name."""
        await gate.revoke_token(who, id)
        return Response(status_code=204)


def _visit(request: Request) -> Visit:
    visit = visit_of(request)
    if visit is None:
        raise Refused(409, "nobody is logged in here", "此处没有人登录")
    return visit


def user_body(user: User) -> dict[str, object]:
    """A user without the password."""
    return {
        "name": user.name,
        "role": user.role.value,
        "tenant": user.tenant,
        "unit": user.unit,
        "enabled": user.enabled,
        "must_change": user.must_change,
        "created_at": timestamp(user.created_ms),
        "created_by": user.created_by,
        "login_at": None if user.login_ms is None else timestamp(user.login_ms),
    }


def token_body(token: Token) -> dict[str, object]:
    """A token without its secret."""

    def moment(ms: int | None) -> str | None:
        return None if ms is None else timestamp(ms)

    return {
        "id": token.id,
        "name": token.name,
        "role": token.role.value,
        "tenant": token.tenant,
        "unit": token.unit,
        "scopes": list(token.scopes),
        "created_at": timestamp(token.created_ms),
        "created_by": token.created_by,
        "expires_at": moment(token.expires_ms),
        "used_at": moment(token.used_ms),
        "revoked_at": moment(token.revoked_ms),
    }
