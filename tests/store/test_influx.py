"""InfluxStore against a real influxd: the contract, and what only InfluxDB does."""

import itertools
import random
import secrets
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from citywarden.model.errors import Unavailable
from citywarden.model.kind import JsonScalar
from citywarden.store.contract import Fold, Point, Written
from citywarden.store.influx import InfluxStore, Keep, examine, set_up
from tests.builders import KINDS, NOON_MS, columns, device
from tests.influx import Influxd, influxd
from tests.store.contract import HOUR_MS, StoreContract, at
from tests.store.test_influx_lines import NASTY
from tests.store.twin import MemoryStore

FOR_EVER = Keep(None, None, None)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    with influxd(tmp_path_factory.mktemp("influxd")) as running:
        yield running


@pytest.fixture
async def store(server: Influxd) -> AsyncIterator[InfluxStore]:
    url = server.url(f"test-{secrets.token_hex(6)}")
    await set_up(url, server.token, {}, FOR_EVER)
    store = await InfluxStore.open(url, server.token, KINDS)
    yield store
    await store.close()


class TestInflux(StoreContract):
    overwrites = True


async def named(server: Influxd) -> tuple[str, InfluxStore]:
    """A bucket with nothing beside it, and a store on it."""
    url = server.url(server.make_bucket())
    return url, await InfluxStore.open(url, server.token, KINDS)


@pytest.mark.parametrize("name", NASTY)
async def test_a_name_cannot_break_out_of_its_line(server: Influxd, store: InfluxStore, name: str) -> None:
    who = device("gas", name, district=name, tenant=name)
    assert await store.write(columns("gas", [(0, {"co_ppm": 1.0}), (1, {"co_ppm": 2.0})], who)) == Written(2, 0)
    (found, _) = await store.series(who.key, at(0), at(9))
    assert (found.device.tenant, found.device.id, found.device.district) == (name, name, name)
    assert [d.key for d in (await store.window("gas", at(0), at(9), [who.key])).devices] == [who.key]
    assert [d.key for d in (await store.latest("gas", name)).devices] == [who.key]
    assert [b.group for b in await store.aggregate("gas", "co_ppm", at(0), at(9), HOUR_MS, Fold.SUM, "device")] == [
        name
    ]
    point = Point("alert", {"rule": name, name: "x"}, at(0), {"text": name, name: 1.5})
    await store.write_points([point])
    assert await store.points("alert", at(0), at(1), {name: "x"}) == [point]
    assert (await store.count("gas"), await store.count("alert")) == (2, 1)


async def test_a_reading_of_the_wrong_type_is_refused_alone(server: Influxd) -> None:
    _, store = await named(server)
    await store.write_points([Point("gas", {"tenant": "t", "device": "d0"}, at(0), {"co_ppm": "much"})])
    rows: list[tuple[int, dict[str, JsonScalar]]] = [(s, {"h2s_ppm": 1.0}) for s in range(20)]
    rows[7] = (7, {"co_ppm": 1.0, "h2s_ppm": 1.0})
    written = await store.write(columns("gas", rows))
    assert (written.new, written.known) == (19, 0)
    (refused,) = written.refused
    assert (refused.reading.ts_ms, refused.reading.device.id) == (at(7), "d1")
    assert "field type conflict" in refused.words and "co_ppm" in refused.words
    assert len(await store.series(device("gas").key, at(0), at(60))) == 19
    await store.close()


async def test_a_reading_older_than_the_bucket_keeps_is_refused(server: Influxd) -> None:
    url = server.url(f"test-{secrets.token_hex(6)}")
    await set_up(url, server.token, {}, Keep(raw_days=1, minute_days=1, hour_days=1))
    store = await InfluxStore.open(url, server.token, KINDS)
    now = time.time_ns() // 1_000_000
    written = await store.write(columns("gas", [(-3 * 86_400, {"co_ppm": 1.0}), (0, {"co_ppm": 2.0})], start=now))
    assert written.new == 1
    assert [("retention" in r.words, r.reading.values) for r in written.refused] == [(True, {"co_ppm": 1.0})]
    await store.close()


async def test_answers_are_not_cut_off(store: InfluxStore) -> None:
    await store.write(columns("gas", [(s, {"co_ppm": float(s)}) for s in range(25_000)]))
    whole = await store.window("gas", at(0), at(25_000))
    assert whole.fields["co_ppm"].tolist() == [float(s) for s in range(25_000)]
    assert await store.count("gas") == 25_000


async def test_a_missing_bucket_and_a_wrong_token_say_what_to_do(server: Influxd) -> None:
    nowhere = await InfluxStore.open(server.url("nowhere"), server.token, KINDS)
    stranger = await InfluxStore.open(server.url("first"), "sesame", KINDS)
    for store, said in ((nowhere, "citywarden doctor --fix"), (stranger, "set store.token to one that is valid")):
        for attempt in (store.write(columns("gas", [(0, {})])), store.count("gas"), store.trim("gas", at(0))):
            with pytest.raises(Unavailable, match=said):
                await attempt
        await store.close()
    with pytest.raises(Unavailable, match="all-access token"):
        await set_up(server.url("first"), "sesame", KINDS)
    with pytest.raises(Unavailable, match="no organisation 'village'"):
        await examine(server.url("first").replace("/city/", "/village/"), server.token, KINDS)


async def test_setting_up_is_done_once_and_mends_what_differs(server: Influxd) -> None:
    bucket = f"test-{secrets.token_hex(6)}"
    url = server.url(bucket)
    gas = {"gas": KINDS["gas"]}
    missing = await examine(url, server.token, gas)
    assert missing[:2] == [f"bucket {bucket} is missing", f"bucket {bucket}_1m is missing"]
    done = await set_up(url, server.token, gas)
    assert done[:4] == [
        f"bucket {bucket} made, keeps 30 days",
        f"bucket {bucket}_1m made, keeps 180 days",
        f"bucket {bucket}_1h made, keeps 1825 days",
        f"bucket {bucket}_newest made, keeps for ever",
    ]
    assert len(done) == len(missing) == 11
    assert await set_up(url, server.token, gas) == []
    assert await examine(url, server.token, gas) == []
    assert await set_up(url, server.token, gas, Keep(raw_days=60)) == [f"bucket {bucket} keeps 60 days now"]
    assert await examine(url, server.token, gas) == [f"bucket {bucket} should keep 30 days"]
    more = {"gas": KINDS["gas"], "waterlogging": KINDS["waterlogging"]}
    mended = await set_up(url, server.token, more, Keep(raw_days=60))
    assert len(mended) == 7 and all(line.endswith("brought up to date") for line in mended)


async def test_long_windows_come_from_hourly_folds_and_say_the_same(server: Influxd) -> None:
    url, store = await named(server)
    twin = MemoryStore(KINDS)
    now = time.time_ns() // 1_000_000 // HOUR_MS * HOUR_MS
    start, stop = now - 100 * HOUR_MS + 1_800_000, now
    rng = random.Random(7)
    for name, district in (("a", "Futian"), ("b", "Futian"), ("c", "")):
        lamp = device("streetlight", name, district=district)
        rows: list[tuple[int, dict[str, JsonScalar]]] = [
            (s, {"power_w": rng.uniform(0, 200), **({"on": rng.random() < 0.5} if rng.random() < 0.7 else {})})
            for s in range(0, 100 * 3600, 1111)
        ]
        batch = columns("streetlight", rows, lamp, now - 100 * HOUR_MS)
        await store.write(batch)
        await twin.write(batch)
    lamps = {"streetlight": KINDS["streetlight"]}
    assert (await set_up(url, server.token, lamps, FOR_EVER))[-1].endswith(
        f"_newest filled with what {bucket_of(url)} had"
    )

    async def compare(begin: int, every: int, stop: int = stop) -> None:
        for field, by, fold in itertools.product(("power_w", "on"), ("", "district", "device"), Fold):
            if (fold is Fold.LAST and by != "device") or (by == "device" and every < HOUR_MS):
                continue
            found = await store.aggregate("streetlight", field, begin, stop, every, fold, by)
            expected = await twin.aggregate("streetlight", field, begin, stop, every, fold, by)
            assert [b.group for b in found] == [b.group for b in expected], (field, by, fold)
            for ours, theirs in zip(found, expected, strict=True):
                assert ours.start_ms.tolist() == theirs.start_ms.tolist(), (field, by, fold)
                assert ours.values == pytest.approx(theirs.values), (field, by, fold)

    await compare(start, HOUR_MS)
    await compare(start, 24 * HOUR_MS)
    await compare(start, 300_000)
    await store.trim("streetlight", now - 30 * HOUR_MS)
    twin_start = -(-start // HOUR_MS) * HOUR_MS
    await compare(twin_start, HOUR_MS)
    await compare(twin_start, 300_000, twin_start + 9 * HOUR_MS)
    assert len((await store.latest("streetlight")).devices) == 3
    await store.close()


async def test_a_bucket_with_nothing_beside_it_answers_from_its_readings(server: Influxd) -> None:
    _, store = await named(server)
    await store.write(
        columns("gas", [(h * 3600, {"co_ppm": float(h)}) for h in range(96)], start=NOON_MS - 96 * HOUR_MS)
    )
    (found,) = await store.aggregate("gas", "co_ppm", NOON_MS - 96 * HOUR_MS, NOON_MS, 24 * HOUR_MS, Fold.COUNT)
    assert found.values.sum() == 96
    assert (await store.latest("gas")).row(0).values == {"co_ppm": 95.0}
    await store.close()


def bucket_of(url: str) -> str:
    return url.rsplit("/", 1)[1]
