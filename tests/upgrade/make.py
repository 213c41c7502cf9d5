"""Makes the data folder of a release, for the test that later code opens it: run it in a checkout of that release.

`python -m tests.upgrade.make FILE.tar.gz`: a small server lives for some seconds with something of everything, and
stops with messages in its log that neither the store nor the rules have seen, as after a kill.
"""

import asyncio
import json
import sys
import tarfile
import tempfile
from pathlib import Path

from citywarden.alerts.matching import Matcher
from citywarden.alerts.silences import Silence
from citywarden.cli.running import wall_ms
from citywarden.log.sqlite import SqliteLog
from citywarden.model.device import Device
from citywarden.model.message import RawMessage
from citywarden.serve.prepare import prepare
from citywarden.serve.server import Options, Running, running
from citywarden.settings import load
from ingest.publisher import Publisher

TENANT = "t"
LAMPS, WAITING = 5, 6
CONFIG = 'tenant = "t"\n[[alerts.targets]]\nname = "away"\nurl = "http://127.0.0.1:9/"\n'
MADE = "made_ms"
"""A file beside the data: when they were made."""

ROAD = [[114.05 + 0.0005 * i, 22.54] for i in range(21)]


def plan(now_ms: int) -> str:
    """One road that is being swept now, every day."""
    minute = now_ms // 60_000 + 8 * 60
    begin, end = (minute - 120) % 1440, (minute + 360) % 1440
    window = f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    facts = {"task": "road-1", "vehicle": "V1", "operation": "sweep", "window": window, "timezone": "Asia/Shanghai"}
    road = {"type": "Feature", "properties": facts, "geometry": {"type": "LineString", "coordinates": ROAD}}
    return json.dumps({"type": "FeatureCollection", "features": [road]})


def devices() -> list[Device]:
    lamps = [Device(TENANT, "streetlight", f"L{i}", f"灯 {i}", "Futian", 22.54, 114.05) for i in range(LAMPS)]
    gas = [Device(TENANT, "gas", f"G{i}", district="Nanshan", profile={"methane_alarm_lel_pct": 20}) for i in range(3)]
    return [*lamps, *gas, Device(TENANT, "vehicle", "V1", owner="company")]


async def live(server: Running, now_ms: int) -> None:
    """Something of everything."""
    server.registry.put(devices())
    server.registry.put([Device(TENANT, "gas", "gone")])
    server.registry.remove(Device(TENANT, "gas", "gone").key)
    async with Publisher(server.broker) as publisher:

        async def say(kind: str, device: str, **values: object) -> None:
            await publisher.publish(f"city/{TENANT}/{kind}/{device}/telemetry", json.dumps(values))

        for n in range(20):
            await say("streetlight", f"L{n % LAMPS}", ts=now_ms - 60_000 + n * 1000, energy_kwh=n, on=False)
        for i, point in enumerate(ROAD):
            fix = {"lat": point[1], "lon": point[0], "speed_kmh": 8, "brush": True, "ignition": True, "heading_deg": 90}
            await say("vehicle", "V1", ts=now_ms - 600_000 + i * 20_000, **fix)
        for device, lel_pct in (("G0", 60), ("G1", 30), ("G2", 30)):
            await say("gas", device, ts=now_ms, methane_lel_pct=lel_pct)
        await say("gas", "G2", ts=now_ms + 1000, methane_lel_pct=1)
        await say("gas", "nobody", ts=now_ms, methane_lel_pct=1)
        async with asyncio.timeout(60):
            while len(await server.desk.open()) < 2 or await server.log.backlog("store"):
                await asyncio.sleep(0.1)
    alert = next(a for a in await server.desk.open() if a.subject == "G1")
    await server.desk.acknowledge(alert.id, "wang", "on my way")
    await server.desk.assign(alert.id, "wang", "li")
    await server.desk.silence(
        Silence(now_ms, now_ms + 10**11, "wang", "works", Matcher(rule=("streetlight.*",)), id="s1")
    )


async def main(file: Path) -> None:
    """The folder of a server that was."""
    with tempfile.TemporaryDirectory() as name:
        data, now_ms = Path(name) / "data", wall_ms()
        config = Path(name) / "citywarden.toml"
        config.write_text(CONFIG, "utf-8")
        async with running(prepare(load(config, {}, data), None, plan(now_ms)), Options(port=0), wall_ms) as server:
            await live(server, now_ms)
        log = await SqliteLog.open(data / "log.sqlite")
        body = b'{"ts": %d, "energy_kwh": %d}'
        await log.append([
            RawMessage(f"city/{TENANT}/streetlight/L0/telemetry", body % (now_ms + n, 100 + n), now_ms + n)
            for n in range(WAITING)
        ])  # fmt: skip
        await log.append([
            RawMessage(f"city/{TENANT}/gas/G0/telemetry", b'{"ts": %d, "methane_lel_pct": 1}' % (now_ms + 2000), now_ms)
        ])  # fmt: skip
        await log.close()
        (data / MADE).write_text(str(now_ms))
        with tarfile.open(file, "w:gz", compresslevel=9) as tar:
            for path in sorted(data.iterdir()):
                tar.add(path, path.name, filter=anonymous)


def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
