"""A whole server in the test's own process, on free loopback ports."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from citywarden.alerts.receiver import Receiver
from citywarden.cli.running import wall_ms
from citywarden.sections import AlertsSettings, Settings, TargetSettings
from citywarden.serve.prepare import prepare
from citywarden.serve.server import Options, Running, running

SECRET = "whsec_bm90IGEgc2VjcmV0IGF0IGFsbA=="
Serving = Callable[..., AbstractAsyncContextManager[tuple[Running, Receiver]]]


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    """`async with serving() as (server, receiver)`: embedded parts, one target, data in the test's folder."""

    @asynccontextmanager
    async def serve(rules: str | None = None, plan: str | None = None) -> AsyncIterator[tuple[Running, Receiver]]:
        receiver = Receiver(SECRET, wall_ms)
        async with receiver.listen() as address:
            target = TargetSettings(name="dispatch", url=address, secret=SecretStr(SECRET), language="en")
            settings = Settings(
                tenant="t", language="en", data=tmp_path / "data", alerts=AlertsSettings(targets=(target,))
            )
            async with running(prepare(settings, rules, plan), Options(port=0), wall_ms) as server:
                yield server, receiver

    return serve
