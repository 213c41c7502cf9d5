"""Self-provisioning: devices ask over MQTT for their identity, get it once, and a person may have a say.

city/TENANT/claim --> rate limit --> proof --> replay --> decide --> credentials --> sealed answer, audit
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager

import aiomqtt

from citywarden.model.claim import Asked, ClaimKey, Mode, State
from citywarden.model.credential import claim_result_topic
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import CitywardenError, NotFound
from citywarden.model.identity import Identity, Intent, Role
from citywarden.provision.book import Pending
from citywarden.provision.bucket import Buckets, Pace
from citywarden.provision.claimbook import ClaimBook
from citywarden.provision.claims import (
    RETRY_S,
    Outcome,
    Request,
    Standing,
    bootstrap_password,
    decide,
    is_proved,
    parse_request,
)
from citywarden.provision.sealing import seal
from citywarden.serve.enrolment import Enrolment
from ingest.endpoint import Endpoint
from ingest.goodbye import heed_cancellation

TENANT_PACE = Pace(burst=200, per_min=600)
SERIAL_PACE = Pace(burst=5, per_min=2)
AGAIN_S = 2.0

_silent = logging.getLogger("citywarden.claims.library")
_silent.setLevel(logging.CRITICAL)
_log = logging.getLogger(__name__)

Doing = Callable[[Identity, str, Sequence[str]], AbstractAsyncContextManager[Intent]]
"""`Sources.audit.doing`."""


class ClaimOffice:
    """Decides claims. `doing`: the audit; `clock_ms`: the server's clock. Used from one event loop."""

    def __init__(
        self, enrolment: Enrolment, book: ClaimBook, kinds: Collection[str], doing: Doing, clock_ms: Callable[[], int]
    ) -> None:
        self._enrolment = enrolment
        self._book = book
        self._kinds = kinds
        self._doing = doing
        self._clock_ms = clock_ms
        self._tenants = Buckets(TENANT_PACE, 1000)
        self._serials = Buckets(SERIAL_PACE)
        self.outcomes: Counter[str] = Counter()
        self.listening = asyncio.Event()

    async def answer(self, tenant: str, payload: bytes) -> tuple[str, bytes] | None:
        """(topic, payload) to answer a request with; None when it gets no answer."""
        request = parse_request(payload)
        outcome, content = await self._judge(tenant, request)
        self.outcomes[outcome.value] += 1
        if request is None or not outcome.answered:
            _log.warning("claim in tenant %s: %s", tenant[:64], outcome.value)
            return None
        body: dict[str, object] = {"serial": request.serial, "nonce": request.nonce, "status": outcome.value}
        if outcome is Outcome.WAITING:
            body["retry_s"] = RETRY_S
        if content is not None:
            body["sealed"] = content
        return claim_result_topic(tenant, request.serial), json.dumps(body).encode()

    async def _judge(self, tenant: str, request: Request | None) -> tuple[Outcome, dict[str, str] | None]:
        now_ms = self._clock_ms()
        if not self._tenants.take(tenant, now_ms):
            return Outcome.TOO_MANY, None
        if request is None:
            return Outcome.MALFORMED, None
        key = await asyncio.to_thread(self._book.key, tenant)
        if key is None:
            return Outcome.NO_KEY, None
        if not is_proved(key.secret, tenant, request):
            return Outcome.BAD_PROOF, None
        if not self._serials.take(f"{tenant}/{request.serial}", now_ms):
            return Outcome.TOO_MANY, None
        if not await asyncio.to_thread(self._book.first_time, tenant, request.nonce, request.ts_ms, now_ms):
            return Outcome.REPLAYED, None
        device = DeviceKey(tenant, request.kind, request.serial)
        outcome = decide(request, await self._standing(device, key), now_ms)
        sealed, claimant = None, Identity(f"device {request.serial}", Role.VIEWER, tenant)
        async with self._doing(claimant, f"device.claim.{outcome.value}", ["/".join(device)]) as intent:
            if outcome is Outcome.ISSUED:
                outcome, sealed = await self._issue(device, request)
            elif outcome is Outcome.WAITING and not await asyncio.to_thread(self._book.wait, device, now_ms):
                outcome = Outcome.TOO_MANY
            intent.action = f"device.claim.{outcome.value}"
        return outcome, sealed

    async def _standing(self, device: DeviceKey, key: ClaimKey) -> Standing:
        self._enrolment.registry.refresh()
        known = self._enrolment.registry.find(device)
        issued = await self._enrolment.issued(device)
        may_claim = known is not None and known.enabled and issued is not None and issued.pending is Pending.CLAIM
        state = await asyncio.to_thread(self._book.state, device)
        return Standing(known is not None, may_claim, state, key.mode, device.kind in self._kinds)

    async def _issue(self, device: DeviceKey, request: Request) -> tuple[Outcome, dict[str, str] | None]:
        try:
            # Sealed before anything changes: a key that cannot be sealed to costs the device nothing.
            seal({}, request.public_key, request.nonce)
            credential = await self._enrolment.rotate(device)
        except (CitywardenError, ValueError) as error:
            _log.warning("claim of %s: %s", "/".join(device), error)
            return Outcome.FAILED, None
        await asyncio.to_thread(self._book.settle, device, State.CLAIMED, f"device {request.serial}", self._clock_ms())
        return Outcome.ISSUED, seal(self._enrolment.facts(credential), request.public_key, request.nonce)

    async def listen(self, broker: Endpoint, client_id: str) -> None:
        """Answer claims over MQTT until cancelled; a broker that is away is asked again. Its session is kept: what
        was asked meanwhile is answered then, or stale.
        """
        while True:
            try:
                async with _client(broker, client_id) as client:
                    await client.subscribe("city/+/claim", qos=1)
                    heed_cancellation()
                    self.listening.set()
                    async for message in client.messages:
                        await self._take(client, message)
            except (aiomqtt.MqttError, OSError) as error:
                heed_cancellation()
                _log.info("claims: %s: %s", broker, error)
                await asyncio.sleep(AGAIN_S)

    async def _take(self, client: aiomqtt.Client, message: aiomqtt.Message) -> None:
        if message.retain or not isinstance(message.payload, bytes | bytearray):
            return
        try:
            found = await self.answer(str(message.topic).split("/")[1], bytes(message.payload))
        except CitywardenError as error:
            _log.warning("claims: %s", error)
            return
        if found is not None:
            await client.publish(found[0], found[1], qos=1)

    async def keys(self) -> list[ClaimKey]:
        return list(await asyncio.to_thread(self._book.all_keys))

    async def make_key(self, tenant: str, mode: Mode) -> ClaimKey:
        """A new key for a tenant, the old one is dead. Raises CitywardenError: nothing has changed."""
        before = await asyncio.to_thread(self._book.key, tenant)
        made = await asyncio.to_thread(self._book.make_key, tenant, mode, self._clock_ms())
        try:
            await self._enrolment.open_claims(tenant)
        except CitywardenError:
            if before is None:
                await asyncio.to_thread(self._book.drop_key, tenant)
            else:
                await asyncio.to_thread(self._book.keep_key, before)
            raise
        return made

    async def drop_key(self, tenant: str) -> None:
        """Nobody of the tenant may claim any more. Raises NotFound."""
        await asyncio.to_thread(self._book.drop_key, tenant)
        await self._enrolment.close_claims(tenant)

    async def asked(self, tenant: str | None, state: State | None) -> list[Asked]:
        return list(await asyncio.to_thread(self._book.asked, tenant, state))

    async def approve(self, device: Device, by: str) -> Device:
        """Register a device that waits: the next time it asks it gets its identity. Raises NotFound."""
        await self._waiting(device.key)
        await self._enrolment.add([device], claimed=True)
        await asyncio.to_thread(self._book.settle, device.key, State.APPROVED, by, self._clock_ms())
        return device

    async def reject(self, key: DeviceKey, by: str) -> None:
        """A device that waits gets nothing. Raises NotFound."""
        await self._waiting(key)
        await asyncio.to_thread(self._book.settle, key, State.REJECTED, by, self._clock_ms())

    async def find_waiting(self, tenant: str, serial: str, kind: str | None) -> DeviceKey:
        """The device meant. Raises NotFound, CitywardenError when several are."""
        found = await asyncio.to_thread(self._book.find_waiting, tenant, serial, kind)
        if not found:
            raise NotFound(f"no device {serial} of tenant {tenant} waits for approval")
        if len(found) > 1:
            raise CitywardenError(f"{serial} is ambiguous, say the kind ({', '.join(key.kind for key in found)})")
        return found[0]

    async def _waiting(self, key: DeviceKey) -> None:
        await self.find_waiting(key.tenant, key.id, key.kind)


def claiming(book: ClaimBook) -> Callable[[], dict[str, str]]:
    """Tenants whose devices may claim, with the password they connect with."""
    return lambda: {key.tenant: bootstrap_password(key.secret) for key in book.all_keys()}


def _client(broker: Endpoint, client_id: str) -> aiomqtt.Client:
    return aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.username,
        password=broker.password,
        identifier=client_id,
        clean_session=False,
        tls_context=None if broker.tls is None else broker.tls.context(),
        logger=_silent,
        keepalive=30,
    )
