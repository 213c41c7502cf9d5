"""Kinds, devices and their readings."""

from typing import Annotated

from fastapi import APIRouter, Query

from citywarden.model.device import DeviceKey
from citywarden.model.errors import NotFound
from dashboards.api.problems import BadQuestion
from dashboards.api.questions import Cursor, Limit, Moment, Tenant, Word
from dashboards.api.shapes import DeviceBody, KindBody, Listed, ReadingBody, device_body, kind_body, reading_body
from dashboards.sources import Sources

DAY_MS = 86_400_000


def things(sources: Sources) -> APIRouter:
    """Routes of kinds, devices and readings."""
    router = APIRouter(prefix="/api/v1", tags=["things"])

    @router.get("/kinds", response_model=Listed[KindBody])
    async def kinds() -> dict[str, object]:
        """The kinds of devices with their fields, units and valid ranges."""
        return {"items": [kind_body(kind) for kind in sources.kinds.values()], "next": None}

    @router.get("/devices", response_model=Listed[DeviceBody])
    async def devices(
        kind: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
        tenant: Tenant = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> dict[str, object]:
        """The registered devices, each with its newest values."""
        page = await sources.devices.find(kind, tenant, limit, cursor)
        return {
            "items": [device_body(d, sources.live.of(d.key), sources.live.presence(d.key)) for d in page.items],
            "next": page.next,
        }

    @router.get("/readings/{kind}/{device}", response_model=Listed[ReadingBody])
    async def readings(
        kind: Word,
        device: Word,
        start: Annotated[Moment | None, Query(description="First moment; a day before `stop` when left out")] = None,
        stop: Annotated[Moment | None, Query(description="First moment after; now when left out")] = None,
        tenant: Tenant = None,
        limit: Limit = 1000,
        cursor: Annotated[Moment | None, Query(description="`next` of the page before")] = None,
    ) -> dict[str, object]:
        """Stored readings of a device, oldest first. `tenant` is needed only where several have such a device."""
        if kind not in sources.kinds:
            raise NotFound(f"no kind {kind!r}, expected one of: {', '.join(sources.kinds)}")
        key = await resolve(sources, kind, device, tenant)
        end = sources.now_ms() + 1 if stop is None else stop
        begin = end - DAY_MS if start is None else start
        found = await sources.store.series(key, begin if cursor is None else max(begin, cursor), end, limit + 1)
        if not found and not await _known(sources, key):
            raise NotFound(f"no {kind} {device!r}" + (f" of tenant {tenant!r}" if tenant else ""))
        following = str(found[limit].ts_ms) if len(found) > limit else None
        return {"items": [reading_body(r) for r in found[:limit]], "next": following}

    return router


async def _known(sources: Sources, key: DeviceKey) -> bool:
    if sources.live.of(key) is not None:
        return True
    try:
        await sources.devices.get(key)
    except NotFound:
        return False
    return True


async def resolve(sources: Sources, kind: str, device: str, tenant: str | None) -> DeviceKey:
    """The device meant: of the tenant named, or of the only one that has it. Raises NotFound, BadQuestion."""
    if tenant is not None:
        return DeviceKey(tenant, kind, device)
    owners = {d.tenant for d in sources.live.devices(kind) if d.id == device} or await _owners(sources, kind, device)
    if not owners:
        raise NotFound(f"no {kind} {device!r}")
    if len(owners) > 1:
        named = ", ".join(sorted(owners))
        raise BadQuestion(
            "query.tenant", f"several tenants have a {kind} {device!r}: {named}",
            f"多个租户都有 {kind} {device!r}：{named}，请指明租户",
        )  # fmt: skip
    return DeviceKey(owners.pop(), kind, device)


async def _owners(sources: Sources, kind: str, device: str) -> set[str]:
    """Tenants in whose registry a device stands that never sent."""
    owners: set[str] = set()
    cursor: str | None = None
    while True:
        page = await sources.devices.find(kind, None, 10_000, cursor)
        owners |= {d.tenant for d in page.items if d.id == device}
        if (cursor := page.next) is None:
            return owners
