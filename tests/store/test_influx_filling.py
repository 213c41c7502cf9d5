"""Folding what lay in a bucket before those beside it: which piece comes next, and going on after a break."""

import secrets
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from influxdb_client.client.influxdb_client import InfluxDBClient

from citywarden.model.errors import Unavailable
from citywarden.store.contract import Fold
from citywarden.store.influx import Filling, InfluxStore, Keep, fill, fillings, tend
from citywarden.store.influx.administration import administer, bucket, organisation
from citywarden.store.influx.filling import PIECES_MS, marked, planned, statements
from citywarden.store.influx.server import parse_place
from tests.builders import KINDS, columns
from tests.influx import Influxd
from tests.store.contract import HOUR_MS

DAY_MS = 24 * HOUR_MS
NOW_MS = 1_790_000_000_000
FOR_EVER = Keep(None, None, None, None)

times = st.integers(NOW_MS - 400 * DAY_MS, NOW_MS)


@settings(max_examples=40)
@given(st.sampled_from(sorted(PIECES_MS)), times, st.none() | st.integers(1, 400))
def test_the_pieces_are_the_whole_time_once_the_newest_first_in_whole_hours(
    suffix: str, oldest_ms: int, days: int | None
) -> None:
    whole = planned(suffix, oldest_ms, NOW_MS, days)
    left: Filling | None = whole
    count, end_ms = whole.pieces, whole.before_ms
    for remaining in range(count, 0, -1):
        assert left is not None and left.pieces == remaining
        assert marked(suffix, left.mark()) == left
        start_ms, stop_ms = left.piece_ms
        assert stop_ms == end_ms and 0 < stop_ms - start_ms <= PIECES_MS[suffix] and start_ms % HOUR_MS == 0
        end_ms, left = start_ms, left.after()
    assert left is None and end_ms == whole.start_ms
    assert whole.before_ms > NOW_MS >= whole.before_ms - HOUR_MS
    kept_from_ms = NOW_MS - (days or 10_000) * DAY_MS
    assert whole.start_ms >= kept_from_ms and (whole.start_ms <= oldest_ms or whole.start_ms <= kept_from_ms + HOUR_MS)


@pytest.mark.parametrize("text", [None, "", "ours", "Citywarden still folds what there was from a to b"])
def test_other_descriptions_are_no_marks(text: str | None) -> None:
    assert marked("_1h", text) is None


def test_a_piece_answers_with_no_rows() -> None:
    for suffix in PIECES_MS:
        for text in statements("city (a)", KINDS, planned(suffix, NOW_MS - DAY_MS, NOW_MS, None)):
            assert text.count("|> to(") == text.count('")\n    |> filter(fn: (r) => false)') > 0


class BrokenOff(Exception):
    pass


async def test_old_readings_are_folded_beside_and_a_break_loses_nothing(influx: Influxd) -> None:
    name = influx.make_bucket()
    url, kinds = influx.url(name), {"gas": KINDS["gas"]}
    store = await InfluxStore.open(url, influx.token, kinds)
    now_ms = time.time_ns() // 1_000_000 // HOUR_MS * HOUR_MS
    start_ms = now_ms - 40 * HOUR_MS
    await store.write(columns("gas", [(h * 3600, {"co_ppm": float(h)}) for h in range(40)], start=start_ms))
    done = await tend(url, influx.token, kinds, FOR_EVER)
    assert not any("filled" in line for line in done if "_records" not in line)
    lacking = await fillings(url, influx.token)
    assert [one.suffix for one in lacking] == ["_1m", "_1h", "_newest"]
    assert await tend(url, influx.token, kinds, FOR_EVER) == []

    async def breaking(left: Sequence[Filling]) -> None:
        if left[0].suffix == "_1h" and left[0].pieces < lacking[1].pieces - 1:
            raise BrokenOff

    with pytest.raises(BrokenOff):
        await fill(url, influx.token, kinds, breaking)
    left = await fillings(url, influx.token)
    assert [one.suffix for one in left] == ["_1h", "_newest"]
    assert left[0].pieces == lacking[1].pieces - 2
    assert await fill(url, influx.token, kinds) == [
        f"bucket {name}_1h filled with what {name} had",
        f"bucket {name}_newest filled with what {name} had",
    ]
    assert await fillings(url, influx.token) == [] and await fill(url, influx.token, kinds) == []
    for suffix in ("_1m", "_1h"):
        folds = await InfluxStore.open(influx.url(name + suffix), influx.token, kinds)
        (sums,) = await folds.aggregate("gas", "co_ppm", start_ms, now_ms, HOUR_MS, Fold.MEAN)
        assert sums.values.tolist() == [float(h) for h in range(40)], suffix
        await folds.close()
    await store.close()


async def test_a_move_of_records_that_broke_off_is_done_again(influx: Influxd) -> None:
    name = influx.make_bucket("_records_unfinished")
    url = influx.url(name)
    done = await tend(url, influx.token, {}, FOR_EVER)
    assert done[-1] == f"bucket {name}_records filled with the records that {name} had"
    place = parse_place(url)
    assert await administer(
        place, influx.token, lambda client: bucket(client, organisation(client, place), f"{name}_records_unfinished")
    ) is None  # fmt: skip
    store = await InfluxStore.open(url, influx.token, {})
    assert await store.points("alert", 0, NOW_MS) == []
    await store.close()


async def test_an_influxdb_that_cannot_fold_is_an_error_not_a_hole(influx: Influxd) -> None:
    name = f"test-{secrets.token_hex(6)}"
    url = influx.url(name)
    await tend(url, influx.token, {"gas": KINDS["gas"]}, FOR_EVER)
    place = parse_place(url)

    def spoil(client: InfluxDBClient) -> None:
        org = organisation(client, place)
        hours = bucket(client, org, name + "_1h")
        raw = bucket(client, org, name)
        assert hours is not None and raw is not None
        hours.description = planned("_1h", NOW_MS - HOUR_MS, NOW_MS, None).mark()
        client.buckets_api().update_bucket(hours)
        client.buckets_api().delete_bucket(raw)

    await administer(place, influx.token, spoil)
    with pytest.raises(Unavailable, match="could not find bucket"):
        await fill(url, influx.token, {"gas": KINDS["gas"]})
    assert len(await fillings(url, influx.token)) == 1
