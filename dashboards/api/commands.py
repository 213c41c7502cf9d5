"""Commands down to devices: give one, see how far it got, call it back."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from citywarden.model.command import State, Wish, command_body
from citywarden.model.device import DeviceKey
from citywarden.model.errors import NotFound
from citywarden.model.kind import JsonScalar
from dashboards.api.questions import Cursor, Limit, Tenant, Word
from dashboards.api.rights import Dispatcher, Viewer
from dashboards.api.shapes import Listed, Timestamp
from dashboards.api.things import resolve
from dashboards.sources import Commands, Sources


class NewCommand(BaseModel):
    """`id`: of your own choosing, so that asking twice is commanding once; `args`: see `commands` of the kind."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=64)]
    args: Annotated[dict[str, bool | int | float | str], Field(max_length=32)] = {}
    expires_min: Annotated[float, Field(gt=0, le=7 * 24 * 60)] = 10.0
    id: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")] = None


class CommandBody(BaseModel):
    """A command and how far it got."""

    id: str
    tenant: str
    kind: str
    device: str
    name: str
    args: dict[str, bool | int | float | str]
    state: State
    by: str
    created_at: Timestamp
    expires_at: Timestamp
    sent_at: Timestamp | None
    updated_at: Timestamp
    attempts: int
    detail: str


def commands(sources: Sources, desk: Commands) -> APIRouter:
    """Routes of commands. Giving one needs the dispatcher's role, and is recorded."""
    router = APIRouter(prefix="/api/v1", tags=["commands"])

    async def device_of(kind: str, device: str, tenant: str | None) -> DeviceKey:
        if kind not in sources.kinds:
            raise NotFound(f"no kind {kind!r}, expected one of: {', '.join(sources.kinds)}")
        return await resolve(sources, kind, device, tenant)

    @router.post("/devices/{kind}/{device}/commands", response_model=CommandBody, status_code=202)
    async def give(
        kind: Word, device: Word, new: NewCommand, who: Dispatcher, tenant: Tenant = None
    ) -> dict[str, object]:
        """Queue a command; it is sent at once, and again until the device acknowledges or its time is over. 409 when
        the kind has no such command, an argument does not fit, or too many commands are outstanding.
        """
        key = await device_of(kind, device, tenant)
        args: dict[str, JsonScalar] = dict(new.args)
        told = " ".join([new.name, *(f"{name}={value}" for name, value in args.items())])
        async with sources.audit.doing(who, "command.send", ["/".join(key)], told[:300]) as intent:
            command = await desk.send(Wish(key, new.name, args, new.expires_min, new.id or ""), who.name)
            intent.detail = f"{told} ({command.id})"[:300]
        return command_body(command)

    @router.get("/devices/{kind}/{device}/commands", response_model=Listed[CommandBody])
    async def of_device(
        kind: Word, device: Word, _who: Viewer, tenant: Tenant = None,
        state: State | None = None, limit: Limit = 100, cursor: Cursor = None,
    ) -> dict[str, object]:  # fmt: skip
        """Commands of a device, newest first."""
        page = await desk.find(await device_of(kind, device, tenant), None, state, limit, cursor)
        return {"items": [command_body(one) for one in page.items], "next": page.next}

    @router.get("/commands", response_model=Listed[CommandBody])
    async def everywhere(
        _who: Viewer, tenant: Tenant = None, state: Annotated[State | None, Query()] = None, limit: Limit = 100,
        cursor: Cursor = None,
    ) -> dict[str, object]:  # fmt: skip
        """Commands of all devices, newest first."""
        page = await desk.find(None, tenant, state, limit, cursor)
        return {"items": [command_body(one) for one in page.items], "next": page.next}

    @router.get("/commands/{command}", response_model=CommandBody)
    async def one(command: Word, _who: Viewer) -> dict[str, object]:
        """One command."""
        return command_body(await desk.get(command))

    @router.post("/commands/{command}/cancel", response_model=CommandBody)
    async def cancel(command: Word, who: Dispatcher) -> dict[str, object]:
        """Call a command back before its device has acknowledged; 409 when it is too late."""
        async with sources.audit.doing(who, "command.cancel", [command], command) as intent:
            ended = await desk.cancel(command, who.name)
            intent.subjects = ["/".join(ended.device)]
        return command_body(ended)

    return router
