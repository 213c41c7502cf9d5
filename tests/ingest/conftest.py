"""The two kinds of brokers every subscriber test runs against."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest.broker import EmbeddedBroker
from ingest.endpoint import Endpoint
from tests.brokers import MOSQUITTO, free_port, mosquitto


@dataclass(frozen=True, slots=True)
class Site:
    """A running broker: where devices publish, where the subscriber connects, and how to end it for good."""

    publish: Endpoint
    subscribe: Endpoint
    stop: Callable[[], Awaitable[None]]
    restart: Callable[[], Awaitable[None]]
    keeps_sessions: bool


@asynccontextmanager
async def embedded_site(_: Path) -> AsyncIterator[Site]:
    # At ports of our own choice, so that it is at the same ones when it is started again.
    async with EmbeddedBroker(free_port(), free_port()) as broker:
        yield Site(broker.endpoint, broker.v5_endpoint, broker.stop, broker.start, keeps_sessions=False)


@asynccontextmanager
async def mosquitto_site(folder: Path) -> AsyncIterator[Site]:
    async with mosquitto(folder) as broker:
        yield Site(broker.endpoint, broker.endpoint, broker.stop, broker.start, keeps_sessions=True)


SITES: dict[str, Callable[[Path], AbstractAsyncContextManager[Site]]] = {
    "embedded": embedded_site,
    "mosquitto": mosquitto_site,
}


@pytest.fixture(
    params=[
        "embedded",
        pytest.param(
            "mosquitto",
            marks=pytest.mark.skipif(MOSQUITTO is None, reason="needs Mosquitto: apt-get install mosquitto"),
        ),
    ]
)
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    async with SITES[request.param](tmp_path) as running:
        yield running
