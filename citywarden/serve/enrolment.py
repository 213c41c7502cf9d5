"""Devices, their credentials and their rights at the broker, changed together: the registry and the provisioner as one.

A change that gives something (add, enable, rotate) is undone when the broker refuses or is away. One that takes
something (disable, remove) counts here at once, and what the broker has not been told is remembered and said.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from citywarden.model.credential import Credential, claim_login, is_claim_login, key_of, login_of
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import CitywardenError, HalfDone
from citywarden.model.kind import JsonScalar, Scene
from citywarden.provision.book import Book, Issued, Pending
from citywarden.provision.contract import Grant, Provisioner, account_of
from citywarden.provision.difference import Difference, Fault, compare
from citywarden.provision.handout import Handout
from citywarden.provision.password import digest, generate
from ingest.endpoint import Endpoint
from ingest.kinds import all_kinds
from ingest.registry import Registry

NO_PROVISIONER = 'no broker is told about devices: set [provisioner] kind, or [mqtt] devices = "credentials"'


PART = 500
"""Accounts put at once, so that a long import can be watched."""


LOCAL_BROKER = Endpoint("127.0.0.1")


@dataclass(frozen=True, slots=True)
class Entrance:
    """`endpoint`: what devices are told to connect to. `enforced` False: the broker lets everyone in; credentials are
    handed out and kept for the day it does not, and a device may be without.
    """

    endpoint: Endpoint = LOCAL_BROKER
    enforced: bool = True


@dataclass(frozen=True, slots=True)
class Repaired:
    """What came of a repair. `issued`: new passwords of accounts that could not be made again with the old one."""

    done: Sequence[Difference]
    left: Sequence[Difference]
    issued: Sequence[Credential]


class Enrolment:
    """`provisioner` None: the registry alone. The registry is the caller's: one event loop, or one command, owns it.

    `claiming`: tenants whose devices may claim, with the password they do it with.
    """

    def __init__(
        self,
        registry: Registry,
        book: Book,
        provisioner: Provisioner | None,
        clock_ms: Callable[[], int],
        entrance: Entrance = Entrance(),
        claiming: Callable[[], Mapping[str, str]] = dict,
        password: Callable[[], str] = generate,
    ) -> None:
        self.registry = registry
        self._book = book
        self._provisioner = provisioner
        self._clock_ms = clock_ms
        self.endpoint = entrance.endpoint
        self._claiming = claiming
        self._password = password
        self.enforced = entrance.enforced

    def handout(self, credential: Credential) -> Handout:
        """A credential with the broker that devices are told to connect to."""
        endpoint = self.endpoint
        return Handout(
            credential, endpoint.host, endpoint.port, endpoint.tls is not None, self._example(credential.login)
        )

    def _example(self, login: str) -> Mapping[str, JsonScalar]:
        """What the device of this login would measure on a quiet night."""
        key = key_of(login)
        device = None if key is None else self.registry.find(key)
        kind = None if device is None else all_kinds().get(device.kind)
        if device is None or kind is None:
            return {}
        measured = kind.sample(Scene(Random(0), device, self._clock_ms(), dark=True))
        return {name: value for name, value in measured.items() if value != ""}

    def facts(self, credential: Credential) -> dict[str, object]:
        """The same, as other programs read it."""
        return self.handout(credential).facts()

    @property
    def gives_credentials(self) -> bool:
        return self._provisioner is not None

    async def add(
        self, fresh: Sequence[Device], claimed: bool = False, tell: Callable[[int], None] = lambda _count: None,
        issue: bool = True,
    ) -> Sequence[Credential]:  # fmt: skip
        """Register devices, all or none, and give them credentials. Raises CitywardenError: nothing has changed.

        `claimed`: they get none now, each will claim its own, once. `tell`: hears how many more the broker has taken.
        `issue` False: they get none, which an open broker allows.
        """
        if claimed:
            self._demanded()
        self.registry.add(fresh)
        if self._provisioner is None or not issue:
            return []
        if claimed:
            waiting = [Issued(login_of(d.key), "", self._clock_ms(), Pending.CLAIM) for d in fresh]
            await asyncio.to_thread(self._book.put, waiting)
            return []
        logins = [login_of(device.key) for device in fresh]
        issued = self._issue(logins)
        kept = self._kept(issued, Pending.PUT)
        allowed = {login_of(device.key): device.enabled for device in fresh}
        try:
            await asyncio.to_thread(self._book.put, kept)
            grants = _grants(issued, kept, allowed)
            for at in range(0, len(grants), PART):
                await self._provisioner.put(grants[at : at + PART])
                tell(len(grants[at : at + PART]))
        except BaseException as error:
            await self._undo(fresh, logins)
            if isinstance(error, CitywardenError):
                raise type(error)(f"{error}; nothing was registered") from None
            raise
        await asyncio.to_thread(self._book.pend, logins, Pending.NOTHING)
        return issued

    async def rotate(self, key: DeviceKey) -> Credential:
        """A new password; the old one is dead, its session ended. Raises CitywardenError: the old one still counts."""
        provisioner = self._told()
        device = self.registry.get(key)
        (credential,) = issued = self._issue([login_of(key)])
        kept = self._kept(issued, Pending.NOTHING)
        await provisioner.put(_grants(issued, kept, {credential.login: device.enabled}))
        await asyncio.to_thread(self._book.put, kept)
        return credential

    async def await_claim(self, key: DeviceKey) -> None:
        """Let a device claim anew: what it has is dead, and the next one to prove itself gets the identity."""
        provisioner = self._demanded()
        self.registry.get(key)
        login = login_of(key)
        await provisioner.remove([login])
        await asyncio.to_thread(self._book.put, [Issued(login, "", self._clock_ms(), Pending.CLAIM)])

    async def enable(self, key: DeviceKey) -> Device:
        """Give a device its rights back. Raises CitywardenError: it stays disabled."""
        login = login_of(key)
        self.registry.get(key)
        if self._provisioner is not None and await self._known(login):
            await self._provisioner.put([Grant(account_of(login))])
            await asyncio.to_thread(self._book.pend, [login], Pending.NOTHING)
        return self.registry.enable(key, True)

    async def disable(self, key: DeviceKey) -> Device:
        """Take its rights and end its session. Raises HalfDone where the broker could not be told."""
        device = self.registry.enable(key, False)
        login = login_of(key)
        if self._provisioner is not None and await self._known(login):
            await self._try(login, Pending.DISABLE, self._provisioner.put([Grant(account_of(login, allowed=False))]))
            await asyncio.to_thread(self._book.pend, [login], Pending.NOTHING)
        return device

    async def remove(self, key: DeviceKey) -> None:
        """Take a device out of registry and broker. Raises HalfDone where the broker could not be told."""
        self.registry.remove(key)
        login = login_of(key)
        if self._provisioner is not None and await self._known(login):
            await self._try(login, Pending.REMOVE, self._provisioner.remove([login]))
        if self._provisioner is not None:
            await asyncio.to_thread(self._book.forget, [login])

    async def change(self, device: Device) -> Device:
        """Write what is known of a device (not its identity, not whether it is enabled)."""
        before = self.registry.get(device.key)
        changed = replace(device, enabled=before.enabled)
        self.registry.put([changed])
        return changed

    async def issued(self, key: DeviceKey) -> Issued | None:
        """What credentials a device was given, without the password."""
        return await asyncio.to_thread(self._book.find, login_of(key))

    async def compare(self) -> Sequence[Difference]:
        """How the broker differs from the registry."""
        provisioner = self._told()
        self.registry.refresh()
        known = await asyncio.to_thread(self._book.all)
        unclaimed = {login for login, issued in known.items() if issued.pending is Pending.CLAIM}
        devices = {login_of(d.key): d.enabled for d in self.registry.all()}
        if not self.enforced:
            devices = {login: on for login, on in devices.items() if login in known}
        wanted = [account_of(login, on) for login, on in devices.items() if login not in unclaimed]
        wanted += [account_of(claim_login(tenant)) for tenant in self._claiming()]
        return compare(wanted, await provisioner.list())

    async def repair(self, differences: Sequence[Difference], renew: bool) -> Repaired:
        """Make the broker as it should be. `renew`: accounts whose password is lost get a new one, or they are left."""
        provisioner = self._told()
        extra = [d.login for d in differences if d.fault is Fault.EXTRA]
        await provisioner.remove(extra)
        await asyncio.to_thread(self._book.forget, extra)
        missing = [d for d in differences if d.fault is Fault.MISSING]
        changed = [d for d in differences if d.fault not in (Fault.EXTRA, Fault.MISSING)]
        await provisioner.put([Grant(d.wanted) for d in changed if d.wanted is not None])
        known = await asyncio.to_thread(self._book.all)
        same = [d for d in missing if is_claim_login(d.login) or (provisioner.rebuilds and d.login in known)]
        await provisioner.put([self._again(d, known) for d in same])
        lost = [d for d in missing if d not in same]
        issued: Sequence[Credential] = []
        if renew and lost:
            issued = self._issue([d.login for d in lost])
            kept = self._kept(issued, Pending.NOTHING)
            await provisioner.put(_grants(issued, kept, {}))
            await asyncio.to_thread(self._book.put, kept)
            lost = []
        await asyncio.to_thread(self._book.pend, [d.login for d in differences], Pending.NOTHING)
        done = [d for d in differences if d not in lost]
        return Repaired(done, lost, issued)

    async def open_claims(self, tenant: str) -> None:
        """Let the devices of a tenant connect to claim; with a new key the old password is dead."""
        login = claim_login(tenant)
        await self._told().put([Grant(account_of(login), self._claiming()[tenant])])

    async def close_claims(self, tenant: str) -> None:
        await self._told().remove([claim_login(tenant)])

    async def close(self) -> None:
        if self._provisioner is not None:
            await self._provisioner.close()

    def _again(self, difference: Difference, known: Mapping[str, Issued]) -> Grant:
        assert difference.wanted is not None
        if is_claim_login(difference.login):
            return Grant(difference.wanted, self._claiming()[difference.login.partition("/")[0]])
        return Grant(difference.wanted, digest=known[difference.login].digest)

    def _told(self) -> Provisioner:
        if self._provisioner is None:
            raise CitywardenError(NO_PROVISIONER)
        return self._provisioner

    def _demanded(self) -> Provisioner:
        """The provisioner of a broker that asks for credentials."""
        if not self.enforced:
            raise CitywardenError(NO_PROVISIONER)
        return self._told()

    def _issue(self, logins: Sequence[str]) -> Sequence[Credential]:
        now_ms = self._clock_ms()
        return [Credential(login, self._password(), now_ms) for login in logins]

    def _kept(self, issued: Sequence[Credential], pending: Pending) -> Sequence[Issued]:
        return [Issued(one.login, digest(one.password), one.issued_ms, pending) for one in issued]

    async def _known(self, login: str) -> bool:
        """Whether the broker has been told of it."""
        found = await asyncio.to_thread(self._book.find, login)
        return found is not None and found.pending is not Pending.CLAIM

    async def _try(self, login: str, pending: Pending, told: Awaitable[None]) -> None:
        await asyncio.to_thread(self._book.pend, [login], pending)
        try:
            await told
        except CitywardenError as error:
            raise HalfDone(
                f"{pending.value}d here, and the server refuses it; but the broker could not be told: {error}. "
                "It is remembered: citywarden device sync --repair"
            ) from None

    async def _undo(self, fresh: Sequence[Device], logins: Sequence[str]) -> None:
        """Take back what `add` did; what the broker may have taken of it is extra there, and a repair removes it."""
        self.registry.discard([device.key for device in fresh])
        await asyncio.to_thread(self._book.forget, logins)
        if self._provisioner is not None:
            try:
                await self._provisioner.remove(logins)
            except CitywardenError:
                return


def _grants(issued: Sequence[Credential], kept: Sequence[Issued], allowed: Mapping[str, bool]) -> Sequence[Grant]:
    return [
        Grant(account_of(one.login, allowed.get(one.login, True)), one.password, book.digest)
        for one, book in zip(issued, kept, strict=True)
    ]
