"""Commands down to devices, joined to the registry, the broker and the log."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiomqtt
from sqlalchemy import Engine

from citywarden.commands.desk import CommandDesk, Publish
from citywarden.commands.ledger import Ledger
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import NotFound
from citywarden.model.kind import Kinds
from citywarden.sections import Settings
from citywarden.serve.tables import open_database
from ingest.endpoint import Endpoint
from ingest.goodbye import heed_cancellation
from ingest.kinds import all_kinds
from ingest.publisher import Publisher
from ingest.registry import Registry


def command_desk(engine: Engine, kinds: Kinds, registry: Registry, clock_ms: Callable[[], int]) -> CommandDesk:
    """The desk of a running server."""

    def registered(key: DeviceKey) -> Device | None:
        # Not `lookup`: asking must not register anybody.
        try:
            return registry.get(key)
        except NotFound:
            return None

    return CommandDesk(Ledger(engine), kinds, registered, clock_ms)


def desk_for_commands(settings: Settings, clock_ms: Callable[[], int]) -> tuple[CommandDesk, Registry, Engine]:
    """A desk for a command line: what it queues, a running server sends. Raises CitywardenError."""
    engine = open_database(settings.database_url)
    registry = Registry(engine)
    return command_desk(engine, all_kinds(), registry, clock_ms), registry, engine


async def obey(
    broker: Endpoint, tenant: str, take: Callable[[str, bytes], Awaitable[None]], listening: asyncio.Event | None = None
) -> None:
    """Bring simulated streetlights their commands, until cancelled. `listening`: set once the broker knows of it."""
    while True:
        try:
            async with aiomqtt.Client(
                broker.host, broker.port, username=broker.username, password=broker.password,
                identifier=f"citywarden-{tenant}-lamps", clean_session=False,
            ) as client:  # fmt: skip
                await client.subscribe(f"city/{tenant}/streetlight/+/command", qos=1)
                heed_cancellation()
                if listening is not None:
                    listening.set()
                async for message in client.messages:
                    await take(str(message.topic), bytes(message.payload))
        except aiomqtt.MqttError:
            heed_cancellation()
            await asyncio.sleep(1)


@asynccontextmanager
async def publishing(endpoint: Endpoint, client_id: str) -> AsyncIterator[Publish]:
    """A way to devices through a broker, QoS 1, never retained. Raises Unavailable."""
    async with Publisher(endpoint, client_id) as publisher:

        async def publish(topic: str, payload: bytes, timeout_s: float) -> None:
            await publisher.publish(topic, payload, timeout_s=timeout_s)

        yield publish
