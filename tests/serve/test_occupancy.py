"""The doctor tells its own server from others that have the port."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from citywarden.cli.running import wall_ms
from citywarden.model.errors import CitywardenError
from citywarden.sections import ApiSettings, Settings
from citywarden.serve.examination import examine
from citywarden.serve.occupancy import occupant
from citywarden.serve.prepare import prepare
from citywarden.serve.server import Options, running
from tests.brokers import free_port


def configured(data: Path) -> Settings:
    return Settings(data=data, api=ApiSettings(listen=f"127.0.0.1:{free_port()}"))


@contextlib.asynccontextmanager
async def listening(port: int, answer: bytes) -> AsyncIterator[None]:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", port):
        yield


async def test_the_servers_own_address_is_well(tmp_path: Path) -> None:
    settings = configured(tmp_path / "ours")
    assert occupant(settings) == f"{settings.api.listen} is free"
    async with running(prepare(settings), Options(), wall_ms):
        checks = {check.name: check for check in await examine(settings)}
        assert checks["listen"].ok and checks["listen"].found == f"this server is running on {settings.api.listen}"
        other = settings.model_copy(update={"data": tmp_path / "other"})
        with pytest.raises(CitywardenError, match="a Citywarden on another data folder runs there"):
            await asyncio.to_thread(occupant, other)


@pytest.mark.parametrize("body", [b"hello", b'{"ok": true}', b'["ok", "components", "figures"]'])
async def test_what_does_not_answer_as_a_citywarden_is_something_else(tmp_path: Path, body: bytes) -> None:
    settings = configured(tmp_path)
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with listening(int(settings.api.listen.rpartition(":")[2]), head + body):
        with pytest.raises(CitywardenError, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already in use"):
            await asyncio.to_thread(occupant, settings)
