"""The server's own subscriber, at a gate."""

import asyncio

from citywarden.cli.running import wall_ms
from ingest.endpoint import Endpoint
from ingest.subscription import Subscription
from ingest.wire import Connection


async def subscribed(at: Endpoint, client_id: str) -> Connection:
    """Logged in and subscribed there."""
    subscription = Subscription(at, client_id)
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: Connection(subscription, wall_ms), at.host, at.port
    )
    await connection.log_in()
    connection.subscribe()
    await connection.subscribed()
    return connection
