"""Backup and restore: what was there is there again, in another database too; what is wrong changes nothing."""

import asyncio
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from sqlalchemy import insert, select

from citywarden.alerts import tables
from citywarden.cli import run
from citywarden.cli.running import wall_ms
from citywarden.database import metadata
from citywarden.log.sqlite import SqliteLog
from citywarden.model.alert import AlertQuery
from citywarden.model.device import Device
from citywarden.model.errors import CitywardenError, Occupied
from citywarden.model.message import RawMessage
from citywarden.sections import DatabaseSettings, Settings
from citywarden.serve.backup.commands import backup
from citywarden.serve.backup.contents import MANIFEST
from citywarden.serve.backup.restoring import restore
from citywarden.serve.folder import RESTORING, claimed
from citywarden.serve.tables import open_database
from citywarden.store.embedded import EmbeddedStore
from ingest.publisher import Publisher
from ingest.registry import Registry
from tests.alerts.alert_builders import NOW_MS, desk, finding, target
from tests.builders import KINDS, columns, device
from tests.postgres import Postgres
from tests.serve.conftest import Serving

PARTS = ("alert", "alert_event", "outbox", "device", "dead_letter", "snapshot", "position")


def filled(data: Path) -> Settings:
    """A stopped server's folder with something of everything."""
    settings = Settings(tenant="t", data=data)
    engine = open_database(settings.database_url)
    Registry(engine).add([Device("t", "gas", f"G{i}", f"井 {i}", "Futian", 22.5, 114.1) for i in range(3)])
    front = desk(engine, target())
    front.apply([finding("major"), finding("minor", subject="g2")], NOW_MS, {0: 4})
    front.apply([finding("ok", NOW_MS + 1, "g2")], NOW_MS + 1, {0: 5})
    front.save_snapshot("rules", {0: 4}, bytes(range(256)))
    engine.dispose()
    asyncio.run(_readings(settings))
    (data / "evidence" / "c1").mkdir(parents=True)
    (data / "evidence" / "c1" / "photo.jpg").write_bytes(b"\xff\xd8")
    (data / "session.key").write_text("secret")
    return settings


async def _readings(settings: Settings) -> None:
    log = await SqliteLog.open(settings.log_path)
    await log.append([RawMessage("city/t/gas/G1/telemetry", b"%d" % i, NOW_MS) for i in range(7)])
    await log.save("store", {0: 6})
    await log.close()
    store = await EmbeddedStore.open(settings.store_path, KINDS)
    await store.write(columns("gas", [(i, {"methane_lel_pct": float(i)}) for i in range(20)]))
    await store.close()


def rows(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    engine = open_database(settings.database_url)
    with engine.connect() as connection:
        found = {
            t.name: [tuple(row) for row in connection.execute(select(t).order_by(*t.primary_key.columns))]
            for t in metadata.sorted_tables
        }
    engine.dispose()
    return found


async def rest(settings: Settings) -> tuple[str, object, object, list[bytes], int]:
    """Log and store."""
    log = await SqliteLog.open(settings.log_path)
    payloads = [m.payload for part in await log.read({}) for m in part.messages]
    found = log.id, await log.end(), await log.saved("store"), payloads
    await log.close()
    store = await EmbeddedStore.open(settings.store_path, KINDS)
    count = await store.count("gas")
    await store.close()
    return *found, count


@pytest.fixture
def postgres_url(postgresql: Postgres) -> Iterator[str]:
    yield postgresql.url()
    engine = open_database(postgresql.url())
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    engine.dispose()


def test_everything_comes_back(tmp_path: Path) -> None:
    before = filled(tmp_path / "data")
    file = tmp_path / "city.tar.gz"
    manifest = backup(before, file, lambda: NOW_MS)
    assert file.stat().st_mode & 0o077 == 0, "secrets are in it"
    after = Settings(tenant="t", data=tmp_path / "other")
    restored = restore(file, after)
    assert restored.manifest == manifest
    assert rows(after) == rows(before)
    assert all(rows(after)[part] for part in PARTS if part != "dead_letter")
    assert asyncio.run(rest(after)) == asyncio.run(rest(before))
    assert (after.data / "evidence" / "c1" / "photo.jpg").read_bytes() == b"\xff\xd8"
    assert (after.data / "session.key").read_text() == "secret"
    assert sorted(p.name for p in after.data.iterdir()) == sorted(p.name for p in before.data.iterdir())


def test_a_backup_from_sqlite_goes_on_in_postgresql_and_back(tmp_path: Path, postgres_url: str) -> None:
    before = filled(tmp_path / "data")
    backup(before, tmp_path / "one.tar.gz", wall_ms)
    large = Settings(tenant="t", data=tmp_path / "large", database=DatabaseSettings(url=postgres_url))
    restore(tmp_path / "one.tar.gz", large)
    assert rows(large) == rows(before)
    engine = open_database(postgres_url)
    with engine.begin() as connection:
        last = connection.execute(select(tables.alert_event).order_by(tables.alert_event.c.seq.desc())).first()
        assert last is not None
        again = {**last._mapping, "id": "another"}
        del again["seq"]
        connection.execute(insert(tables.alert_event), again)  # its number is a new one
        newest = connection.execute(select(tables.alert_event.c.seq).where(tables.alert_event.c.id == "another"))
        assert newest.scalar_one() > last.seq
    engine.dispose()
    with pytest.raises(CitywardenError, match="database is not empty"):
        restore(tmp_path / "one.tar.gz", large.model_copy(update={"data": tmp_path / "third"}))
    assert not (tmp_path / "third").exists()
    backup(large, tmp_path / "two.tar.gz", wall_ms)
    small = Settings(tenant="t", data=tmp_path / "small")
    restore(tmp_path / "two.tar.gz", small)
    assert rows(small) == rows(large)


def test_a_folder_with_something_in_it_is_left_alone_unless_forced(tmp_path: Path) -> None:
    before = filled(tmp_path / "data")
    file = tmp_path / "city.tar.gz"
    backup(before, file, wall_ms)
    other = Settings(tenant="t", data=tmp_path / "other")
    other.data.mkdir()
    (other.data / "mine").write_text("precious")
    with pytest.raises(CitywardenError, match=r"not empty \(mine"):
        restore(file, other)
    assert [p.name for p in other.data.iterdir() if p.name != "server.lock"] == ["mine"]
    restore(file, other, force=True)
    assert not (other.data / "mine").exists()
    assert rows(other) == rows(before)


def repacked(file: Path, target: Path, part: str, content: bytes | None) -> Path:
    """The backup with one part changed, or left out."""
    with tarfile.open(file) as source, tarfile.open(target, "w:gz") as sink:
        for entry in source:
            body = source.extractfile(entry)
            assert body is not None
            raw = body.read()
            if entry.name == part:
                if content is None:
                    continue
                raw = content
            entry.size = len(raw)
            sink.addfile(entry, io.BytesIO(raw))
    return target


def manifest_of(file: Path) -> dict[str, object]:
    with tarfile.open(file) as source:
        body = source.extractfile(MANIFEST)
        assert body is not None
        return dict(orjson.loads(body.read()))


def test_what_is_damaged_or_newer_changes_nothing(tmp_path: Path) -> None:
    before = filled(tmp_path / "data")
    good = tmp_path / "city.tar.gz"
    backup(before, good, wall_ms)
    manifest = manifest_of(good)
    newer_table = manifest | {"tables": {**manifest["tables"], "tram": {"columns": ["id"], "rows": 0}}}  # type: ignore[dict-item]
    bad = {
        "log.sqlite is damaged": repacked(good, tmp_path / "1.tar.gz", "log.sqlite", b"other"),
        "store.duckdb is damaged or missing": repacked(good, tmp_path / "2.tar.gz", "store.duckdb", None),
        "does not begin with manifest": repacked(good, tmp_path / "3.tar.gz", MANIFEST, None),
        "format 99": repacked(good, tmp_path / "4.tar.gz", MANIFEST, orjson.dumps(manifest | {"format": 99})),
        r"tram\.\*.*newer version": repacked(good, tmp_path / "5.tar.gz", MANIFEST, orjson.dumps(newer_table)),
        "log has version 7": repacked(
            good, tmp_path / "6.tar.gz", MANIFEST, orjson.dumps(manifest | {"log_schema": 7})
        ),
    }
    short = tmp_path / "7.tar.gz"
    short.write_bytes(good.read_bytes()[:-2000])
    bad["cannot be read"] = short
    other = Settings(tenant="t", data=tmp_path / "other")
    other.data.mkdir()
    (other.data / "mine").write_text("precious")
    for why, file in bad.items():
        with pytest.raises(CitywardenError, match=why):
            restore(file, other, force=True)
        assert [p.name for p in other.data.iterdir() if p.name != "server.lock"] == ["mine"], why


def test_a_part_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    good = tmp_path / "city.tar.gz"
    backup(filled(tmp_path / "data"), good, wall_ms)
    evil = manifest_of(good)
    evil["files"] = {"../outside": {"bytes": 1, "sha256": "00"}}
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as sink:
        for name, raw in ((MANIFEST, orjson.dumps(evil)), ("../outside", b"x")):
            entry = tarfile.TarInfo(name)
            entry.size = len(raw)
            sink.addfile(entry, io.BytesIO(raw))
    with pytest.raises(CitywardenError, match="outside"):
        restore(tmp_path / "evil.tar.gz", Settings(data=tmp_path / "other"))
    assert not (tmp_path / "outside").exists()


def test_an_interrupted_restore_is_done_again(tmp_path: Path) -> None:
    before = filled(tmp_path / "data")
    file = tmp_path / "city.tar.gz"
    backup(before, file, wall_ms)
    other = Settings(tenant="t", data=tmp_path / "other")
    restore(file, other)
    (other.data / RESTORING).touch()
    (other.data / "log.sqlite").unlink()
    with pytest.raises(CitywardenError, match="restore FILE --force"), claimed(other.data):
        pass
    restore(file, other, force=True)
    with claimed(other.data):
        assert rows(other) == rows(before)
        with pytest.raises(Occupied):
            restore(file, other, force=True)


def test_the_commands_say_what_they_did_and_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled(tmp_path / "data")
    file = tmp_path / "city.tar.gz"
    assert run(["backup", str(file), "--data", str(tmp_path / "data"), "--json"]) == 0
    said = orjson.loads(capsys.readouterr().out)
    assert (said["tables"]["device"], said["tables"]["alert"]) == (3, 2)
    assert "data/evidence/c1/photo.jpg" in said["files"]
    assert run(["backup", str(file), "--data", str(tmp_path / "data")]) == 1
    assert "overwrites nothing" in capsys.readouterr().err
    assert run(["backup", str(tmp_path / "x.zip"), "--data", str(tmp_path / "data")]) == 1
    assert ".tar.gz" in capsys.readouterr().err
    assert run(["restore", str(file), "--data", str(tmp_path / "data")]) == 1
    assert "--force" in capsys.readouterr().err
    assert run(["restore", str(file), "--data", str(tmp_path / "new")]) == 0
    assert "devices" in capsys.readouterr().out
    assert run(["restore", str(tmp_path / "none.tar.gz"), "--data", str(tmp_path / "new")]) == 2


async def test_a_backup_under_load_goes_on_where_it_was_taken(serving: Serving, tmp_path: Path) -> None:
    """Numbered readings and leaks while it is taken; the restored copy judges and stores the rest of its log."""
    file = tmp_path / "city.tar.gz"
    async with serving() as (server, _), Publisher(server.broker) as publisher:
        server.registry.put([device("gas", f"G{i:03}") for i in range(40)])
        published: set[int] = set()

        async def speak() -> None:
            begin_ms = wall_ms()
            for n in range(4000):
                leak = 60.0 if n % 100 == 0 else 1.0
                body = b'{"ts": %d, "methane_lel_pct": %g, "co_ppm": %d}' % (begin_ms + n, leak, n % 400)
                await publisher.publish(f"city/t/gas/G{n // 100:03}/telemetry", body)
                published.add(n)

        speaking = asyncio.create_task(speak())
        while (sure := sum((await server.log.end()).values())) < 100:
            await asyncio.sleep(0.01)
        before = len(published)
        settings = Settings(tenant="t", data=tmp_path / "data")
        manifest = await asyncio.to_thread(backup, settings, file, wall_ms)
        speaking.cancel()
        await asyncio.wait({speaking})
        assert before < len(published), "it was not taken under load"
    assert manifest.tables["device"].rows == 40
    after = Settings(tenant="t", data=tmp_path / "restored")
    restore(file, after)
    log = await SqliteLog.open(after.log_path)
    end = sum((await log.end()).values())
    await log.close()
    assert end >= sure
    await _finish(after)
    log = await SqliteLog.open(after.log_path)
    assert (await log.saved("store")) == (await log.end())
    await log.close()
    store = await EmbeddedStore.open(after.store_path, KINDS)
    assert end <= await store.count("gas") <= len(published) + 1, "the store was copied last; one was under way"
    await store.close()
    engine = open_database(after.database_url)
    known = desk(engine).find(AlertQuery(rule="gas.methane", limit=1000)).items
    assert len({a.subject for a in known}) == len(known) >= sure // 100
    engine.dispose()


async def _finish(settings: Settings) -> None:
    """Run the restored server until its log is judged and stored."""
    from citywarden.serve.prepare import prepare
    from citywarden.serve.server import Options, running

    async with running(prepare(settings), Options(port=0), wall_ms) as server:
        end = await server.log.end()
        async with asyncio.timeout(60):
            while await server.log.backlog("store") or server.judge.progress.position != end:
                await asyncio.sleep(0.05)
