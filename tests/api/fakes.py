"""Sources of the API and the console, held in memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeVar
from zoneinfo import ZoneInfo

from citywarden.live import Live
from citywarden.model.alert import Alert, AlertQuery, Severity, Status
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import NotFound
from citywarden.model.message import DeadLetter
from citywarden.model.page import Page
from citywarden.model.work import Evidence, Operation, Task, TaskReport, TrackPoint, Verdict, Zone
from dashboards.sources import Health, Sources
from tests.builders import KINDS, NOON_MS
from tests.store.twin import MemoryStore

T = TypeVar("T")
TODAY = date(2026, 11, 23)


def cut(items: Sequence[T], limit: int, cursor: str | None) -> Page[T]:
    """A page of `items`; the cursor is how many went before."""
    end = int(cursor or 0) + limit
    return Page(items[end - limit : end], str(end) if len(items) > end else None)


class FakeInbox:
    def __init__(self, alerts: Sequence[Alert] = ()) -> None:
        self.alerts = {alert.id: alert for alert in alerts}

    async def open(self) -> Sequence[Alert]:
        return sorted((a for a in self.alerts.values() if a.open), key=lambda a: (-a.severity, -a.raised_ms))

    async def find(self, query: AlertQuery) -> Page[Alert]:
        found = [
            a
            for a in self.alerts.values()
            if query.status in (None, a.status)
            and query.rule in (None, a.rule)
            and query.severity in (None, a.severity)
            and query.tenant in (None, a.tenant)
            and (query.since_ms is None or a.updated_ms >= query.since_ms)
        ]
        return cut(found, query.limit, query.cursor)

    async def count(self, query: AlertQuery) -> Mapping[Severity, int]:
        everything = await self.find(replace(query, severity=None, cursor=None, limit=1_000_000))
        return Counter(alert.severity for alert in everything.items)

    async def get(self, alert_id: str) -> Alert:
        if alert_id not in self.alerts:
            raise NotFound(f"no alert {alert_id!r}")
        return self.alerts[alert_id]

    async def acknowledge(self, alert_id: str, by: str, note: str | None) -> Alert:
        alert = await self.get(alert_id)
        self.alerts[alert_id] = replace(alert, status=Status.ACKNOWLEDGED, acknowledged_by=by, note=note)
        return self.alerts[alert_id]

    async def resolve(self, alert_id: str, by: str, note: str | None) -> Alert:
        alert = await self.get(alert_id)
        self.alerts[alert_id] = replace(
            alert, status=Status.RESOLVED, resolved_ms=NOON_MS, reason="by_hand", acknowledged_by=by, note=note
        )
        return self.alerts[alert_id]


class FakeDesk:
    def __init__(self, tasks: Sequence[Task] = (), reports: Sequence[TaskReport] = ()) -> None:
        self.planned = tasks
        self.judged = {report.task: report for report in reports}

    async def days(self) -> Sequence[date]:
        return sorted({task.day for task in self.planned})

    async def tasks(self, day: date) -> Sequence[Task]:
        return [task for task in self.planned if task.day == day]

    async def reports(self, day: date) -> Sequence[TaskReport]:
        return [self.judged[task.id] for task in await self.tasks(day) if task.id in self.judged]

    async def report(self, task: str) -> TaskReport:
        if task not in self.judged:
            raise NotFound(f"no task {task!r}")
        return self.judged[task]

    async def track(self, vehicle: str, day: date) -> Sequence[TrackPoint]:
        return []

    async def zones(self) -> Sequence[Zone]:
        return []


class FakeLetters:
    def __init__(self, letters: Sequence[DeadLetter] = ()) -> None:
        self.letters = letters

    async def find(self, reason: str | None, limit: int, cursor: str | None) -> Page[DeadLetter]:
        found = [letter for letter in self.letters if reason in (None, letter.reason)]
        return cut(found, limit, cursor)


class FakeDirectory:
    def __init__(self, devices: Sequence[Device] = ()) -> None:
        self.devices = {device.key: device for device in devices}

    async def find(self, kind: str | None, tenant: str | None, limit: int, cursor: str | None) -> Page[Device]:
        found = [d for d in self.devices.values() if kind in (None, d.kind) and tenant in (None, d.tenant)]
        return cut(found, limit, cursor)

    async def get(self, key: DeviceKey) -> Device:
        if key not in self.devices:
            raise NotFound(f"no device {key}")
        return self.devices[key]

    async def count(self, tenant: str | None) -> Mapping[str, int]:
        return Counter(d.kind for d in self.devices.values() if d.enabled and tenant in (None, d.tenant))


def alert(name: str = "a1", **known: object) -> Alert:
    facts: dict[str, object] = {
        "tenant": "t",
        "rule": "gas.methane",
        "kind": "gas",
        "subject": "g1",
        "severity": Severity.CRITICAL,
        "status": Status.FIRING,
        "reason": "threshold",
        "raised_ms": NOON_MS,
        "updated_ms": NOON_MS,
        "value": 55.0,
        "unit": "%LEL",
        "threshold": 50.0,
        "lat": 22.5431,
        "lon": 114.0579,
        "summary": {"zh-CN": "甲烷 55 %LEL", "en": "Methane 55 %LEL"},
    }
    return Alert(id=name, **(facts | known))  # type: ignore[arg-type]


def task(which: str = "T1@2026-11-23", **known: object) -> Task:
    facts: dict[str, object] = {
        "name": "T1",
        "vehicle": "v1",
        "operation": Operation.SWEEP,
        "lines": (((114.05, 22.54), (114.06, 22.54)),),
        "start_ms": NOON_MS,
        "end_ms": NOON_MS + 3_600_000,
        "day": TODAY,
        "tenant": "t",
    }
    return Task(id=which, **(facts | known))  # type: ignore[arg-type]


def report(name: str = "T1@2026-11-23", **known: object) -> TaskReport:
    facts: dict[str, object] = {
        "vehicle": "v1",
        "operation": Operation.SWEEP,
        "start_ms": NOON_MS,
        "end_ms": NOON_MS + 3_600_000,
        "status": Verdict.NOT_MET,
        "reasons": ("coverage",),
        "evidence": Evidence.EQUIPMENT,
        "work_duration_s": 450.0,
        "idle_in_work_s": 60.0,
        "unknown_s": 0.0,
        "planned_m": 1000.0,
        "covered_m": 800.0,
        "coverage_pct": 80.0,
        "passes": 1,
        "driven_m": 1200.0,
        "effective_m": 800.0,
        "empty_running_pct": 33.3,
        "overspeed_s": 0.0,
        "max_deviation_m": 4.5,
        "missed": (),
    }
    return TaskReport(task=name, **(facts | known))  # type: ignore[arg-type]


def sources(**known: object) -> Sources:
    """Empty sources at noon of 2026-11-23 in Shenzhen, but for what is `known`."""
    facts: dict[str, object] = {
        "kinds": KINDS,
        "live": Live(KINDS),
        "store": MemoryStore(KINDS),
        "alerts": FakeInbox(),
        "work": FakeDesk(),
        "letters": FakeLetters(),
        "devices": FakeDirectory(),
        "health": lambda: Health(True, {"store": "ok"}, {"messages": 3.0}),
        "metrics": lambda: b"# HELP up One while the server runs\n# TYPE up gauge\nup 1.0\n",
        "districts": {"type": "FeatureCollection", "features": []},
        "timezone": ZoneInfo("Asia/Shanghai"),
        "language": "en",
        "now_ms": lambda: NOON_MS,
        "is_night": lambda _lat, _lon, _ms: False,
    }
    return Sources(**(facts | known))  # type: ignore[arg-type]
