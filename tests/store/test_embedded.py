"""What the DuckDB store does beyond the contract: files, threads, crashes, full disks."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from citywarden.model.errors import CitywardenError, Unavailable
from citywarden.model.kind import Kinds, flag, number, text
from citywarden.store.contract import Fold, Written
from citywarden.store.embedded import EmbeddedStore
from tests.builders import KINDS, columns, device
from tests.store.contract import StoreContract, at


class TestEmbedded(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
        store = await EmbeddedStore.open(tmp_path / "store.duckdb", KINDS)
        yield store
        await store.close()


def with_more_fields(kinds: Kinds) -> Kinds:
    gas = kinds["gas"]
    more = (
        number("so2_ppm", "ppm", (0, 100), "二氧化硫", "SO2"),
        flag("fan", "风机", "Fan"),
        text("maker", "厂家", "Maker"),
    )
    return {**kinds, "gas": replace(gas, quantities=gas.quantities + more)}


async def test_a_field_that_is_new_in_a_kind_is_added_to_an_older_file(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    older = await EmbeddedStore.open(path, KINDS)
    await older.write(columns("gas", [(0, {"co_ppm": 1.0})]))
    await older.close()
    kinds = with_more_fields(KINDS)
    newer = await EmbeddedStore.open(path, kinds)
    grown = replace(columns("gas", [(60, {"h2s_ppm": 2.0})]), kind=kinds["gas"])
    whole = replace(
        grown,
        fields={**grown.fields, "so2_ppm": np.array([3.0]), "fan": np.array([1.0])},
        texts={"maker": np.array(["acme"], object)},
    )
    assert await newer.write(whole) == Written(1, 0)
    assert [dict(r.values) for r in await newer.series(device("gas").key, 0, at(90))] == [
        {"co_ppm": 1.0},
        {"h2s_ppm": 2.0, "so2_ppm": 3.0, "fan": True, "maker": "acme"},
    ]
    assert (await newer.latest("gas")).row(0).values == {
        "co_ppm": 1.0,
        "h2s_ppm": 2.0,
        "so2_ppm": 3.0,
        "fan": True,
        "maker": "acme",
    }
    await newer.close()
    again = await EmbeddedStore.open(path, KINDS)
    assert await again.write(columns("gas", [(60, {"co_ppm": 9.0}), (120, {"co_ppm": 4.0})])) == Written(1, 1)
    await again.close()


async def test_a_field_that_changed_its_form_is_named(tmp_path: Path) -> None:
    await (await EmbeddedStore.open(tmp_path / "s.duckdb", KINDS)).close()
    gas = replace(KINDS["gas"], quantities=(flag("co_ppm", "", ""),))
    with pytest.raises(CitywardenError, match=r"co_ppm.*DOUBLE.*BOOLEAN"):
        await EmbeddedStore.open(tmp_path / "s.duckdb", {"gas": gas})


async def test_the_file_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    await (await EmbeddedStore.open(path, KINDS)).close()
    with duckdb.connect(path) as file:
        file.execute("UPDATE _store.version SET number = 99")
    with pytest.raises(CitywardenError, match="newer version of citywarden"):
        await EmbeddedStore.open(path, KINDS)


async def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    path.write_bytes(b"no database at all " * 1000)
    with pytest.raises(CitywardenError, match=r"s\.duckdb: the store cannot be opened"):
        await EmbeddedStore.open(path, KINDS)


async def test_a_second_opening_says_who_owns_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    owner = await EmbeddedStore.open(path, KINDS)
    with pytest.raises(Unavailable, match="this process has the store open already"):
        await EmbeddedStore.open(path, KINDS)
    code = f"""
import asyncio, pathlib
from citywarden.store.embedded import EmbeddedStore
from citywarden.model.errors import Unavailable
try:
    asyncio.run(EmbeddedStore.open(pathlib.Path({str(path)!r}), {{}}))
except Unavailable as refusal:
    print(refusal)
"""
    other = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True)
    assert "the running server owns it; ask it over HTTP" in other.stdout, other
    assert other.stderr == ""
    await owner.close()
    await (await EmbeddedStore.open(path, KINDS)).close()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path / "s.duckdb", KINDS)
    await store.close()
    await store.close()
    with pytest.raises(Unavailable, match="closed"):
        await store.write(columns("gas", [(0, {"co_ppm": 1.0})]))
    with pytest.raises(Unavailable, match="closed"):
        await store.count("gas")


async def test_reads_do_not_wait_for_a_write(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path / "s.duckdb", KINDS)
    await store.write(columns("gas", [(0, {"co_ppm": 1.0})]))
    begun, release = threading.Event(), threading.Event()

    def long_write(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("INSERT INTO _store.district VALUES (77, 'half written')")
        begun.set()
        assert release.wait(300)

    writing = asyncio.create_task(store._file.write(long_write))
    await asyncio.to_thread(begun.wait, 60)
    try:
        assert await asyncio.wait_for(store.count("gas"), 60) == 1
        assert len(await asyncio.wait_for(store.latest("gas"), 60)) == 1
        assert not writing.done()
    finally:
        release.set()
    await writing
    await store.close()


async def test_a_write_that_fails_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path / "s.duckdb", KINDS)
    await store.write(columns("gas", [(0, {"co_ppm": 1.0})]))

    def broken(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("INSERT INTO _store.district VALUES (77, 'half written')")
        connection.execute("SELECT * FROM no_such_table")

    with pytest.raises(Unavailable, match="no_such_table"):
        await store._file.write(broken)
    assert await store.count("gas") == 1
    again = columns("gas", [(0, {"co_ppm": 1.0}), (5, {"co_ppm": 2.0})])
    assert await store.write(again) == Written(1, 1)
    places = await store._file.read(lambda c: c.execute("SELECT name FROM _store.district").fetchall())
    assert places == [("Futian",)]
    await store.close()


async def test_closing_gives_up_a_read_that_takes_long(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path / "s.duckdb", KINDS)
    begun = threading.Event()

    def endless(connection: duckdb.DuckDBPyConnection) -> object:
        begun.set()
        return connection.execute("SELECT count(*) FROM range(10000000000) a, range(10000000000) b").fetchall()

    reading = asyncio.create_task(store._file.read(endless))
    await asyncio.to_thread(begun.wait, 60)
    await asyncio.wait_for(store.close(), 60)
    with pytest.raises(Unavailable, match="interrupted"):
        await reading


async def test_folding_aside_changes_nothing_that_is_read(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path / "s.duckdb", KINDS, fold_rows=50)
    for round_ in range(20):
        for name in ("a", "b"):
            rows = [(round_ * 10 + s, {"co_ppm": float(round_ * 10 + s)}) for s in range(10)]
            await store.write(columns("gas", rows, device("gas", name)))
    await store.write(columns("gas", [(-5, {"h2s_ppm": 1.0, "co_ppm": 0.0})], device("gas", "a")))
    await store.close()
    store = await EmbeddedStore.open(tmp_path / "s.duckdb", KINDS)
    folded = await store._file.read(lambda c: c.execute("SELECT batch FROM _store.mark").fetchall())
    assert folded and folded[0][0] > 0
    assert [dict(r.values) for r in (await store.latest("gas")).rows()] == [
        {"co_ppm": 199.0, "h2s_ppm": 1.0},
        {"co_ppm": 199.0},
    ]
    assert await store.write(columns("gas", [(199, {"co_ppm": 1.0})], device("gas", "b"))) == Written(0, 1)
    (all_,) = await store.aggregate("gas", "co_ppm", 0, at(999), 86_400_000, Fold.COUNT)
    assert all_.values.sum() == 401
    await store.close()


async def test_the_view_shows_the_names_of_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    store = await EmbeddedStore.open(path, KINDS)
    await store.write(columns("gas", [(0, {"co_ppm": 1.5})]))
    await store.close()
    with duckdb.connect(path, read_only=True) as file:
        rows = file.execute("SELECT tenant, device, district, epoch_ms(time), co_ppm, h2s_ppm FROM gas").fetchall()
    assert rows == [("t", "d1", "Futian", at(0), 1.5, None)]


WRITER = """
import asyncio, itertools, pathlib, resource, sys
sys.path.insert(0, {root!r})
from citywarden.store.embedded import EmbeddedStore
from citywarden.model.errors import Unavailable
from tests.builders import KINDS, columns, device

def batch(n):
    return columns("gas", [(n * 100 + s, {{"co_ppm": float(s)}}) for s in range(100)])
"""


def script(body: str) -> list[str]:
    root = str(Path(__file__).parents[2])
    return [sys.executable, "-c", WRITER.format(root=root) + body]


async def test_kill_9_loses_nothing_that_write_returned_for(tmp_path: Path) -> None:
    body = """
async def main():
    store = await EmbeddedStore.open(pathlib.Path(sys.argv[1]), KINDS)
    for n in itertools.count():
        await store.write(batch(n))
        print(n, flush=True)
asyncio.run(main())
"""
    path = tmp_path / "s.duckdb"
    process = await asyncio.create_subprocess_exec(*script(body), str(path), stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    acknowledged = 0
    while acknowledged < 150:
        acknowledged = int(await process.stdout.readline()) + 1
    process.send_signal(signal.SIGKILL)
    rest = (await process.stdout.read()).decode().split()
    await process.wait()
    acknowledged = max([acknowledged, *(int(n) + 1 for n in rest)])
    store = await EmbeddedStore.open(path, KINDS)
    stored = await store.count("gas")
    assert stored in (acknowledged * 100, (acknowledged + 1) * 100)
    rows = [(s, {"co_ppm": -1.0}) for s in range(acknowledged * 100)]
    assert await store.write(columns("gas", rows)) == Written(0, acknowledged * 100)
    assert await store.count("gas") == stored
    await store.close()


async def test_a_full_disk_is_unavailable_and_passes(tmp_path: Path) -> None:
    """A limit on file sizes stands in for a full disk: the same calls fail."""
    body = """
async def main():
    store = await EmbeddedStore.open(pathlib.Path(sys.argv[1]), KINDS)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
    written = 0
    try:
        for n in itertools.count():
            await store.write(batch(n))
            written += 1
    except Unavailable as full:
        print("unavailable:", full)
    try:
        await store.write(batch(written))
        print("small ones may still fit")
    except Unavailable:
        pass
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for n in range(written + 1):
        await store.write(batch(n))
    print(written > 10, await store.count("gas") == (written + 1) * 100)
    await store.close()
asyncio.run(main())
"""
    run = await asyncio.to_thread(
        subprocess.run, [*script(body), str(tmp_path / "s.duckdb")], capture_output=True, text=True, timeout=600
    )
    assert run.stdout.startswith("unavailable: "), run
    assert run.stdout.endswith("True True\n"), run
