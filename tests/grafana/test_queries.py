"""Every query of every board against a real influxd with data as the server writes it: no error, and rows."""

import asyncio
import csv
import io
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import httpx
import pytest

from citywarden.alerts.point import alert_point
from citywarden.cases.point import case_point
from citywarden.columns import Reading, from_readings
from citywarden.model.alert import Alert, Severity, Status
from citywarden.model.case import Case, Source, Stage
from citywarden.model.casetime import Clock, Deadline, Limit, Phase
from citywarden.model.device import Device
from citywarden.model.kind import JsonScalar, Scene
from citywarden.model.work import Evidence, Operation, TaskReport, Verdict
from citywarden.serve.export import work_point
from citywarden.serve.inventory import device_points
from citywarden.store.contract import Point
from citywarden.store.influx import InfluxStore, Keep, set_up
from dashboards.grafana.names import FIELDS
from tests.builders import KINDS, columns
from tests.grafana.material import all_flux, as_grafana_sends
from tests.influx import Influxd, influxd

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
NEVER = Keep(None, None, None, None)
CHOSEN = {"device": "vehicle-0"}
"""Boards of one vehicle ask for this one; other boards take every device."""


@dataclass(frozen=True, slots=True)
class City:
    """A filled bucket, and when it was filled."""

    server: Influxd
    bucket: str
    now_ms: int
    client: httpx.Client

    def ask(self, flux: str, hours: float, points: int = 120) -> list[list[str]]:
        """The answer's rows of a query over the last hours."""
        return [row for row in self._lines(flux, hours, points) if row[1] != "result"]

    def values(self, flux: str, hours: float) -> list[str]:
        """What stands in the answer's column `_value`, or the only other one that is no time, wherever that is: the
        columns of an answer have no order.
        """
        found: list[str] = []
        for row in self._lines(flux, hours, 120):
            if row[1] == "result":
                (name,) = {"_value"} & {*row} or {*row} - {"", "result", "table", "_time", "_start", "_stop"}
                place = row.index(name)
            else:
                found.append(row[place])
        return found

    def _lines(self, flux: str, hours: float, points: int) -> list[list[str]]:
        span_s = int(hours * 3600)
        times = tuple(
            time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now_ms / 1000 + shift)) for shift in (-span_s, 5)
        )
        chosen = CHOSEN if '"vehicle"' in flux or '"work"' in flux else {}
        text = as_grafana_sends(flux, self.bucket, (times[0], times[1]), max(span_s // points, 10), chosen)
        headers = {
            "Authorization": f"Token {self.server.token}",
            "Content-Type": "application/vnd.flux",
            "Accept": "application/csv",
        }
        url = f"{self.server.base}/api/v2/query"
        answer = self.client.post(url, params={"org": "city"}, content=text, headers=headers, timeout=60)
        assert answer.status_code == 200, f"{answer.text}\n{text}"
        rows = list(csv.reader(io.StringIO(answer.text)))
        assert not any("error" in row[:2] for row in rows), answer.text
        return [row for row in rows if len(row) > 1]


def things(kind: str) -> list[Device]:
    """Five devices of a kind, one of them in no district."""
    homes = ("Futian", "Futian", "Luohu", "Nanshan", "")
    return [Device("t", kind, f"{kind}-{i}", f"名 {i}", home, 22.5, 114.0 + i / 50) for i, home in enumerate(homes)]


def readings(kind: str, now_ms: int) -> list[Reading]:
    """A quarter of an hour by the minute, and a day and a half by the half hour."""
    rng = random.Random(kind)
    ages = [*range(0, 15), *range(15, 36 * 60, 30)]
    found = []
    for thing in things(kind):
        for age in ages:
            ts = now_ms - age * MINUTE_MS - 1000
            previous: dict[str, JsonScalar] = {}
            if kind == "vehicle":
                previous = {"speed_kmh": 9.0, "heading_deg": 90.0, "ignition": True, "brush": True, "pump": False,
                            "lift": False, "load_kg": 4000.0, "odometer_km": 12.5}  # fmt: skip
            fault = "power_low" if thing.id == "streetlight-4" else None
            found.append(Reading(thing, ts, ts, KINDS[kind].sample(Scene(rng, thing, ts, True, fault, 0.0, previous))))
    return found


def alerts(now_ms: int) -> list[Point]:
    """Open ones of every severity and kind, and one that was resolved."""
    rules = ("gas.methane", "streetlight.dark", "waterlogging.depth", "vehicle.illegal_stop")
    found = []
    for severity in Severity:
        for i, rule in enumerate(rules):
            kind = rule.partition(".")[0]
            at = now_ms - (i + 1) * MINUTE_MS * 10
            found.append(
                Alert(f"{rule}-{severity}", "t", rule, kind, f"{kind}-{int(severity) % 5}", severity, Status.FIRING,
                      "threshold", at, at, value=1.0, lat=22.5, lon=114.0, district="Futian",
                      summary={"zh-CN": "甲", "en": "m"})
            )  # fmt: skip
    over = replace(found[0], status=Status.RESOLVED, resolved_ms=now_ms, raised_ms=now_ms - 7 * MINUTE_MS)
    return [alert_point(alert) for alert in (*found, over)]


def reports(now_ms: int) -> list[Point]:
    """Tasks of half a day, met and not, of two operations."""
    found = []
    for i in range(12):
        end = now_ms - i * HOUR_MS - MINUTE_MS
        operation = Operation.SPRINKLE if i % 2 else Operation.SWEEP
        status = (Verdict.MET, Verdict.MET, Verdict.NOT_MET, Verdict.NOT_JUDGED)[i % 4]
        report = TaskReport(
            f"T{i}", "vehicle-0", operation, end - HOUR_MS, end, status, (), Evidence.EQUIPMENT, 2400.0, 10.0, 0.0,
            1000.0, 960.0, 96.0, 1, 1500.0, 1000.0, 33.0, 0.0, 3.0, (),
        )  # fmt: skip
        found.append(work_point(report, "t", replace(things("vehicle")[0], owner="Acme")))
    return found


def cases(now_ms: int) -> list[Point]:
    """Cases of two days: one that is open and overdue, one near its deadline, two closed, one of them late."""
    fresh = Case("c", "t", "20261120-0001", "streetlight_dark", "灯不亮", Source.PATROL, Stage.HANDLING,
                 now_ms - 2 * HOUR_MS, now_ms, "p", district="Futian", unit="路灯所")  # fmt: skip
    due = Deadline(Phase.WHOLE, Limit(60, Clock.NATURAL), now_ms - 2 * HOUR_MS, now_ms - HOUR_MS, None)
    late = replace(fresh, number="20261120-0002", deadline=due, told_overdue=True)
    near = replace(fresh, number="20261120-0003", told_near=True)
    closed = replace(fresh, number="20261120-0004", stage=Stage.CLOSED, closed_ms=now_ms - 2 * HOUR_MS,
                     ended_ms=now_ms - 2 * HOUR_MS, whole=due)  # fmt: skip
    tardy = replace(closed, number="20261120-0005", closed_ms=now_ms, ended_ms=now_ms)
    return [case_point(case) for case in (fresh, late, near, closed, tardy)]


def figures(now_ms: int) -> list[Point]:
    """What the server says about itself, every half hour."""
    return [
        Point(
            "ingest",
            {"server": "citywarden"},
            now_ms - i * 30 * MINUTE_MS,
            {name: 1000.0 - i for name in FIELDS["ingest"] if name != "ok"} | {"ok": True},
        )
        for i in range(72)
    ]


async def fill(url: str, token: str, now_ms: int) -> None:
    store = await InfluxStore.open(url, token, KINDS)
    for name, kind in KINDS.items():
        await store.write(from_readings(kind, readings(name, now_ms)))
    everything = [device for kind in KINDS for device in things(kind)]
    retired = Device("t", "vehicle", "a-retired-one", "", "Futian")
    before_ms = now_ms - 3 * 24 * 60 * MINUTE_MS
    await store.write(columns("vehicle", [(0, {"lat": 22.5, "lon": 114.0, "speed_kmh": 0.0})], retired, before_ms))
    moved = replace(things("waterlogging")[0], lat=22.9)
    await store.write_points(device_points([moved], now_ms - 24 * 60 * MINUTE_MS))
    await store.write_points(
        [*device_points(everything, now_ms), *alerts(now_ms), *reports(now_ms), *cases(now_ms), *figures(now_ms)]
    )
    await store.close()
    await set_up(url, token, KINDS, NEVER)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    with influxd(tmp_path_factory.mktemp("influxd")) as server:
        bucket, now_ms = server.make_bucket("_records"), time.time_ns() // 1_000_000
        asyncio.run(fill(server.url(bucket), server.token, now_ms))
        with httpx.Client(timeout=60) as client:
            yield City(server, bucket, now_ms, client)


QUERIES = all_flux()


@pytest.mark.parametrize("hours", [2.5, 24, 24 * 30], ids=["two hours", "a day", "a month"])
def test_every_query_of_every_board_has_rows(city: City, hours: float) -> None:
    empty = [where for flux, where in QUERIES.items() if not city.ask(flux, hours)]
    assert len(QUERIES) > 150
    assert empty == []


def only_value(values: list[str]) -> float:
    (value,) = values
    return float(value)


def panel(board: str, title: str) -> str:
    return next(flux for flux, where in QUERIES.items() if where == f"{board}: {title}")


def test_the_numbers_are_those_that_were_written(city: City) -> None:
    assert only_value(city.values(panel("home", "在线燃气探测器"), 6)) == 5
    assert only_value(city.values(panel("home", "作业中车辆"), 6)) == 5
    assert only_value(city.values(panel("home", "亮灯率（应亮）"), 6)) == 1.0
    assert only_value(city.values(panel("home", "紧急告警"), 6)) == 4
    assert only_value(city.values(panel("cases", "未恢复告警"), 6)) == 16
    assert only_value(city.values(panel("cases", "平均恢复用时"), 6)) == 420.0
    assert only_value(city.values(panel("sanitation", "达标任务"), 24 * 7)) == 6
    assert only_value(city.values(panel("cases", "在办案件"), 6)) == 3
    assert only_value(city.values(panel("cases", "超期案件"), 6)) == 1
    assert only_value(city.values(panel("cases", "临期案件"), 6)) == 1
    assert only_value(city.values(panel("cases", "按期结案率"), 6)) == 0.5
    assert len(city.ask(panel("cases", "案件"), 6)) == 5
    assert only_value(city.values(panel("sanitation", "未达标任务"), 24 * 7)) == 3
    assert only_value(city.values(panel("home", "作业达标率"), 24 * 7)) == 0.5


def test_a_server_that_said_nothing_is_not_shown_as_well(city: City) -> None:
    """It says how it is every half hour here, so most of the windows of two minutes have no word of it."""
    said = city.values(panel("server", "运行状态"), 6)
    assert 11 <= said.count("true") <= 13
    assert said.count("silent") == len(said) - said.count("true") > 100


def test_a_month_of_the_city_gives_a_mean_of_shares_and_not_of_sums(city: City) -> None:
    share = panel("image", "亮灯比例")
    for hours in (24, 24 * 30):
        assert set(map(float, city.values(share, hours))) == {1.0}


def test_maps_place_every_device_where_the_registry_has_it(city: City) -> None:
    rows = city.ask(panel("flood", "积水深度"), 6)
    assert len(rows) == 5
    assert any("22.5" in row and "114.08" in row for row in rows)


def test_the_page_of_a_vehicle_opens_with_one_that_reported_lately(city: City) -> None:
    (asked,) = [flux for flux, where in QUERIES.items() if where == "vehicle: $device"]
    assert city.values(asked, 6) == [*(f"vehicle-{i}" for i in range(5)), "a-retired-one"]


def test_a_device_that_was_moved_is_where_it_is_today(city: City) -> None:
    (row,) = [row for row in city.ask(panel("flood", "积水深度"), 6) if "waterlogging-0" in row]
    assert "22.5" in row and "22.9" not in row


def test_a_district_that_is_chosen_leaves_the_others_out(city: City) -> None:
    text = panel("gas", "燃气一张图").replace("${district:regex}", "(Luohu|Nanshan)")
    assert len(city.ask(text, 6)) == 2


def test_tables_have_a_row_for_every_device_in_a_district_or_none(city: City) -> None:
    rows = city.ask(panel("gas", "探测器（24 小时内）"), 6)
    assert {cell for row in rows for cell in row if cell.startswith("gas-")} == {f"gas-{i}" for i in range(5)}
    assert len(city.ask(panel("home", "告警与车辆"), 6)) == 5
    (faulty,) = city.ask(panel("lights", "自报故障的路灯（1 小时内）"), 6)
    assert {"streetlight-4", "lamp"} <= set(faulty)
