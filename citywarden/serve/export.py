"""Alerts and judged work as points in the store, for the dashboards; a store that is down delays no alert."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice

from citywarden.alerts.desk import AsyncDesk
from citywarden.alerts.point import alert_point
from citywarden.live import Live
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import Unavailable
from citywarden.model.work import TaskReport
from citywarden.store.contract import Point, Store
from rules.engine import VEHICLE

WORK = "work"
BATCH = 1000

_log = logging.getLogger(__name__)


def work_point(report: TaskReport, tenant: str, vehicle: Device | None) -> Point:
    """One judged task at the end of its window; written again when it is judged anew. Every number is a float: a store
    that has seen a whole number in a field refuses others there.
    """
    tags = {
        "tenant": tenant,
        "device": report.vehicle,
        "district": vehicle.district if vehicle else "",
        "owner": vehicle.owner if vehicle else "",
        "task": report.task,
        "operation": str(report.operation),
    }
    fields: dict[str, float | int | bool | str] = {
        "status": str(report.status),
        "met": report.status == "met",
        "evidence": str(report.evidence),
        "reasons": ",".join(report.reasons),
        "work_duration_s": float(report.work_duration_s),
        "idle_in_work_s": float(report.idle_in_work_s),
        "unknown_s": float(report.unknown_s),
        "planned_m": float(report.planned_m),
        "covered_m": float(report.covered_m),
        "coverage_pct": float(report.coverage_pct),
        "passes": float(report.passes),
        "driven_m": float(report.driven_m),
        "effective_m": float(report.effective_m),
        "empty_running_pct": float(report.empty_running_pct),
        "overspeed_s": float(report.overspeed_s),
        "missed_m": sum((run.length_m for run in report.missed), 0.0),
    }
    return Point(WORK, tags, report.end_ms, fields)


MOST_WAITING = 500_000
"""Points kept for a store that is away; alerts are offered again at the next start."""


@dataclass(slots=True)
class Exporter:
    """Points that wait to be written; the newest version of each stays. What is lost in a crash is offered again at
    start, from the alerts' database and the rules' memory.
    """

    store: Store
    _waiting: dict[tuple[object, ...], Point] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def offer(self, points: Iterable[Point]) -> None:
        for point in points:
            self._waiting[(point.measurement, point.ts_ms, *sorted(point.tags.items()))] = point
        if (beyond := len(self._waiting) - MOST_WAITING) > 0:
            _log.warning("the store is away: %d points that wait for it are dropped, the oldest first", beyond)
            for key in list(islice(self._waiting, beyond)):
                del self._waiting[key]

    async def flush(self) -> int:
        """Write what waits; what the store does not take now stays. Returns how many were written."""
        written = 0
        while self._waiting:
            keys = list(islice(self._waiting, BATCH))
            points = [self._waiting[key] for key in keys]
            try:
                await self.store.write_points(points)
            except Unavailable:
                return written
            except ValueError as error:  # refused for good, as is an alert that is older than the store keeps
                _log.warning("%s", error)
            for key, point in zip(keys, points, strict=True):
                if self._waiting.get(key) is point:
                    del self._waiting[key]
            written += len(points)
        return written


async def open_exporter(store: Store, alerts: AsyncDesk, live: Live) -> Exporter:
    """Alerts go to the store and to whoever looks at the live picture, first of all those that are open."""
    exporter = Exporter(store)
    exporter.offer(alert_point(alert) for alert in await alerts.open())
    alerts.subscribe(lambda changed: exporter.offer(map(alert_point, changed)))
    alerts.subscribe(live.tell_all)
    return exporter


def vehicle_of(lookup: Callable[[DeviceKey], Device | None], tenant: str, vehicle: str) -> Device | None:
    """The registered vehicle, if any."""
    return lookup(DeviceKey(tenant, VEHICLE, vehicle))
