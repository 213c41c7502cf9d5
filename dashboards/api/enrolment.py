"""Devices registered, changed, given credentials and taken away; devices that claim theirs. Administrators only."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from citywarden.model.claim import Asked, ClaimKey, Mode, State
from citywarden.model.credential import Credential
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import NotFound
from citywarden.model.identity import Identity, Intent
from citywarden.model.inputs import PROFILE_NAME, check_inputs
from citywarden.model.wire import timestamp
from dashboards.api.problems import BadQuestion
from dashboards.api.questions import Word
from dashboards.api.rights import Administrator
from dashboards.api.shapes import DeviceBody, Listed, Scalar, Timestamp, device_body
from dashboards.sources import Claims, Enrolment, Sources

NAME = r"^[A-Za-z0-9_.:-]{1,64}$"
TENANT = r"^[A-Za-z0-9_.-]{1,64}$"
Name = Annotated[str, Field(pattern=NAME)]
TenantName = Annotated[str, Field(pattern=TENANT)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Crs = Annotated[str, Field(pattern="^(wgs84|cgcs2000|gcj02|bd09)$")]
Text = Annotated[str, Field(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]


class DeviceFacts(BaseModel):
    """What is known of a device beside its identity; what is left out stays as it is (new: empty)."""

    model_config = ConfigDict(extra="forbid")

    name: Text | None = None
    district: Text | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None
    crs: Crs | None = None
    profile: dict[str, Scalar] | None = None
    owner: Text | None = None


class NewDevice(DeviceFacts):
    """`claim`: no password now, the device claims its own."""

    tenant: TenantName
    kind: Name
    id: Name
    claim: bool = False


class CredentialsBody(BaseModel):
    """Shown this once."""

    broker: str
    username: str
    password: str
    client_id: str
    publish: list[str]
    subscribe: list[str]


class EnrolledBody(BaseModel):
    """A device, and the credentials it was given: null where no broker is told about devices, or it will claim."""

    device: DeviceBody
    credentials: CredentialsBody | None


class ClaimKeyBody(BaseModel):
    """`key` is shown when it is made, and null after that."""

    tenant: str
    mode: Mode
    made_at: Timestamp
    key: str | None


class NewClaimKey(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tenant: TenantName
    mode: Mode = Mode.LISTED


class AskedBody(BaseModel):
    tenant: str
    kind: str
    serial: str
    state: State
    asked_at: Timestamp | None
    decided_at: Timestamp | None
    decided_by: str


def enrolment(sources: Sources, enrolment: Enrolment) -> APIRouter:
    """Routes of devices that belong."""
    router = APIRouter(prefix="/api/v1/devices", tags=["things"])
    office = _Office(sources, enrolment)
    _registration(router, office)
    _rights(router, office)
    return router


@dataclass(frozen=True, slots=True)
class _Office:
    """What the routes about devices share."""

    sources: Sources
    enrolment: Enrolment

    async def find(self, who: Identity, kind: str, device: str, tenant: str) -> Device:
        """Raises NotFound, also where somebody else's tenant is asked for."""
        if not who.sees(tenant):
            raise NotFound(f"no {kind} {device!r} of tenant {tenant!r}")
        return await self.sources.devices.get(DeviceKey(tenant, kind, device))

    def body(self, device: Device) -> dict[str, object]:
        live = self.sources.live
        return device_body(device, live.of(device.key), live.presence(device.key))

    def enrolled(self, device: Device, credential: Credential | None) -> dict[str, object]:
        shown = None if credential is None else self.enrolment.facts(credential)
        return {"device": self.body(device), "credentials": shown}

    def doing(
        self, who: Identity, action: str, device: Device, detail: str = ""
    ) -> AbstractAsyncContextManager[Intent]:
        """See `Audit.doing`."""
        return self.sources.audit.doing(who, f"device.{action}", ["/".join(device.key)], detail)


def _registration(router: APIRouter, office: _Office) -> None:
    @router.post("", response_model=EnrolledBody, status_code=201)
    async def add(given: NewDevice, who: Administrator) -> dict[str, object]:
        """Register a device; its credentials are in the answer, and nowhere else."""
        if not who.sees(given.tenant):
            raise BadQuestion(
                "body.tenant", f"{who.name} belongs to tenant {who.tenant}", f"{who.name} 属于租户 {who.tenant}"
            )
        device = _changed(office.sources, Device(given.tenant, given.kind, given.id), given)
        async with office.doing(who, "add", device, "to claim its password" if given.claim else ""):
            issued = await office.enrolment.add([device], given.claim)
        return office.enrolled(device, issued[0] if issued else None)

    @router.patch("/{tenant}/{kind}/{id}", response_model=DeviceBody)
    async def change(tenant: Word, kind: Word, id: Word, given: DeviceFacts, who: Administrator) -> dict[str, object]:
        """Change what is known of a device; returns it as it is then."""
        before = await office.find(who, kind, id, tenant)
        wanted = _changed(office.sources, before, given)
        async with office.doing(who, "change", before, ", ".join(sorted(given.model_fields_set))):
            device = await office.enrolment.change(wanted)
        return office.body(device)

    @router.delete("/{tenant}/{kind}/{id}", status_code=204)
    async def remove(tenant: Word, kind: Word, id: Word, who: Administrator) -> None:
        """Take a device out of registry and broker; its readings stay."""
        device = await office.find(who, kind, id, tenant)
        async with office.doing(who, "remove", device):
            await office.enrolment.remove(device.key)


def _rights(router: APIRouter, office: _Office) -> None:
    @router.post("/{tenant}/{kind}/{id}/rotate", response_model=EnrolledBody)
    async def rotate(tenant: Word, kind: Word, id: Word, who: Administrator) -> dict[str, object]:
        """A new password; the old one is dead at once, and the session ended."""
        device = await office.find(who, kind, id, tenant)
        async with office.doing(who, "rotate", device):
            credential = await office.enrolment.rotate(device.key)
        return office.enrolled(device, credential)

    @router.post("/{tenant}/{kind}/{id}/enable", response_model=DeviceBody)
    async def enable(tenant: Word, kind: Word, id: Word, who: Administrator) -> dict[str, object]:
        """Let a device speak again."""
        device = await office.find(who, kind, id, tenant)
        async with office.doing(who, "enable", device):
            enabled = await office.enrolment.enable(device.key)
        return office.body(enabled)

    @router.post("/{tenant}/{kind}/{id}/disable", response_model=DeviceBody)
    async def disable(tenant: Word, kind: Word, id: Word, who: Administrator) -> dict[str, object]:
        """Take a device's rights and end its session."""
        device = await office.find(who, kind, id, tenant)
        async with office.doing(who, "disable", device):
            return office.body(await office.enrolment.disable(device.key))


def claims(sources: Sources, claims: Claims) -> APIRouter:
    """Routes of devices that ask for their identity."""
    router = APIRouter(prefix="/api/v1/claims", tags=["things"])

    def demand(who: Identity, tenant: str) -> None:
        if not who.sees(tenant):
            raise NotFound(f"no tenant {tenant!r}")

    @router.get("", response_model=Listed[AskedBody])
    async def asked(
        who: Administrator, tenant: Annotated[str | None, Query(max_length=200)] = None, state: State | None = None
    ) -> dict[str, object]:
        """Devices that asked, newest first."""
        found = [one for one in await claims.asked(tenant, state) if who.sees(one.key.tenant)]
        return {"items": [_asked_body(one) for one in found], "next": None}

    @router.get("/keys", response_model=Listed[ClaimKeyBody])
    async def keys(who: Administrator) -> dict[str, object]:
        """Tenants whose devices may claim."""
        return {"items": [_key_body(key, None) for key in await claims.keys() if who.sees(key.tenant)], "next": None}

    @router.post("/keys", response_model=ClaimKeyBody, status_code=201)
    async def make_key(given: NewClaimKey, who: Administrator) -> dict[str, object]:
        """A new claim key for a tenant, shown this once; the old one is dead."""
        demand(who, given.tenant)
        async with sources.audit.doing(who, "claim.key", [given.tenant], given.mode.value):
            made = await claims.make_key(given.tenant, given.mode)
        return _key_body(made, made.secret)

    @router.delete("/keys/{tenant}", status_code=204)
    async def drop_key(tenant: Word, who: Administrator) -> None:
        """No device of the tenant may claim any more."""
        demand(who, tenant)
        async with sources.audit.doing(who, "claim.key_dropped", [tenant]):
            await claims.drop_key(tenant)

    @router.post("/{tenant}/{kind}/{serial}/approve", response_model=DeviceBody)
    async def approve(
        tenant: Word, kind: Word, serial: Word, given: DeviceFacts, who: Administrator
    ) -> dict[str, object]:
        """Register a device that waits; when it asks again it gets its identity."""
        demand(who, tenant)
        device = _changed(sources, Device(tenant, kind, serial), given)
        async with sources.audit.doing(who, "claim.approve", ["/".join(device.key)]):
            await claims.approve(device, who.name)
        return device_body(device, None, None)

    @router.post("/{tenant}/{kind}/{serial}/reject", status_code=204)
    async def reject(tenant: Word, kind: Word, serial: Word, who: Administrator) -> None:
        """A device that waits gets nothing."""
        demand(who, tenant)
        async with sources.audit.doing(who, "claim.reject", [f"{tenant}/{kind}/{serial}"]):
            await claims.reject(DeviceKey(tenant, kind, serial), who.name)

    return router


def _changed(sources: Sources, device: Device, given: DeviceFacts) -> Device:
    """The device with what was given. Raises BadQuestion."""
    kind = sources.kinds.get(device.kind)
    if kind is None:
        known = ", ".join(sources.kinds)
        raise BadQuestion(
            "body.kind", f"no kind {device.kind!r}, expected one of: {known}",
            f"没有类型 {device.kind!r}，应为 {known} 之一",
        )  # fmt: skip
    told = given.model_fields_set
    lat = given.lat if "lat" in told else device.lat
    lon = given.lon if "lon" in told else device.lon
    if (lat is None) != (lon is None):
        raise BadQuestion("body.lat", "a position is both lat and lon", "经度和纬度要同时填写")
    profile = dict(given.profile) if given.profile is not None else dict(device.profile)
    _check_profile(profile, {quantity.field for quantity in kind.sent})
    return Device(
        device.tenant, device.kind, device.id,
        device.name if given.name is None else given.name,
        device.district if given.district is None else given.district,
        lat, lon, given.crs or device.crs, profile,
        device.owner if given.owner is None else given.owner,
        device.enabled,
    )  # fmt: skip


def _check_profile(profile: dict[str, bool | int | float | str], fields: set[str]) -> None:
    for name in ("interval_s", "nominal_power_w"):
        value = profile.get(name, 1.0)
        if isinstance(value, bool | str) or not 0 < value < float("inf"):
            raise BadQuestion(
                f"body.profile.{name}", f"{value!r}: expected a number above 0", f"{value!r}：应为大于 0 的数字"
            )
    mapping = profile.get(PROFILE_NAME)
    if mapping is None:
        return
    try:
        check_inputs(str(mapping), fields)
    except ValueError as error:
        raise BadQuestion(f"body.profile.{PROFILE_NAME}", str(error)) from None


def _key_body(key: ClaimKey, secret: str | None) -> dict[str, object]:
    return {"tenant": key.tenant, "mode": key.mode, "made_at": timestamp(key.made_ms), "key": secret}


def _asked_body(asked: Asked) -> dict[str, object]:
    def moment(ms: int | None) -> str | None:
        return None if ms is None else timestamp(ms)

    return {
        "tenant": asked.key.tenant, "kind": asked.key.kind, "serial": asked.key.id, "state": asked.state,
        "asked_at": moment(asked.asked_ms), "decided_at": moment(asked.decided_ms), "decided_by": asked.decided_by,
    }  # fmt: skip
