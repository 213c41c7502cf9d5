"""Data folders of every release: today's code opens them with all there was, and goes on from there."""

import asyncio
import tarfile
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from citywarden.model.alert import AlertQuery, Status
from citywarden.model.device import DeviceKey
from citywarden.model.message import Reject
from citywarden.serve.prepare import prepare
from citywarden.serve.server import Options, Running, running
from citywarden.settings import load
from ingest.deadletters import DeadLetters
from tests.upgrade.make import CONFIG, LAMPS, MADE, TENANT, WAITING, plan

RELEASES = sorted(Path(__file__).parent.glob("*.tar.gz"))
LATER_MS = 60_000


def unpack(release: Path, folder: Path) -> int:
    """The data folder of a release; returns when it was made."""
    with tarfile.open(release) as tar:
        tar.extractall(folder, filter="data")
    made = folder / MADE
    made_ms = int(made.read_text())
    made.unlink()
    return made_ms


async def caught_up(server: Running) -> None:
    """Until everything in its log is judged and stored."""
    end = await server.log.end()
    async with asyncio.timeout(60):
        while await server.log.backlog("store") or server.judge.progress.position != end:
            await asyncio.sleep(0.05)


async def check(server: Running, made_ms: int) -> None:
    """All that `make` made, and what its log still held."""
    assert len(server.registry) == LAMPS + 4
    lamp = server.registry.get(DeviceKey(TENANT, "streetlight", "L0"))
    assert (lamp.name, lamp.district, lamp.lat) == ("灯 0", "Futian", 22.54)
    assert server.registry.get(DeviceKey(TENANT, "gas", "G0")).profile == {"methane_alarm_lel_pct": 20}

    window = await server.store.window("streetlight", made_ms - 3_600_000, made_ms + 3_600_000)
    assert sorted(window.fields["energy_kwh"]) == [*range(20), *range(100, 100 + WAITING)]
    assert await server.store.count("vehicle") == 21

    found = (await server.desk.find(AlertQuery(rule="gas.methane"))).items
    assert {a.subject: a.status for a in found} == {
        "G0": Status.RESOLVED, "G1": Status.ACKNOWLEDGED, "G2": Status.RESOLVED,
    }  # fmt: skip
    assert len(found) == 3, "none was raised a second time"
    held = next(a for a in found if a.subject == "G1")
    assert (held.acknowledged_by, held.assigned_to) == ("wang", "li")
    assert "opened" in [event.change.value for event in await server.desk.history(held.id)]

    waiting = await server.courier.waiting()
    assert waiting["away"] >= 4, "what was not delivered still waits"
    assert [silence.id for silence in (await server.desk.silences()).items] == ["s1"]
    letters = DeadLetters(server.desk.desk.engine, 1000).find()
    assert [(letter.reason, letter.topic) for _, letter in letters] == [
        (Reject.UNKNOWN_DEVICE, f"city/{TENANT}/gas/nobody/telemetry")
    ]
    day = datetime.fromtimestamp(made_ms / 1000, ZoneInfo("Asia/Shanghai")).date()
    known = {report.task: report for report in server.work.current()}
    assert known[f"road-1@{day}"].driven_m > 500, "the rules' memory of running work is there"


@pytest.mark.parametrize("release", RELEASES, ids=lambda file: file.name.removesuffix(".tar.gz"))
async def test_a_released_folder_goes_on(release: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data, config = tmp_path / "data", tmp_path / "citywarden.toml"
    made_ms = unpack(release, data)
    config.write_text(CONFIG, "utf-8")
    began_s = time.monotonic()

    def clock_ms() -> int:
        return made_ms + LATER_MS + round((time.monotonic() - began_s) * 1000)

    for again in (False, True):
        async with running(prepare(load(config, {}, data), None, plan(made_ms)), Options(port=0), clock_ms) as server:
            await caught_up(server)
            await check(server, made_ms)
            if not again:
                with server.desk.desk.engine.connect() as connection:
                    revisions = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
                assert len(revisions) == 1, "its tables are those of today"
    assert "cannot be used" not in caplog.text


def test_every_release_is_small_and_says_nothing_of_where_it_was_made() -> None:
    assert RELEASES
    for release in RELEASES:
        assert release.stat().st_size < 200_000
        with tarfile.open(release) as tar:
            assert all(not entry.name.startswith(("/", "..")) and entry.uname == "" for entry in tar)
