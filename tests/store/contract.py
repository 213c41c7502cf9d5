"""The one contract test: every store runs it. Subclass `StoreContract` and give it a fixture `store`."""

import numpy as np
import pytest

from citywarden.columns import Columns, Reading, from_readings
from citywarden.model.kind import JsonScalar
from citywarden.store.contract import Fold, Point, Store, Written
from citywarden.store.schema import UnknownName
from tests.builders import KINDS, NOON_MS, columns, device

HOUR_MS = 3_600_000


def at(second: int) -> int:
    return NOON_MS + second * 1000


def values(batch: Columns) -> list[tuple[str, int, dict[str, JsonScalar]]]:
    return [(r.device.id, (r.ts_ms - NOON_MS) // 1000, dict(r.values)) for r in batch.rows()]


class StoreContract:
    overwrites = False
    """True for a store in which a reading written again overwrites itself: it cannot tell that it knew it."""

    def written(self, new: int, known: int) -> Written:
        return Written(new + known, 0) if self.overwrites else Written(new, known)

    async def test_what_was_written_is_read_as_it_was_meant(self, store: Store) -> None:
        sent: dict[str, JsonScalar] = {"on": True, "commanded_on": False, "power_w": 149.25, "fault": "灯 ' \" \\ \n"}
        lamp = device("streetlight", "水-1", district="福田")
        batch = columns("streetlight", [(0, sent), (60, {"fault": "", "power_w": 0.0}), (120, {"on": False})], lamp)
        assert await store.write(batch) == Written(3, 0)
        found = await store.series(lamp.key, at(0), at(200))
        assert [dict(r.values) for r in found] == [sent, {"fault": "", "power_w": 0.0}, {"on": False}]
        assert [type(found[0].values[name]) for name in sent] == [bool, bool, float, str]
        assert {(r.device.tenant, r.device.id, r.device.district) for r in found} == {("t", "水-1", "福田")}
        assert [r.ts_ms for r in found] == [at(0), at(60), at(120)]

    async def test_receive_time_is_kept(self, store: Store) -> None:
        late = from_readings(KINDS["gas"], [Reading(device("gas"), at(0), at(7), {"co_ppm": 1.0})])
        await store.write(late)
        assert (await store.window("gas", at(0), at(1))).received_ms.tolist() == [at(7)]

    async def test_an_empty_batch_is_no_matter(self, store: Store) -> None:
        assert await store.write(columns("gas", [])) == Written(0, 0)
        assert await store.count("gas") == 0
        assert len(await store.window("gas", 0, at(0))) == 0
        assert len(await store.latest("gas")) == 0

    async def test_the_same_reading_twice_is_one_and_the_first_stays(self, store: Store) -> None:
        assert await store.write(columns("gas", [(0, {"co_ppm": 1.0}), (10, {"co_ppm": 2.0})])) == Written(2, 0)
        again = columns("gas", [(0, {"co_ppm": 9.0}), (10, {"co_ppm": 2.0}), (20, {"co_ppm": 3.0})])
        assert await store.write(again) == self.written(1, 2)
        assert await store.write(again) == self.written(0, 3)
        assert await store.count("gas") == 3
        stays = 9.0 if self.overwrites else 1.0
        assert [v["co_ppm"] for _, _, v in values(await store.window("gas", at(0), at(60)))] == [stays, 2.0, 3.0]

    async def test_a_batch_may_hold_a_reading_twice(self, store: Store) -> None:
        batch = columns("gas", [(5, {"co_ppm": 1.0}), (0, {"co_ppm": 0.5}), (5, {"co_ppm": 2.0})])
        assert await store.write(batch) == Written(2, 1)
        assert [v["co_ppm"] for _, _, v in values(await store.window("gas", at(0), at(60)))] == [0.5, 1.0]

    async def test_late_readings_find_their_place_among_known_ones(self, store: Store) -> None:
        await store.write(columns("gas", [(s, {"co_ppm": float(s)}) for s in range(0, 7200, 60)]))
        late = columns("gas", [(s, {"co_ppm": -1.0}) for s in (-86_400, 0, 30, 3600, 3601, 7140, 7141)])
        assert await store.write(late) == self.written(4, 3)
        assert await store.count("gas") == 124
        assert (await store.series(device("gas").key, at(3600), at(3602)))[1].values == {"co_ppm": -1.0}

    async def test_devices_of_the_same_name_are_not_mixed_up(self, store: Store) -> None:
        for who in (device("gas", "a", tenant="t1"), device("gas", "a", tenant="t2")):
            assert await store.write(columns("gas", [(0, {"co_ppm": 1.0})], who)) == Written(1, 0)
        assert await store.write(
            columns("vehicle", [(0, {"lat": 1.0, "lon": 2.0})], device("vehicle", "a"))
        ) == Written(1, 0)
        assert await store.count("gas") == 2
        assert [r.device.tenant for r in (await store.latest("gas", "t2")).rows()] == ["t2"]
        assert await store.series(device("gas", "a", tenant="t3").key, 0, at(60)) == []

    async def test_a_device_that_moves_keeps_its_history(self, store: Store) -> None:
        await store.write(columns("gas", [(0, {"co_ppm": 1.0})], device("gas", district="Futian")))
        moved = device("gas", district="Luohu")
        again = columns("gas", [(0, {"co_ppm": 7.0}), (60, {"co_ppm": 3.0})], moved)
        assert await store.write(again) == self.written(1, 1)
        assert [r.device.district for r in await store.series(moved.key, 0, at(90))] == ["Futian", "Luohu"]
        per_district = await store.aggregate("gas", "co_ppm", at(0), at(90), HOUR_MS, Fold.SUM, "district")
        luohu = 10.0 if self.overwrites else 3.0
        assert [(b.group, b.values.tolist()) for b in per_district] == [("Futian", [1.0]), ("Luohu", [luohu])]
        assert [d.district for d in (await store.latest("gas")).devices] == ["Luohu"]
        assert [d.district for d in (await store.window("gas", at(0), at(90))).devices] == ["Luohu"]

    async def test_series_is_cut_at_its_ends_and_its_limit(self, store: Store) -> None:
        await store.write(columns("gas", [(s, {"co_ppm": float(s)}) for s in range(10)]))
        found = await store.series(device("gas").key, at(2), at(9), limit=3)
        assert [r.values["co_ppm"] for r in found] == [2.0, 3.0, 4.0]
        assert len(await store.series(device("gas").key, at(2), at(9))) == 7

    async def test_window_is_sorted_by_device_then_time(self, store: Store) -> None:
        for name in ("b", "a", "c"):
            await store.write(columns("gas", [(10, {"co_ppm": 1.0}), (0, {})], device("gas", name)))
        whole = await store.window("gas", at(0), at(11))
        assert [(name, s) for name, s, _ in values(whole)] == [(n, s) for n in "abc" for s in (0, 10)]
        assert set(whole.fields) == {q.field for q in KINDS["gas"].numeric}
        assert np.isnan(whole.fields["h2s_ppm"]).all()
        some = await store.window("gas", at(0), at(10), [device("gas", "c").key, device("gas", "zz").key])
        assert [(name, s) for name, s, _ in values(some)] == [("c", 0)]
        assert len(await store.window("gas", at(0), at(10), [])) == 0

    async def test_latest_is_the_newest_value_of_every_field(self, store: Store) -> None:
        await store.write(columns("streetlight", [(0, {"on": True, "fault": "lamp"}), (10, {"on": False})]))
        await store.write(columns("streetlight", [(5, {"power_w": 3.0, "on": True})]))
        (newest,) = (await store.latest("streetlight")).rows()
        assert newest.ts_ms == at(10)
        assert newest.values == {"on": False, "fault": "lamp", "power_w": 3.0}

    async def test_aggregates_fall_into_buckets_of_the_epoch(self, store: Store) -> None:
        rows = [(0, {"depth_cm": 1.0}), (59, {"depth_cm": 3.0}), (60, {"rain_mm_h": 1.0}), (120, {"depth_cm": 5.0})]
        await store.write(columns("waterlogging", rows))
        expected = {
            Fold.MEAN: [2.0, 5.0],
            Fold.MIN: [1.0, 5.0],
            Fold.MAX: [3.0, 5.0],
            Fold.SUM: [4.0, 5.0],
            Fold.LAST: [3.0, 5.0],
            Fold.COUNT: [2.0, 1.0],
        }
        for fold, folded in expected.items():
            (all_,) = await store.aggregate("waterlogging", "depth_cm", at(0), at(121), 60_000, fold)
            assert (all_.group, all_.start_ms.tolist(), all_.values.tolist()) == ("", [at(0), at(120)], folded)
        assert await store.aggregate("waterlogging", "depth_cm", at(121), at(999), 60_000, Fold.SUM) == []

    async def test_flags_fold_as_shares_and_texts_are_counted(self, store: Store) -> None:
        await store.write(columns("streetlight", [(0, {"on": True}), (1, {"on": False}), (2, {"fault": "x"})]))
        (lit,) = await store.aggregate("streetlight", "on", at(0), at(9), HOUR_MS, Fold.MEAN)
        (faults,) = await store.aggregate("streetlight", "fault", at(0), at(9), HOUR_MS, Fold.COUNT, "tenant")
        assert (lit.values.tolist(), faults.group, faults.values.tolist()) == ([0.5], "t", [1.0])

    async def test_names_that_do_not_exist_are_refused(self, store: Store) -> None:
        with pytest.raises(UnknownName, match="submarine"):
            await store.latest("submarine")
        with pytest.raises(UnknownName, match="colour"):
            await store.aggregate("gas", "colour", 0, 1, 60_000, Fold.MEAN)
        with pytest.raises(UnknownName, match="street"):
            await store.aggregate("gas", "co_ppm", 0, 1, 60_000, Fold.MEAN, "street")
        with pytest.raises(UnknownName, match="text"):
            await store.aggregate("streetlight", "fault", 0, 1, 60_000, Fold.MEAN)

    async def test_trim_drops_the_old_and_latest_still_knows_it(self, store: Store) -> None:
        await store.write(columns("gas", [(s, {"co_ppm": float(s)}) for s in range(10)], device("gas", "old")))
        await store.write(columns("gas", [(s, {"h2s_ppm": float(s)}) for s in range(5, 15)], device("gas", "young")))
        assert await store.trim("gas", at(10)) == 15
        assert await store.trim("gas", at(10)) == 0
        assert await store.count("gas") == 5
        assert [(r.device.id, dict(r.values)) for r in (await store.latest("gas")).rows()] == [
            ("old", {"co_ppm": 9.0}),
            ("young", {"h2s_ppm": 14.0}),
        ]

    async def test_points_are_found_by_time_and_tags(self, store: Store) -> None:
        tags = {"tenant": "t", "rule": "gas.methane", "a.b/c~d": "x'y"}
        first = Point("alert", tags, at(0), {"value": 25.5, "count": 3, "open": True, "summary": "甲烷"})
        other = Point("alert", {"tenant": "u"}, at(0), {"value": 1.0})
        later = Point("alert", tags, at(60), {"value": 2.0})
        await store.write_points([later, first, other, Point("work", tags, at(0), {"met": False})])
        assert await store.points("alert", at(0), at(61), {"rule": "gas.methane"}) == [first, later]
        assert await store.points("alert", at(0), at(60), tags) == [first]
        assert len(await store.points("alert", at(0), at(61))) == 3
        assert await store.points("ingest", 0, at(61)) == []
        assert await store.points("alert", 0, at(61), {"rule": "gas"}) == []
        (found,) = await store.points("alert", at(0), at(1), tags)
        assert {name: type(value) for name, value in found.fields.items()} == {
            "value": float,
            "count": int,
            "open": bool,
            "summary": str,
        }

    async def test_a_point_written_again_is_replaced(self, store: Store) -> None:
        await store.write_points([Point("work", {"task": "T1"}, at(0), {"pct": 10.0, "status": "open"})])
        again = [Point("work", {"task": "T1"}, at(0), {"pct": p, "status": "met"}) for p in (50.0, 96.0)]
        await store.write_points(again)
        await store.write_points([])
        assert await store.points("work", at(0), at(1)) == [again[1]]
        assert (await store.count("work"), await store.trim("work", at(1)), await store.count("work")) == (1, 1, 0)
