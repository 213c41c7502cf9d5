"""A real vehicle's recording goes over real MQTT into the store, and is judged for what it is: too coarse.

The recording holds several fixes of one moment: the store keeps the first of them.
"""

import asyncio
import sys
from pathlib import Path

from citywarden.cli.running import wall_ms
from citywarden.model.device import DeviceKey
from fleet.tracks import read_tracks
from tests.builders import device
from tests.serve.conftest import Serving

TRACK = Path(__file__).parents[2] / "examples" / "tracks" / "jerseycity_trucks_20151210.csv"
PLAN = """{"type": "FeatureCollection", "features": [{"type": "Feature",
  "geometry": {"type": "LineString", "coordinates": [[-74.0907, 40.6886], [-74.0879, 40.6909], [-74.0850, 40.6935]]},
  "properties": {"task": "P1-route", "vehicle": "P-1", "operation": "collect",
                 "window": "2015-12-10T07:00-05:00/2015-12-10T15:00-05:00"}}]}"""


async def test_every_fix_of_a_recorded_truck_is_stored_and_the_task_is_not_judged(serving: Serving) -> None:
    fixes = {row.ts_ms: row for row in reversed(list(read_tracks([TRACK]).rows())) if row.device == "P-1"}
    async with serving(plan=PLAN) as (server, _):
        server.registry.put([device("vehicle", "P-1", lat=40.6886, lon=-74.0907)])
        url = f"mqtt://127.0.0.1:{server.broker.port}"
        command = ("simulate", "--broker", url, "--tenant", "t", "--track", str(TRACK), "--device", "P-1")
        playing = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "citywarden", *command, "--speed-up", "100000", "--original-times",

        )  # fmt: skip
        async with asyncio.timeout(90):
            assert await playing.wait() == 0
            while server.drain.stored < len(fixes):
                await asyncio.sleep(0.1)
        key = DeviceKey("t", "vehicle", "P-1")
        stored = await server.store.series(key, 0, wall_ms())
        assert [(r.ts_ms, r.values["lat"], r.values["lon"]) for r in stored] == [
            (ts_ms, fixes[ts_ms].values["lat"], fixes[ts_ms].values["lon"]) for ts_ms in sorted(fixes)
        ]
        report = await server.work.report("P1-route")
        assert (report.status, report.evidence) == ("not_judged", "gps_only")
        assert any("sampling" in reason or "coarse" in reason for reason in report.reasons), report.reasons
