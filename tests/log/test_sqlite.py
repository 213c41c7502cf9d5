"""What is special about the log in a file: damage, a full disk, a kill, room given back."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from citywarden.log.logfile import ROW_BYTES, DamagedLog, split
from citywarden.log.sqlite import SqliteLog
from citywarden.model.errors import Unavailable
from citywarden.model.message import RawMessage


def batch(start: int, count: int, size: int = 100) -> list[RawMessage]:
    return [RawMessage(f"city/t/gas/g{i}/telemetry", b"%08d" % i + b"x" * size, i) for i in range(start, start + count)]


async def test_a_full_log_refuses_whole_batches_and_takes_them_again_after_trimming(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path / "raw.log", max_bytes=2_000_000)
    written = 0
    with pytest.raises(Unavailable, match="full"):
        for _ in range(100):
            await log.append(batch(written, 100, 1000))
            written += 100
    assert 0 < written < 2000
    assert await log.end() == {0: written}
    assert sum(len(s.messages) for s in await log.read({}, 10_000)) == written
    await log.save("store", {0: written})
    assert await log.trim(["store"]) == written
    await log.append(batch(written, 100, 1000))
    assert await log.end() == {0: written + 100}
    await log.close()


async def test_a_file_that_is_no_log_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "raw.log").write_bytes(b"this is no database, but it is long enough to look at" * 100)
    with pytest.raises(DamagedLog, match=r"raw\.log"):
        await SqliteLog.open(tmp_path / "raw.log")


async def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"raw\.log"):
        await SqliteLog.open(tmp_path / "file" / "raw.log")


async def test_a_log_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "raw.log") as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(DamagedLog, match="version 99"):
        await SqliteLog.open(tmp_path / "raw.log")


async def test_a_damaged_batch_is_named_by_its_offset(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path / "raw.log")
    await log.append(batch(0, 5))
    await log.append(batch(5, 5))
    await log.close()
    with sqlite3.connect(tmp_path / "raw.log") as db:
        block = bytearray(db.execute("SELECT block FROM batch WHERE first = 5").fetchone()[0])
        block[-1] ^= 1
        db.execute("UPDATE batch SET block = ? WHERE first = 5", (bytes(block),))
    db.close()
    log = await SqliteLog.open(tmp_path / "raw.log")
    assert len((await log.read({}, 5))[0].messages) == 5
    with pytest.raises(DamagedLog, match="offset 5: checksum"):
        await log.read({0: 5})
    await log.close()


async def test_trimming_gives_room_back_to_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "raw.log"
    log = await SqliteLog.open(path)
    for i in range(60):
        await log.append(batch(i * 100, 100, 10_000))
    await log.save("store", await log.end())
    assert await log.trim(["store"]) == 6000
    for _ in range(20):
        await log.trim(["store"])
    await log.close()
    assert path.stat().st_size < 30_000_000


def test_rows_hold_neither_too_many_messages_nor_too_many_bytes() -> None:
    large = [RawMessage("t", bytes(ROW_BYTES // 2), 0)] * 5
    assert [len(part) for part in split(large)] == [2, 2, 1]
    assert [len(part) for part in split(batch(0, 12_000))] == [5000, 5000, 2000]
    assert list(split([])) == []


APPENDER = """
import asyncio, sys
from citywarden.log.sqlite import SqliteLog
from citywarden.model.message import RawMessage

async def main():
    log = await SqliteLog.open(sys.argv[1])
    i = 0
    while True:
        await log.append([RawMessage("t", b"%d" % (i + k), 0) for k in range(50)])
        i += 50
        print(i, flush=True)

asyncio.run(main())
"""


def append_until_killed(path: Path) -> int:
    """How many messages the killed program's `append` had returned for."""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", APPENDER, str(path)], stdout=subprocess.PIPE, cwd=root, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(40):
            promised = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        for line in process.stdout:
            promised = int(line) if line.endswith("\n") else promised
    return promised


async def test_what_append_returned_for_is_there_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "raw.log"
    promised = await asyncio.to_thread(append_until_killed, path)
    log = await SqliteLog.open(path)
    found: list[bytes] = []
    while slices := await log.read({0: len(found)}):
        found.extend(m.payload for s in slices for m in s.messages)
    assert len(found) >= promised >= 2000
    assert len(found) % 50 == 0, "no half batch"
    assert found == [b"%d" % i for i in range(len(found))]
    await log.close()


async def test_every_log_has_a_name_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    names = []
    for file in ("a.log", "b.log", "a.log"):
        log = await SqliteLog.open(tmp_path / file)
        names.append(log.id)
        await log.close()
    assert names[0] == names[2] != names[1]
    assert all(len(name) == 8 for name in names)


async def test_a_log_made_before_logs_had_names_goes_without(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path / "raw.log")
    await log.close()
    with sqlite3.connect(tmp_path / "raw.log") as db:
        db.execute("PRAGMA application_id=0")
    db.close()
    log = await SqliteLog.open(tmp_path / "raw.log")
    assert log.id == ""
    await log.close()
