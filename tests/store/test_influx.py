"""InfluxStore against a real influxd: the contract, and what only InfluxDB does."""

import asyncio
import csv
import itertools
import random
import secrets
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from citywarden.model.errors import Unavailable
from citywarden.model.kind import JsonScalar
from citywarden.store.contract import Fold, Point, Written
from citywarden.store.influx import InfluxStore, Keep, examine, set_up
from citywarden.store.influx.lines import point_lines
from citywarden.store.influx.server import Server, parse_place
from citywarden.store.influx.write import Writer
from tests.builders import KINDS, NOON_MS, columns, device
from tests.influx import Influxd, influxd
from tests.store.contract import HOUR_MS, StoreContract, at
from tests.store.test_influx_lines import NASTY
from tests.store.twin import MemoryStore

FOR_EVER = Keep(None, None, None, None)


@pytest.fixture
async def store(influx: Influxd) -> AsyncIterator[InfluxStore]:
    url = influx.url(f"test-{secrets.token_hex(6)}")
    await set_up(url, influx.token, {}, FOR_EVER)
    store = await InfluxStore.open(url, influx.token, KINDS)
    yield store
    await store.close()


class TestInflux(StoreContract):
    overwrites = True


async def named(influx: Influxd) -> tuple[str, InfluxStore]:
    """A bucket with nothing beside it, and a store on it."""
    url = influx.url(influx.make_bucket())
    return url, await InfluxStore.open(url, influx.token, KINDS)


async def test_several_kinds_go_in_one_write_and_a_refusal_names_its_reading(store: InfluxStore) -> None:
    gas = columns("gas", [(0, {"co_ppm": 1.0}), (0, {"co_ppm": 2.0}), (1, {"co_ppm": 3.0})])
    water = columns("waterlogging", [(2, {"depth_cm": 4.0}), (10**13, {"depth_cm": 5.0}), (3, {"depth_cm": 6.0})])
    written = await store.write_all([gas, water, gas])
    (refused,) = written.refused
    assert (written.new, written.known) == (6, 2)
    assert (refused.reading.device.kind, refused.reading.values) == ("waterlogging", {"depth_cm": 5.0})
    assert [await store.count(kind) for kind in ("gas", "waterlogging")] == [2, 2]
    assert await store.write_all([]) == Written(0, 0)


@pytest.mark.parametrize("name", NASTY)
async def test_a_name_cannot_break_out_of_its_line(influx: Influxd, store: InfluxStore, name: str) -> None:
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


async def test_a_reading_of_the_wrong_type_is_refused_alone(influx: Influxd) -> None:
    _, store = await named(influx)
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


async def test_a_reading_older_than_the_bucket_keeps_is_refused(influx: Influxd) -> None:
    url = influx.url(f"test-{secrets.token_hex(6)}")
    await set_up(url, influx.token, {}, Keep(raw_days=1, minute_days=1, hour_days=1))
    store = await InfluxStore.open(url, influx.token, KINDS)
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


async def test_a_missing_bucket_and_a_wrong_token_say_what_to_do(influx: Influxd) -> None:
    nowhere = await InfluxStore.open(influx.url("nowhere"), influx.token, KINDS)
    stranger = await InfluxStore.open(influx.url("first"), "sesame", KINDS)
    for store, said in ((nowhere, "citywarden doctor --fix"), (stranger, "set store.token to one that is valid")):
        for attempt in (store.write(columns("gas", [(0, {})])), store.count("gas"), store.trim("gas", at(0))):
            with pytest.raises(Unavailable, match=said):
                await attempt
        await store.close()
    with pytest.raises(Unavailable, match="all-access token"):
        await set_up(influx.url("first"), "sesame", KINDS)
    with pytest.raises(Unavailable, match="no organisation 'village'"):
        await examine(influx.url("first").replace("/city/", "/village/"), influx.token, KINDS)


async def test_setting_up_is_done_once_and_mends_what_differs(influx: Influxd) -> None:
    bucket = f"test-{secrets.token_hex(6)}"
    url = influx.url(bucket)
    gas = {"gas": KINDS["gas"]}
    missing = await examine(url, influx.token, gas)
    assert missing[:2] == [f"bucket {bucket} is missing", f"bucket {bucket}_1m is missing"]
    done = await set_up(url, influx.token, gas)
    assert done[:5] == [
        f"bucket {bucket} made, keeps 30 days",
        f"bucket {bucket}_1m made, keeps 180 days",
        f"bucket {bucket}_1h made, keeps 1825 days",
        f"bucket {bucket}_newest made, keeps for ever",
        f"bucket {bucket}_records made, keeps 1825 days",
    ]
    assert len(done) == len(missing) == 12
    assert await set_up(url, influx.token, gas) == []
    assert await examine(url, influx.token, gas) == []
    assert await set_up(url, influx.token, gas, Keep(raw_days=60)) == [f"bucket {bucket} keeps 60 days now"]
    assert await examine(url, influx.token, gas) == [f"bucket {bucket} should keep 30 days"]
    more = {"gas": KINDS["gas"], "waterlogging": KINDS["waterlogging"]}
    mended = await set_up(url, influx.token, more, Keep(raw_days=60))
    assert len(mended) == 7 and all(line.endswith("brought up to date") for line in mended)


async def test_records_that_lived_among_the_readings_move_where_they_are_kept(influx: Influxd) -> None:
    url = influx.url(influx.make_bucket())
    found = [
        Point("alert", {"rule": "gas.co", "device": "d1"}, at(0), {"open": True, "value": 3.5, "summary": "CO"}),
        Point("alert", {"rule": "gas.co", "device": "d2"}, at(0), {"open": False, "level": 2}),
        Point("work", {"task": "T1"}, at(60), {"met": True, "coverage_pct": 98.5}),
    ]
    door = Server(parse_place(url), influx.token)
    readings = Writer(door, parse_place(url).bucket)
    assert await readings.write(point_lines([*found, Point("ingest", {"server": "s"}, at(0), {"devices": 3})])) == []
    await door.close()
    store = await InfluxStore.open(url, influx.token, KINDS)
    with pytest.raises(Unavailable, match="citywarden doctor --fix"):
        await store.points("alert", at(0), at(99))
    with pytest.raises(Unavailable, match="citywarden doctor --fix"):
        await store.write_points(found)
    bucket = bucket_of(url)
    done = await set_up(url, influx.token, {}, FOR_EVER)
    assert done[-1] == f"bucket {bucket}_records filled with the records that {bucket} had"
    assert await store.points("alert", at(0), at(99)) == found[:2]
    assert await store.points("work", at(0), at(99)) == found[2:]
    assert len(await store.points("ingest", at(0), at(99))) == 1
    assert await store.trim("alert", at(1)) == 2
    assert (await store.count("alert"), await store.count("work")) == (0, 1)
    assert await set_up(url, influx.token, {}, FOR_EVER) == []
    await store.close()


async def test_influxdb_runs_the_tasks_and_the_means_are_right(tmp_path: Path) -> None:
    """The tasks as they are, run by InfluxDB's own executor for a moment of their schedule."""
    with influxd(tmp_path, tasks=True, bucket="city") as server:
        hour_ms = (time.time_ns() // 1_000_000 // HOUR_MS - 1) * HOUR_MS
        url = server.url("city")
        await set_up(url, server.token, {"gas": KINDS["gas"]})
        store = await InfluxStore.open(url, server.token, {"gas": KINDS["gas"]})
        for name, base in (("a", 10.0), ("b", 30.0)):
            rows: list[tuple[int, dict[str, JsonScalar]]] = [
                (s, {"co_ppm": base + s // 60}) for s in range(0, 3600, 30)
            ]
            await store.write(columns("gas", rows, device("gas", name, district="Futian"), hour_ms))
        await store.close()
        headers = {"Authorization": f"Token {server.token}"}
        async with httpx.AsyncClient(base_url=f"{server.base}/api/v2", headers=headers, timeout=30) as client:
            moments = {"minutes": 900_000, "hours": HOUR_MS, "hours of districts": HOUR_MS, "newest values": HOUR_MS}
            for name, ms in moments.items():
                await run_task(client, f"citywarden city: {name}", hour_ms + ms)
            minutes = [(name, m * 60_000, base + m) for name, base in (("a", 10.0), ("b", 30.0)) for m in range(15)]
            assert await folds(client, "city_1m", "gas", "co_ppm", hour_ms) == minutes
            sums = [("", m * 60_000, 2 * (40.0 + 2 * m)) for m in range(15)]
            assert await folds(client, "city_1m", "gas_district", "co_ppm_sum", hour_ms) == sums
            assert await folds(client, "city_1h", "gas", "co_ppm", hour_ms) == [("a", 0, 39.5), ("b", 0, 59.5)]
            assert await folds(client, "city_1h", "gas_district", "co_ppm_n", hour_ms) == [("", 0, 240)]
            assert await folds(client, "city_1h", "gas_district", "co_ppm_max", hour_ms) == [("", 0, 89.0)]
            last = 3_600_000 - 30_000
            assert await folds(client, "city_newest", "gas", "co_ppm", hour_ms) == [
                ("a", last, 69.0),
                ("b", last, 89.0),
            ]


async def run_task(client: httpx.AsyncClient, name: str, at_ms: int) -> None:
    """Have InfluxDB run a task as if it were that time, to its end; fails with its words when that went wrong."""
    (task,) = (await client.get("/tasks", params={"name": name})).json()["tasks"]
    moment = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    runs = f"/tasks/{task['id']}/runs"
    made = (await client.post(runs, json={"scheduledFor": moment})).raise_for_status().json()
    status = ""
    async with asyncio.timeout(60):
        while status not in ("success", "failed"):
            await asyncio.sleep(0.1)
            found = await client.get(f"{runs}/{made['id']}")
            # A run that has just ended is for a moment neither among the current ones nor among those that are over.
            status = "" if found.status_code == 404 else found.raise_for_status().json()["status"]
    assert status == "success", (await client.get(f"{runs}/{made['id']}/logs")).text


async def folds(
    client: httpx.AsyncClient, bucket: str, measurement: str, field: str, zero_ms: int
) -> list[tuple[str, int, float]]:
    """(device, ms after `zero_ms`, value) of every row, by device and time."""
    flux = (
        f'from(bucket: "{bucket}") |> range(start: 0) |> filter(fn: (r) => r._measurement == "{measurement}")'
        f' |> filter(fn: (r) => r._field == "{field}") |> group()'
        " |> map(fn: (r) => ({ms: int(v: r._time) / 1000000, value: float(v: r._value),"
        ' device: if exists r.device then r.device else ""}))'
    )
    headers = {"Content-Type": "application/vnd.flux", "Accept": "application/csv"}
    answer = await client.post("/query", params={"org": "city"}, content=flux, headers=headers)
    table = csv.DictReader(line for line in answer.raise_for_status().text.splitlines() if line)
    return sorted((row["device"], int(row["ms"]) - zero_ms, float(row["value"])) for row in table)


async def test_long_windows_come_from_hourly_folds_and_say_the_same(influx: Influxd) -> None:
    url, store = await named(influx)
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
    assert (await set_up(url, influx.token, lamps, FOR_EVER))[-1].endswith(
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


async def test_a_bucket_with_nothing_beside_it_answers_from_its_readings(influx: Influxd) -> None:
    _, store = await named(influx)
    await store.write(
        columns("gas", [(h * 3600, {"co_ppm": float(h)}) for h in range(96)], start=NOON_MS - 96 * HOUR_MS)
    )
    (found,) = await store.aggregate("gas", "co_ppm", NOON_MS - 96 * HOUR_MS, NOON_MS, 24 * HOUR_MS, Fold.COUNT)
    assert found.values.sum() == 96
    assert (await store.latest("gas")).row(0).values == {"co_ppm": 95.0}
    await store.close()


def bucket_of(url: str) -> str:
    return url.rsplit("/", 1)[1]
