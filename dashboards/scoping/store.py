"""The store of one tenant, for reading."""

from collections.abc import Mapping, Sequence

import numpy as np

from citywarden.columns import Columns, Reading
from citywarden.model.access import Forbidden
from citywarden.model.device import DeviceKey
from citywarden.store.contract import Buckets, Fold, Point, Store, Written

_READ_ONLY = "the store of a tenant is for reading"


class TenantStore:
    """Answers as if only the tenant's devices had ever sent."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    async def series(self, key: DeviceKey, start_ms: int, stop_ms: int, limit: int = 10_000) -> Sequence[Reading]:
        return await self._store.series(key, start_ms, stop_ms, limit) if key.tenant == self._tenant else ()

    async def latest(self, kind: str, tenant: str | None = None) -> Columns:
        return self._own(await self._store.latest(kind, self._tenant))

    async def window(
        self, kind: str, start_ms: int, stop_ms: int, devices: Sequence[DeviceKey] | None = None
    ) -> Columns:
        wanted = None if devices is None else [key for key in devices if key.tenant == self._tenant]
        return self._own(await self._store.window(kind, start_ms, stop_ms, wanted))

    async def points(
        self, measurement: str, start_ms: int, stop_ms: int, tags: Mapping[str, str] | None = None
    ) -> Sequence[Point]:
        return await self._store.points(measurement, start_ms, stop_ms, {**(tags or {}), "tenant": self._tenant})

    async def aggregate(
        self, kind: str, field: str, start_ms: int, stop_ms: int, every_ms: int, fold: Fold, by: str = ""
    ) -> Sequence[Buckets]:
        if by != "tenant":
            raise Forbidden("sums over tenants are not for one of them")
        found = await self._store.aggregate(kind, field, start_ms, stop_ms, every_ms, fold, by)
        return [buckets for buckets in found if buckets.group == self._tenant]

    async def count(self, kind: str) -> int:
        raise Forbidden("how much others have sent is not for a tenant")

    async def write(self, batch: Columns) -> Written:
        raise Forbidden(_READ_ONLY)

    async def write_points(self, points: Sequence[Point]) -> None:
        raise Forbidden(_READ_ONLY)

    async def trim(self, kind: str, before_ms: int) -> int:
        raise Forbidden(_READ_ONLY)

    async def close(self) -> None:
        raise Forbidden(_READ_ONLY)

    def _own(self, found: Columns) -> Columns:
        mine = np.fromiter((d.tenant == self._tenant for d in found.devices), np.bool_, len(found.devices))
        return found if mine.all() else found.take(mine[found.device])
