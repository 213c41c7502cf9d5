"""Devices with credentials, and those that claim them, of one tenant."""

from collections.abc import Mapping, Sequence

from citywarden.model.access import Forbidden
from citywarden.model.claim import Asked, ClaimKey, Mode, State
from citywarden.model.credential import Credential
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import NotFound
from dashboards.sources import Claims, Enrolment


class TenantEnrolment:
    """`dashboards.sources.Enrolment` of one tenant: others' devices do not exist, and are not made."""

    def __init__(self, enrolment: Enrolment, tenant: str) -> None:
        self._enrolment = enrolment
        self._tenant = tenant

    @property
    def gives_credentials(self) -> bool:
        return self._enrolment.gives_credentials

    async def add(self, fresh: Sequence[Device], claimed: bool = False) -> Sequence[Credential]:
        for device in fresh:
            _own(self._tenant, device.tenant)
        return await self._enrolment.add(fresh, claimed)

    async def change(self, device: Device) -> Device:
        self._mine(device.key)
        return await self._enrolment.change(device)

    async def rotate(self, key: DeviceKey) -> Credential:
        return await self._enrolment.rotate(self._mine(key))

    async def enable(self, key: DeviceKey) -> Device:
        return await self._enrolment.enable(self._mine(key))

    async def disable(self, key: DeviceKey) -> Device:
        return await self._enrolment.disable(self._mine(key))

    async def remove(self, key: DeviceKey) -> None:
        await self._enrolment.remove(self._mine(key))

    def facts(self, credential: Credential) -> Mapping[str, object]:
        return self._enrolment.facts(credential)

    def _mine(self, key: DeviceKey) -> DeviceKey:
        if key.tenant != self._tenant:
            raise NotFound(f"no {key.kind} {key.id!r} of tenant {key.tenant!r}")
        return key


class TenantClaims:
    """`dashboards.sources.Claims` of one tenant."""

    def __init__(self, claims: Claims, tenant: str) -> None:
        self._claims = claims
        self._tenant = tenant

    async def keys(self) -> Sequence[ClaimKey]:
        return [key for key in await self._claims.keys() if key.tenant == self._tenant]

    async def make_key(self, tenant: str, mode: Mode) -> ClaimKey:
        return await self._claims.make_key(_own(self._tenant, tenant), mode)

    async def drop_key(self, tenant: str) -> None:
        await self._claims.drop_key(_own(self._tenant, tenant))

    async def asked(self, tenant: str | None, state: State | None) -> Sequence[Asked]:
        return await self._claims.asked(self._tenant, state) if tenant in (None, self._tenant) else ()

    async def find_waiting(self, tenant: str, serial: str, kind: str | None) -> DeviceKey:
        return await self._claims.find_waiting(_own(self._tenant, tenant), serial, kind)

    async def approve(self, device: Device, by: str) -> Device:
        _own(self._tenant, device.tenant)
        return await self._claims.approve(device, by)

    async def reject(self, key: DeviceKey, by: str) -> None:
        _own(self._tenant, key.tenant)
        await self._claims.reject(key, by)


def _own(mine: str, tenant: str) -> str:
    """Raises Forbidden for another tenant's."""
    if tenant != mine:
        raise Forbidden(f"devices of tenant {mine} only")
    return tenant
