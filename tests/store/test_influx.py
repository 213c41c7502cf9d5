"""InfluxStore against a real influxd: the contract, and what only InfluxDB does."""

import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from citywarden.store.influx import InfluxStore, Keep, set_up
from tests.builders import KINDS
from tests.influx import Influxd, influxd
from tests.store.contract import StoreContract

FOR_EVER = Keep(None, None, None)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    with influxd(tmp_path_factory.mktemp("influxd")) as running:
        yield running


@pytest.fixture
async def store(server: Influxd) -> AsyncIterator[InfluxStore]:
    url = server.url(f"test-{secrets.token_hex(6)}")
    await set_up(url, server.token, {}, FOR_EVER)
    store = await InfluxStore.open(url, server.token, KINDS)
    yield store
    await store.close()


class TestInflux(StoreContract):
    overwrites = True
