"""A believable city behind fake sources: what the console's tests and its preview look at."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from citywarden.columns import Columns, Floats, Reading, from_readings
from citywarden.live import Live
from citywarden.model.alert import Alert, AlertQuery, Reason, Severity, Status
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import NotFound
from citywarden.model.kind import JsonScalar, Scene
from citywarden.model.message import DeadLetter
from citywarden.model.page import Page
from citywarden.model.work import (
    Evidence,
    MissedReason,
    MissedRun,
    Operation,
    Task,
    TaskReport,
    TrackPoint,
    Verdict,
    Zone,
    ZoneKind,
)
from citywarden.store.contract import Buckets, Fold, Point, Written
from dashboards.console.roads import cut, length_m
from dashboards.sources import Health, Sources
from ingest.kinds import all_kinds
from tests.console.rulefakes import cards

KINDS = all_kinds()
ZONE = ZoneInfo("Asia/Shanghai")
NIGHT_MS = int(datetime(2026, 11, 22, 21, 40, tzinfo=ZONE).timestamp() * 1000)
"""An evening: the lamps should be lit."""
TODAY = date(2026, 11, 22)
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
WEST, SOUTH = 114.020, 22.519
STREETS_EW = ("深南大道", "福华路", "红荔路", "莲花路", "滨河大道", "北环大道")
STREETS_NS = ("彩田路", "金田路", "益田路", "新洲路", "香蜜湖路", "华强北路", "皇岗路")
COMPANIES = ("福田环卫一公司", "玉洁环境", "深城清洁")
DISTRICTS = Path(__file__).parents[2] / "fleet/demo/shenzhen_districts.geojson"


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self, now_ms: int = NIGHT_MS) -> None:
        self.ms = now_ms

    def __call__(self) -> int:
        return self.ms


def street(i: int) -> tuple[str, tuple[tuple[float, float], ...]]:
    """Name and line of the i-th demo road: a slightly wavy grid over Futian."""
    if i % 2 == 0:
        k = (i // 2) % len(STREETS_EW)
        lat = SOUTH + 0.0085 * k + 0.003
        return STREETS_EW[k], tuple((WEST + 0.0095 * s, lat + 0.0009 * ((s * 7 + k) % 3 - 1)) for s in range(9))
    k = (i // 2) % len(STREETS_NS)
    lon = WEST + 0.0115 * k + 0.004
    return STREETS_NS[k], tuple((lon + 0.0009 * ((s * 5 + k) % 3 - 1), SOUTH + 0.0075 * s) for s in range(8))


def section(i: int) -> tuple[str, tuple[tuple[float, float], ...]]:
    """A vehicle's piece of a street, about 2 km."""
    name, line = street(i)
    total = length_m(line)
    start = (i // 13) * 0.33 * total
    return f"{name}{'东中西'[(i // 13) % 3]}段", cut(line, start, start + min(2400.0, 0.36 * total))


def devices() -> list[Device]:
    """400 lamps along the streets, 60 flood points, 60 detectors, 30 vehicles."""
    rng = Random(7)
    made: list[Device] = []
    for n in range(400):
        name, line = street(n % 13)
        spot = cut(line, 0, (n // 13 + rng.random()) / 31 * length_m(line))
        lon, lat = spot[-1] if spot else line[0]
        side = 0.00018 if n % 2 else -0.00018
        made.append(_device("streetlight", f"SL-{n:04d}", f"{name} {n // 13 + 1} 号灯杆", lon + side, lat + side))
    for kind, code, what in (("waterlogging", "WL", "内涝点"), ("gas", "GD", "燃气井")):
        for n in range(60):
            name, line = street(n % 13)
            lon, lat = line[(n * 3 + len(code)) % len(line)]
            lon, lat = lon + rng.gauss(0, 0.0028), lat + rng.gauss(0, 0.002)
            made.append(_device(kind, f"{code}-{n:03d}", f"{name}{what} {n + 1}", lon, lat))
    for n in range(30):
        lon, lat = section(n)[1][0]
        made.append(replace(_device("vehicle", f"V{n + 1:02d}", f"粤B·环{n + 101}", lon, lat), owner=COMPANIES[n % 3]))
    return made


def _device(kind: str, name: str, title: str, lon: float, lat: float) -> Device:
    district = "Nanshan" if lon < WEST + 0.012 else "Luohu" if lon > WEST + 0.074 else "Futian"
    return Device("sz", kind, name, title, district, round(lat, 6), round(lon, 6))


FAULTS: Mapping[str, tuple[str, float]] = {
    "SL-0007": ("dark_lamp", 900), "SL-0111": ("dark_lamp", 400), "SL-0214": ("power_low", 400),
    "WL-011": ("rising_water", 640), "WL-024": ("rising_water", 400), "WL-037": ("rising_water", 260),
    "GD-009": ("gas_leak", 290), "GD-031": ("gas_leak", 150),
}  # fmt: skip
SILENT = ("SL-0050", "SL-0051", "SL-0052", "GD-044", "V30")


def reading(device: Device, now_ms: int, fault: str | None = None, age_s: float = 0.0) -> Reading:
    """One reading by the kind's own sample function."""
    rng = Random(f"{device.id}{now_ms // MINUTE_MS}")
    previous: dict[str, JsonScalar] = dict(motion(device, now_ms)) if device.kind == "vehicle" else {}
    payload = KINDS[device.kind].sample(Scene(rng, device, now_ms, True, fault, age_s, previous))
    return Reading(device, now_ms, now_ms, payload)


def motion(device: Device, now_ms: int) -> dict[str, JsonScalar]:
    """Where a vehicle is: to and fro on its road; every fifth stands, every seventh only drives."""
    n = int(device.id[1:]) - 1
    line = section(n)[1]
    total = length_m(line)
    speed = 0.0 if n % 5 == 4 else 34.0 if n % 7 == 6 else 8.0
    gone = (now_ms / 1000 - NIGHT_MS / 1000) * speed / 3.6 + total * (0.3 + 0.02 * n)
    lap, along = divmod(gone, total)
    if int(lap) % 2:
        along = total - along
    here = (cut(line, 0, max(1.0, along)) or line[:1])[-1]
    ahead = (cut(line, 0, min(total, max(1.0, along) + 5)) or line[:1])[-1]
    east, north = (ahead[0] - here[0]) * 0.92, ahead[1] - here[1]
    heading = (_angle(east, north) + (180 if int(lap) % 2 else 0)) % 360
    return {
        "lat": here[1], "lon": here[0], "speed_kmh": speed, "heading_deg": heading, "ignition": True,
        "brush": speed == 8.0, "pump": False, "lift": False,
    }  # fmt: skip


def _angle(east: float, north: float) -> float:
    from math import atan2, degrees

    return degrees(atan2(east, north)) % 360


class FakeStore:
    """Histories made up as they are asked for, from the same samples."""

    def __init__(self, known: Sequence[Device], clock: Clock) -> None:
        self._known = {device.key: device for device in known}
        self._clock = clock

    async def series(self, key: DeviceKey, start_ms: int, stop_ms: int, limit: int = 10_000) -> Sequence[Reading]:
        return self._history(key, start_ms, stop_ms)[:limit]

    def _history(self, key: DeviceKey, start_ms: int, stop_ms: int) -> list[Reading]:
        device = self._known.get(key)
        if device is None:
            return []
        fault, age_s = FAULTS.get(key.id, (None, 0.0))
        found = []
        for ts_ms in range(start_ms, stop_ms, MINUTE_MS):
            age = age_s - (self._clock() - ts_ms) / 1000
            found.append(reading(device, ts_ms, fault if age > 0 else None, max(0.0, age)))
        return found

    async def window(
        self, kind: str, start_ms: int, stop_ms: int, devices: Sequence[DeviceKey] | None = None
    ) -> Columns:
        keys = devices if devices is not None else [key for key in self._known if key.kind == kind]
        return from_readings(KINDS[kind], [r for key in keys for r in self._history(key, start_ms, stop_ms)])

    async def write(self, batch: Columns) -> Written:
        raise AssertionError("the console never writes")

    async def write_points(self, points: Sequence[Point]) -> None:
        raise AssertionError("the console never writes")

    async def points(
        self, measurement: str, start_ms: int, stop_ms: int, tags: Mapping[str, str] | None = None
    ) -> Sequence[Point]:
        return ()

    async def latest(self, kind: str, tenant: str | None = None) -> Columns:
        return from_readings(KINDS[kind], [])

    async def aggregate(
        self, kind: str, field: str, start_ms: int, stop_ms: int, every_ms: int, fold: Fold, by: str = ""
    ) -> Sequence[Buckets]:
        return ()

    async def count(self, kind: str) -> int:
        return 0

    async def trim(self, kind: str, before_ms: int) -> int:
        return 0

    async def close(self) -> None: ...


@dataclass
class FakeInbox:
    """Alerts in a dictionary; remembers who did what."""

    live: Live
    clock: Clock
    alerts: dict[str, Alert] = field(default_factory=dict)
    calls: list[tuple[str, str, str, str | None]] = field(default_factory=list)

    async def open(self) -> Sequence[Alert]:
        return [a for a in self.alerts.values() if a.open]

    async def find(self, query: AlertQuery) -> Page[Alert]:
        found = [
            a
            for a in sorted(self.alerts.values(), key=lambda a: -a.raised_ms)
            if query.status in (None, a.status)
            and query.rule in (None, a.rule)
            and query.subject in (None, a.subject)
            and query.kind in (None, a.kind)
            and query.district in (None, a.district)
            and query.tenant in (None, a.tenant)
            and (query.text is None or query.text in f"{a.rule} {a.subject} {a.summary}".lower())
            and (query.severity is None or a.severity is query.severity)
            and (query.since_ms is None or a.updated_ms >= query.since_ms)
        ]
        start = int(query.cursor or 0)
        end = start + query.limit
        return Page(found[start:end], str(end) if end < len(found) else None)

    async def count(self, query: AlertQuery) -> Mapping[Severity, int]:
        everything = await self.find(replace(query, severity=None, cursor=None, limit=1_000_000))
        return Counter(alert.severity for alert in everything.items)

    async def get(self, alert_id: str) -> Alert:
        if alert_id not in self.alerts:
            raise NotFound(alert_id)
        return self.alerts[alert_id]

    async def acknowledge(self, alert_id: str, by: str, note: str | None) -> Alert:
        return await self._do("acknowledge", alert_id, by, note, Status.ACKNOWLEDGED)

    async def resolve(self, alert_id: str, by: str, note: str | None) -> Alert:
        return await self._do("resolve", alert_id, by, note, Status.RESOLVED)

    async def _do(self, what: str, alert_id: str, by: str, note: str | None, status: Status) -> Alert:
        alert = await self.get(alert_id)
        self.calls.append((what, alert_id, by, note))
        return self.put(replace(alert, status=status, acknowledged_by=by, note=note, updated_ms=self.clock()))

    def put(self, alert: Alert) -> Alert:
        self.alerts[alert.id] = alert
        self.live.tell(alert)
        return alert


def alert(n: int, device: Device | None, level: Severity, zh: str, en: str, **known: object) -> Alert:
    """The n-th alert: raised n minutes ago at a device."""
    facts: dict[str, object] = {
        "id": f"a{n}", "tenant": "sz", "rule": "demo", "kind": device.kind if device else "vehicle",
        "subject": device.id if device else "?", "severity": level, "status": Status.FIRING,
        "reason": Reason.THRESHOLD.value, "raised_ms": NIGHT_MS - n * 3 * MINUTE_MS,
        "updated_ms": NIGHT_MS - n * 3 * MINUTE_MS, "lat": device.lat if device else None,
        "lon": device.lon if device else None, "summary": {"zh-CN": zh, "en": en},
        "district": device.district if device else "",
    }  # fmt: skip
    return Alert(**(facts | known))  # type: ignore[arg-type]


def some_alerts(known: Mapping[str, Device]) -> list[Alert]:
    """A bad evening."""
    made = [
        alert(1, known["GD-009"], Severity.CRITICAL, "甲烷 58 %LEL，达到二级报警", "Methane 58 %LEL, second alarm",
              value=58.0, unit="%LEL", threshold=50.0, rule="gas.methane"),
        alert(2, known["WL-011"], Severity.CRITICAL, "积水 43 cm，达到红色警戒", "Water 43 cm deep, red",
              value=43.0, unit="cm", threshold=40.0, rule="waterlogging.depth"),
        alert(3, known["GD-031"], Severity.MAJOR, "甲烷 30 %LEL，达到一级报警", "Methane 30 %LEL, first alarm",
              value=30.0, unit="%LEL", threshold=25.0, rule="gas.methane"),
        alert(4, known["WL-024"], Severity.MAJOR, "积水 27 cm，达到橙色警戒", "Water 27 cm deep, orange",
              status=Status.ACKNOWLEDGED, acknowledged_by="陈志明", note="已派抽排队"),
        alert(5, known["V03"], Severity.MAJOR, "清扫漏作业 320 m：经过但未作业", "320 m missed: driven without working",
              rule="route.missed", lat=None, lon=None, subject=f"V03/T03a@{TODAY}"),
        alert(6, known["V08"], Severity.MINOR, "偏离计划路线 140 m，持续 90 秒", "140 m off its route for 90 s",
              rule="route.deviation"),
        alert(8, known["SL-0007"], Severity.MINOR, "夜间暗灯 15 分钟", "Dark at night for 15 min"),
        alert(11, known["WL-037"], Severity.MINOR, "积水 17 cm，达到黄色警戒", "Water 17 cm deep, yellow"),
        alert(15, known["SL-0111"], Severity.MINOR, "夜间暗灯 6 分钟", "Dark at night for 6 min"),
        alert(22, known["GD-044"], Severity.INFO, "设备 12 分钟无数据", "No data for 12 min"),
    ]  # fmt: skip
    rng = Random(3)
    for n in range(60):
        device = known[f"SL-{n:04d}"]
        level = rng.choice((Severity.INFO, Severity.MINOR, Severity.MINOR, Severity.MAJOR, Severity.CRITICAL))
        raised = NIGHT_MS - rng.randrange(12 * 60) * MINUTE_MS
        made.append(
            alert(100 + n, device, level, "夜间暗灯", "Dark at night", status=Status.RESOLVED, raised_ms=raised,
                  updated_ms=raised + MINUTE_MS, resolved_ms=raised + MINUTE_MS)
        )  # fmt: skip
    return made


@dataclass
class FakeWork:
    """Tasks on the sections of the streets: morning ones judged, evening ones running."""

    clock: Clock
    empty: bool = False

    async def days(self) -> Sequence[date]:
        return () if self.empty else (TODAY - timedelta(days=1), TODAY)

    async def tasks(self, day: date) -> Sequence[Task]:
        if self.empty or day not in (TODAY - timedelta(days=1), TODAY):
            return ()
        midnight = int(datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp() * 1000)
        made = []
        for n in range(30):
            name, line = section(n)
            for part, (start, end) in enumerate(((6.0, 8.5), (20.5, 23.5))):
                operation = (Operation.SWEEP, Operation.WASH, Operation.SPRINKLE)[n % 3]
                made.append(
                    Task(f"T{n + 1:02d}{'ab'[part]}@{day}", name, f"V{n + 1:02d}", operation, (line,),
                         midnight + int(start * HOUR_MS), midnight + int(end * HOUR_MS), day, "sz",
                         min_duration_s=5400.0)
                )  # fmt: skip
        return made

    async def reports(self, day: date) -> Sequence[TaskReport]:
        return [self._report(i, task) for i, task in enumerate(await self.tasks(day))]

    def _report(self, i: int, task: Task) -> TaskReport:
        planned, running = length_m(task.lines[0]), task.end_ms > self.clock()
        n = i // 2
        missed: tuple[MissedRun, ...] = ()
        status: Verdict = Verdict.MET
        reasons: tuple[str, ...] = ()
        if running:
            status = Verdict.OPEN
            missed = (MissedRun(planned * (0.25 + 0.02 * n), planned, MissedReason.NOT_DRIVEN),)
        elif n % 6 == 2:
            status, reasons = Verdict.NOT_MET, ("low_coverage", "short_duration")
            missed = (MissedRun(600, 920, MissedReason.NOT_WORKING), MissedRun(1500, 1710, MissedReason.TOO_FAST))
        elif n == 28:
            status, reasons = Verdict.NOT_MET, ("no_show", "low_coverage")
            missed = (MissedRun(0, planned, MissedReason.NOT_DRIVEN),)
        elif n == 29:
            status, reasons = Verdict.NOT_JUDGED, ("too_coarse",)
        covered = planned - sum(min(m.to_m, planned) - m.from_m for m in missed)
        worked = covered / planned * 6100
        return TaskReport(
            task.id, task.vehicle, task.operation, task.start_ms, task.end_ms, status, reasons, Evidence.EQUIPMENT,
            worked, 140.0, 0.0, planned, covered, 100 * covered / planned, 1, covered * 1.25 + 400, covered,
            100 * (1 - covered / (covered * 1.25 + 400)), 0.0, 6.4, missed,
        )  # fmt: skip

    async def report(self, task: str) -> TaskReport:
        for day in await self.days():
            for report in await self.reports(day):
                if report.task == task:
                    return report
        raise NotFound(task)

    async def track(self, vehicle: str, day: date) -> Sequence[TrackPoint]:
        points: list[TrackPoint] = []
        for task in await self.tasks(day):
            if task.vehicle == vehicle:
                points += self._drive(task, (await self.report(task.id)).missed)
        return points

    def _drive(self, task: Task, missed: Sequence[MissedRun]) -> list[TrackPoint]:
        line, points = task.lines[0], []
        total = length_m(line)
        off = {MissedReason.NOT_WORKING: "driving", MissedReason.TOO_FAST: "driving"}
        for step in range(620):
            ts_ms = task.start_ms + 300_000 + step * 10_000
            if ts_ms > self.clock():
                break
            along = total * step / 620
            here = (cut(line, 0, max(1.0, along)) or line[:1])[-1]
            run = next((m for m in missed if m.from_m <= along < m.to_m and m.reason in off), None)
            state = "idle" if 150 <= step < 168 else "working" if run is None else off[run.reason]
            if not 300 <= step < 330:
                points.append(TrackPoint(ts_ms, here[1], here[0], 7.5, state, state == "working"))
        return points

    async def zones(self) -> Sequence[Zone]:
        ring = ((114.06, 22.512), (114.064, 22.512), (114.064, 22.515), (114.06, 22.515), (114.06, 22.512))
        return () if self.empty else (Zone(ZoneKind.DEPOT, (ring,), "福田停车场"),)


@dataclass
class FakeLetters:
    async def find(self, reason: str | None, limit: int, cursor: str | None) -> Page[DeadLetter]:
        return Page((), None)


@dataclass
class FakeDirectory:
    known: Sequence[Device]

    async def find(self, kind: str | None, tenant: str | None, limit: int, cursor: str | None) -> Page[Device]:
        found = [d for d in self.known if kind in (None, d.kind) and tenant in (None, d.tenant)]
        start = int(cursor or 0)
        return Page(found[start : start + limit], str(start + limit) if start + limit < len(found) else None)

    async def get(self, key: DeviceKey) -> Device:
        found = next((d for d in self.known if d.key == key), None)
        if found is None:
            raise NotFound(str(key))
        return found

    async def count(self, tenant: str | None) -> Mapping[str, int]:
        return Counter(d.kind for d in self.known if d.enabled and tenant in (None, d.tenant))


@dataclass
class City:
    """The fake sources and the hands to move them with."""

    sources: Sources
    live: Live
    inbox: FakeInbox
    clock: Clock
    devices: Sequence[Device]
    healthy: bool = True

    def report_all(self) -> None:
        """Every device that is not silent sends one reading for now."""
        for kind in KINDS.values():
            told = [
                reading(d, self.clock(), *FAULTS.get(d.id, (None, 0.0)))
                for d in self.devices
                if d.kind == kind.name and d.id not in SILENT
            ]
            if told:
                self.live.update(from_readings(kind, told))

    def columns(self, kind: str) -> Mapping[str, Floats]:
        return self.live.columns(kind)


def make_city(empty: bool = False, language: str = "zh-CN") -> City:
    """A city of 550 devices on a bad evening, or one with nothing in it."""
    clock, live = Clock(), Live(KINDS)
    known = [] if empty else devices()
    inbox = FakeInbox(live, clock)
    districts = json.loads(DISTRICTS.read_text("utf-8"))
    figures = {"messages_per_s": 0.0 if empty else 1284.0, "ingest_lag_ms": 42.0}

    def health() -> Health:
        return Health(True, {"mqtt": "ok", "store": "ok"}, figures)

    store, work = FakeStore(known, clock), FakeWork(clock, empty)
    sources = Sources(
        KINDS, live, store, inbox, work, FakeLetters(), FakeDirectory(known), health,
        lambda: b"", {} if empty else districts, ZONE, language, clock, lambda lat, lon, now_ms: True,
        rules=() if empty else cards(),
    )  # fmt: skip
    city = City(sources, live, inbox, clock, known)
    city.report_all()
    if not empty:
        for made in some_alerts({d.id: d for d in known}):
            inbox.alerts[made.id] = made
    return city
