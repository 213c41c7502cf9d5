"""Random batches, late, doubled and moved, give the same from DuckDB as from the slow twin."""

import asyncio
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from citywarden.columns import Columns, Reading, from_readings
from citywarden.model.device import Device
from citywarden.model.kind import JsonScalar
from citywarden.store.contract import Buckets, Fold, Store
from citywarden.store.embedded import EmbeddedStore
from tests.builders import KINDS, NOON_MS
from tests.store.twin import MemoryStore

LAMP = KINDS["streetlight"]
ONLY = {"streetlight": LAMP}
STOP_MS = NOON_MS + 40_000_000

lamps = st.builds(
    Device,
    tenant=st.sampled_from(["t", "u"]),
    kind=st.just("streetlight"),
    id=st.sampled_from(["a", "b", "水"]),
    district=st.sampled_from(["", "Futian", "Luohu"]),
)
times = st.one_of(st.integers(0, 12), st.integers(0, 30_000_000)).map(lambda ms: NOON_MS + ms)
lit: st.SearchStrategy[dict[str, JsonScalar]] = st.fixed_dictionaries(
    {},
    optional={
        "on": st.booleans(),
        "power_w": st.integers(0, 8000).map(lambda w: w / 4),
        "fault": st.sampled_from(["", "lamp", "灯"]),
    },
)


@st.composite
def batches(draw: st.DrawFn) -> Columns:
    rows = draw(st.lists(st.tuples(lamps, times, lit), max_size=6))
    return from_readings(LAMP, [Reading(lamp, ts, ts + 5, values) for lamp, ts, values in rows])


def as_rows(batch: Columns) -> list[tuple[Device, int, int, dict[str, object]]]:
    return [(r.device, r.ts_ms, r.received_ms, dict(r.values)) for r in batch.rows()]


def as_sums(buckets: list[Buckets]) -> dict[str, tuple[list[int], list[float]]]:
    return {b.group: (b.start_ms.tolist(), np.round(b.values, 6).tolist()) for b in buckets}


async def compare(store: Store, twin: Store, tie_free: bool) -> None:
    assert await store.count("streetlight") == await twin.count("streetlight")
    for start, stop in ((0, STOP_MS), (NOON_MS + 3, NOON_MS + 9)):
        assert as_rows(await store.window("streetlight", start, stop)) == as_rows(
            await twin.window("streetlight", start, stop)
        )
    for tenant in (None, "u"):
        assert as_rows(await store.latest("streetlight", tenant)) == as_rows(await twin.latest("streetlight", tenant))
    for device in (await twin.latest("streetlight")).devices:
        assert await store.series(device.key, 0, STOP_MS, 7) == await twin.series(device.key, 0, STOP_MS, 7)
    for fold in set(Fold) - (set() if tie_free else {Fold.LAST}):
        for field, by, every in (("power_w", "", 5), ("power_w", "district", 3_600_000), ("on", "device", 7_000)):
            query = ("streetlight", field, NOON_MS + 1, STOP_MS, every, fold, by)
            assert as_sums(list(await store.aggregate(*query))) == as_sums(list(await twin.aggregate(*query))), query


def tie_free(sent: list[Columns]) -> bool:
    """Whether no two devices were measured at the same time, which leaves open whose value is the last."""
    seen = {(r.ts_ms, r.device.key) for batch in sent for r in batch.rows()}
    return len({ts for ts, _ in seen}) == len(seen)


@settings(max_examples=15, deadline=None)
@given(st.lists(batches(), min_size=1, max_size=4), st.integers(0, 4), st.integers(0, 30_000_000))
def test_duckdb_agrees_with_the_twin(sent: list[Columns], reopened_after: int, trimmed_at: int) -> None:
    async def run(folder: Path) -> None:
        store: EmbeddedStore = await EmbeddedStore.open(folder / "s.duckdb", ONLY, fold_rows=9)
        twin = MemoryStore(ONLY)
        try:
            for n, batch in enumerate(sent):
                if n == reopened_after:
                    await store.close()
                    store = await EmbeddedStore.open(folder / "s.duckdb", ONLY, fold_rows=9)
                assert await store.write(batch) == await twin.write(batch)
            await compare(store, twin, tie_free(sent))
            before = NOON_MS + trimmed_at
            assert await store.trim("streetlight", before) == await twin.trim("streetlight", before)
            await compare(store, twin, tie_free(sent))
        finally:
            await store.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))
