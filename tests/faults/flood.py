"""More readings than a server takes: lamps that speak as fast as they are let, listeners that never read."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from citywarden.cli.running import wall_ms
from citywarden.model.device import Device
from citywarden.serve.tables import open_database
from citywarden.settings import load
from ingest.registry import Registry
from tests.faults.children import Server
from tests.faults.traffic import TENANT

PAGES = ("/healthz", "/metrics", "/api/v1/devices?limit=50")


@dataclass(slots=True)
class Lamps:
    """So many streetlights; each says `energy_kwh` = the next number and, to be longer, so many bytes of a note.

    Each says it at a time of its own, by its right clock, or a later number would be the same reading.
    """

    count: int
    note_bytes: int = 0
    said: int = 0
    _last_ms: list[int] = field(default_factory=list)

    def devices(self) -> list[Device]:
        return [Device(TENANT, "streetlight", f"S{i:04}", lat=22.54, lon=114.06) for i in range(self.count)]

    def next(self, count: int) -> list[tuple[str, bytes]]:
        """The next messages: (topic, payload)."""
        if not self._last_ms:
            self._last_ms = [0] * self.count
        first, self.said = self.said, self.said + count
        return [self._one(n) for n in range(first, first + count)]

    def _one(self, n: int) -> tuple[str, bytes]:
        lamp = n % self.count
        ts_ms = self._last_ms[lamp] = max(wall_ms(), self._last_ms[lamp] + 1)
        body = b'{"ts": %d, "energy_kwh": %d, "note": "%s"}' % (ts_ms, n, b"x" * self.note_bytes)
        return f"city/{TENANT}/streetlight/S{lamp:04}/telemetry", body


@asynccontextmanager
async def flooded(
    folder: Path, port: int, more: str, devices: Sequence[Device], nice: int = 0
) -> AsyncIterator[Server]:  # fmt: skip
    """A server on the broker at this port, and SQLite, with these devices. `more`: more of its configuration; `nice`:
    how much it leaves the processors to others.
    """
    config, data = folder / "citywarden.toml", folder / "data"
    config.write_text(f'tenant = "{TENANT}"\n[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\n{more}')
    settings = load(config, {}, data)
    data.mkdir()
    engine = open_database(settings.database_url)
    Registry(engine).add(devices)
    engine.dispose()
    found = Server(config, data, folder / "server.output")
    if nice:
        found.command = ["nice", "-n", str(nice), *found.command]
    try:
        await found.start()
        yield found
    finally:
        await found.kill()


async def look_s(client: httpx.AsyncClient, url: str) -> float:
    """How long a page takes."""
    begin_s = time.monotonic()
    assert (await client.get(url)).status_code in (200, 503)
    return time.monotonic() - begin_s


async def figures(url: str) -> dict[str, float]:
    """What the server says of itself."""
    async with httpx.AsyncClient(timeout=60) as client:
        body = (await client.get(f"{url}/healthz")).json()
    return {name: float(value) for name, value in body["figures"].items()}


@asynccontextmanager
async def deaf_listener(url: str) -> AsyncIterator[None]:
    """Asks for the event stream and never reads it."""
    host, _, port = url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(b"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    await writer.drain()
    try:
        yield
    finally:
        writer.transport.abort()
