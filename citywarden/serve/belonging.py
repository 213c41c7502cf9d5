"""Which devices belong: registry, broker accounts and claims of one server, put together."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from sqlalchemy import Engine

from citywarden.model.errors import CitywardenError
from citywarden.model.kind import Kinds
from citywarden.provision.book import Book
from citywarden.provision.claimbook import ClaimBook
from citywarden.provision.contract import Provisioner
from citywarden.sections import Settings
from citywarden.serve.brokers import Brokers, is_enforced, open_brokers, provisioner_of, public_endpoint
from citywarden.serve.claimoffice import ClaimOffice, Doing, claiming
from citywarden.serve.enrolment import Enrolment, Entrance
from citywarden.serve.tables import open_database
from dashboards.sources import UNRECORDED
from ingest.endpoint import Endpoint
from ingest.registry import Registry

READY_S = 10.0


@dataclass(slots=True)
class Belonging:
    """`claims` None: devices have no credentials, so there is nothing to claim."""

    settings: Settings
    provisioner: Provisioner | None
    enrolment: Enrolment
    claims: ClaimOffice | None
    ended: list[Callable[[Sequence[str]], int]]

    async def open(self, endpoint: Endpoint | None, mqtt_port: int, stack: AsyncExitStack) -> Brokers:
        """Start the embedded broker where none is configured (`endpoint` None), with its gate where it has one."""
        stack.push_async_callback(self.enrolment.close)
        brokers = await open_brokers(self.settings, endpoint, self.provisioner, mqtt_port, stack)
        if brokers.gate is not None:
            self.ended.append(brokers.gate.cut)
            public = self.enrolment.endpoint
            if not self.settings.provisioner.devices_url:
                self.enrolment.endpoint = replace(public, port=brokers.devices.port)
        return brokers

    async def ready(self) -> None:
        """Until claims are heard, a little while at most: a broker that is away does not keep the server from starting
        up.
        """
        if self.claims is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(READY_S):
                    await self.claims.listening.wait()

    async def listen(self, broker: Endpoint) -> None:
        """Answer claims until cancelled."""
        if self.claims is not None:
            await self.claims.listen(broker, f"{self.settings.mqtt.client_id}-claims")


async def examine_accounts(settings: Settings, kinds: Kinds, clock_ms: Callable[[], int]) -> str:
    """Whether registry and broker agree, in words. Raises CitywardenError when they do not, or the broker is away."""
    engine = open_database(settings.database_url)

    try:
        belonging = open_belonging(settings, engine, Registry(engine), kinds, UNRECORDED.doing, clock_ms)
        try:
            found = await belonging.enrolment.compare()
        finally:
            await belonging.enrolment.close()
    finally:
        engine.dispose()
    if found:
        some = ", ".join(f"{one.login} ({one.fault})" for one in found[:3])
        raise CitywardenError(f"{len(found)} accounts differ between registry and broker: {some}")
    return "registry and broker agree"


def open_belonging(
    settings: Settings, engine: Engine, registry: Registry, kinds: Kinds, doing: Doing, clock_ms: Callable[[], int]
) -> Belonging:
    """The parts as configured. Raises ConfigurationError."""
    ended: list[Callable[[Sequence[str]], int]] = []

    def end(logins: Sequence[str]) -> None:
        for cut in ended:
            cut(logins)

    provisioner = provisioner_of(settings, engine, end)
    claims = ClaimBook(engine)
    entrance = Entrance(public_endpoint(settings), is_enforced(settings))
    enrolment = Enrolment(registry, Book(engine), provisioner, clock_ms, entrance, claiming(claims))
    claimable = provisioner is not None and enrolment.enforced
    office = ClaimOffice(enrolment, claims, kinds.keys(), doing, clock_ms) if claimable else None
    return Belonging(settings, provisioner, enrolment, office, ended)
