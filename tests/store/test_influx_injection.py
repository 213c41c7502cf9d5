"""Texts and names made to break out of a line of the line protocol, through a real influxd and back."""

import secrets
from random import Random

from citywarden.model.device import DeviceKey
from citywarden.model.kind import JsonScalar
from citywarden.store.contract import Point
from citywarden.store.influx import InfluxStore, Keep, set_up
from tests.builders import KINDS, NOON_MS, columns, device
from tests.influx import Influxd
from tests.store.contract import HOUR_MS

PIECES = (
    "\n", "\r\n", ",", " ", "=", '"', "'", "\\", "\\\\", "\\n", "灯", "é", "\u202e", "😀", "%5C", "#", "/*", "gas",
    ",tenant=x ", "i", "t", "1795406400000", "\t", "\x7f", "\u2028", "--", "$1", "${x}", "|> drop()",
)  # fmt: skip
EVIL_LINE = f'ok" {NOON_MS}\ngas,device=stolen,tenant=t methane_lel_pct=99.0 {NOON_MS}\n#'


async def opened(influx: Influxd) -> InfluxStore:
    url = influx.url(f"injection-{secrets.token_hex(6)}")
    await set_up(url, influx.token, {}, Keep(None, None, None, None))
    return await InfluxStore.open(url, influx.token, KINDS)


def texts(count: int) -> list[str]:
    rng = Random(20261122)
    made = {"".join(rng.choices(PIECES, k=rng.randrange(1, 7))) for _ in range(count)}
    return sorted({EVIL_LINE, "\\", "a\\", '"', "a\\\\", *made})


async def test_texts_come_back_as_they_were_and_nothing_else_is_written(influx: Influxd) -> None:
    store = await opened(influx)
    try:
        words = texts(150)
        rows: list[tuple[int, dict[str, JsonScalar]]] = [(n, {"fault": word}) for n, word in enumerate(words)]
        written = await store.write(columns("streetlight", rows))
        assert (written.new + written.known, list(written.refused)) == (len(words), [])
        found = await store.window("streetlight", NOON_MS - HOUR_MS, NOON_MS + HOUR_MS)
        assert found.texts["fault"].tolist() == words
        assert [await store.count(kind) for kind in KINDS] == [len(words) if k == "streetlight" else 0 for k in KINDS]
    finally:
        await store.close()


async def test_names_come_back_as_they_were_and_make_one_series_each(influx: Influxd) -> None:
    store = await opened(influx)
    try:
        names = texts(60)
        for n, name in enumerate(names):
            who = device("gas", name, district=names[-n], tenant=names[(7 * n) % len(names)])
            await store.write(columns("gas", [(n, {"co_ppm": float(n)})], who))
        found = await store.latest("gas")
        assert sorted(one.id for one in found.devices) == names
        assert {one.tenant for one in found.devices} <= set(names)
        assert await store.count("gas") == len(names)
        one = await store.series(DeviceKey(names[0], "gas", names[0]), NOON_MS - HOUR_MS, NOON_MS + HOUR_MS)
        assert [dict(reading.values) for reading in one] == [{"co_ppm": 0.0}]
    finally:
        await store.close()


async def test_texts_of_alerts_come_back_as_they_were(influx: Influxd) -> None:
    store = await opened(influx)
    try:
        words = texts(60)
        points = [Point("alert", {"rule": word, "tenant": "t"}, NOON_MS, {"summary": word}) for word in words]
        await store.write_points(points)
        found = await store.points("alert", NOON_MS - HOUR_MS, NOON_MS + HOUR_MS)
        assert sorted(str(point.fields["summary"]) for point in found) == words
        assert sorted(point.tags["rule"] for point in found) == words
    finally:
        await store.close()
