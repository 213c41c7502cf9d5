"""`citywarden simulate` against a real broker, and its wrong uses."""

import asyncio
import csv
import json
from pathlib import Path

import aiomqtt
import pytest

from citywarden.cli import run
from citywarden.cli.running import wall_ms
from citywarden.cli.simulate import play_city, play_tracks
from fleet.city import Size, city
from fleet.playback import choose, retime
from fleet.provisioning import read_csv
from fleet.tracks import read_tracks
from ingest.broker import EmbeddedBroker
from ingest.endpoint import Endpoint
from ingest.kinds import all_kinds

TRACK = Path(__file__).parents[2] / "examples" / "tracks" / "jerseycity_trucks_20151210.csv"


async def collect(endpoint: Endpoint, into: list[tuple[str, bytes]], ready: asyncio.Event) -> None:
    async with aiomqtt.Client(endpoint.host, endpoint.port, timeout=60) as client:
        await client.subscribe("city/#", qos=1)
        ready.set()
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            into.append((str(message.topic), message.payload))


async def test_a_city_and_a_track_reach_the_subscriber() -> None:
    got: list[tuple[str, bytes]] = []
    ready = asyncio.Event()
    async with EmbeddedBroker() as broker:
        listening = asyncio.create_task(collect(broker.endpoint, got, ready))
        await ready.wait()
        town = city(1, wall_ms(), "t", Size.of(60), with_recorded=False)
        sent = await play_city(broker.endpoint, town, rate=200.0, seconds=2.0)
        fixes = retime(choose(read_tracks([TRACK]), "S-15"), wall_ms(), speed_up=100_000)
        played = await play_tracks(broker.endpoint, fixes, "t", seconds=120.0)
        async with asyncio.timeout(60):
            while sum(topic.endswith("telemetry") for topic, _ in got) < sent + played:
                await asyncio.sleep(0.05)
        listening.cancel()
    telemetry = [topic for topic, _ in got if topic.endswith("/telemetry")]
    assert played == len(fixes) == 295
    assert sent >= 100
    assert len(telemetry) == sent + played
    assert {topic.split("/")[2] for topic in telemetry} == {"streetlight", "waterlogging", "gas", "vehicle"}
    truck = [json.loads(payload) for topic, payload in got if topic == "city/t/vehicle/S-15/telemetry"]
    assert [fix["ts"] for fix in truck] == [fix.ts_ms for fix in fixes]


def test_its_devices_can_be_imported(tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    assert run(["simulate", "--devices", "80", "--tenant", "t", "--devices-csv", str(file)]) == 0
    with file.open(encoding="utf-8", newline="") as text:
        devices, bad = read_csv(text, "t", all_kinds())
    assert bad == []
    assert len(devices) == 80
    with file.open(encoding="utf-8", newline="") as text:
        assert next(csv.reader(text))[:2] == ["id", "kind"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--broker"),
        (["--broker", "http://x"], "expected mqtt://"),
        (["--broker", "mqtt://127.0.0.1:1", "--track", str(TRACK), "--device", "nobody"], "it has 547, P-1, S-15"),
        (["--broker", "mqtt://127.0.0.1:1", "--device", "S-15"], "--track"),
        (["--broker", "mqtt://127.0.0.1:1", "--speed-up", "0.5"], "--speed-up"),
        (["--broker", "mqtt://127.0.0.1:1", "--rate", "0"], "--rate"),
    ],
)
def test_wrong_use_is_said_in_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1
