"""Inbox, registry, dead letters and planned work of one tenant."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from citywarden.model.alert import Alert, AlertQuery, Severity
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import NotFound
from citywarden.model.message import DeadLetter, parse_topic
from citywarden.model.page import Page
from citywarden.model.work import Task, TaskReport, TrackPoint, Zone
from dashboards.sources import Directory, Inbox, Letters, WorkDesk

T = TypeVar("T")
CHUNKS = 20
"""Pages of everybody's that are looked through for one of a tenant; it may be short, and still have a next one."""


async def sift(
    read: Callable[[int, str | None], Awaitable[Page[T]]], mine: Callable[[T], bool], limit: int, cursor: str | None
) -> Page[T]:
    """A page of what is `mine`, out of pages that hold everybody's."""
    found: list[T] = []
    for _ in range(CHUNKS):
        page = await read(max(1, limit - len(found)), cursor)
        found += [item for item in page.items if mine(item)]
        cursor = page.next
        if cursor is None or len(found) >= limit:
            break
    return Page(found, cursor)


class TenantInbox:
    """`dashboards.sources.Inbox` of one tenant: others' alerts do not exist."""

    def __init__(self, inbox: Inbox, tenant: str) -> None:
        self._inbox = inbox
        self._tenant = tenant

    async def open(self) -> Sequence[Alert]:
        return [alert for alert in await self._inbox.open() if alert.tenant == self._tenant]

    async def find(self, query: AlertQuery) -> Page[Alert]:
        if query.tenant not in (None, self._tenant):
            return Page([], None)
        return await self._inbox.find(replace(query, tenant=self._tenant))

    async def count(self, query: AlertQuery) -> Mapping[Severity, int]:
        return (
            {}
            if query.tenant not in (None, self._tenant)
            else await self._inbox.count(replace(query, tenant=self._tenant))
        )

    async def get(self, alert_id: str) -> Alert:
        alert = await self._inbox.get(alert_id)
        if alert.tenant != self._tenant:
            raise NotFound(f"no alert {alert_id!r}")
        return alert

    async def acknowledge(self, alert_id: str, by: str, note: str | None) -> Alert:
        await self.get(alert_id)
        return await self._inbox.acknowledge(alert_id, by, note)

    async def resolve(self, alert_id: str, by: str, note: str | None) -> Alert:
        await self.get(alert_id)
        return await self._inbox.resolve(alert_id, by, note)


class TenantLetters:
    """Dead letters on the tenant's topics; what stands on no device's topic is nobody's."""

    def __init__(self, letters: Letters, tenant: str) -> None:
        self._letters = letters
        self._tenant = tenant

    async def find(self, reason: str | None, limit: int, cursor: str | None) -> Page[DeadLetter]:
        def mine(letter: DeadLetter) -> bool:
            address = parse_topic(letter.topic)
            return address is not None and address.tenant == self._tenant

        return await sift(lambda n, at: self._letters.find(reason, n, at), mine, limit, cursor)


class TenantDirectory:
    """The tenant's part of the registry."""

    def __init__(self, directory: Directory, tenant: str) -> None:
        self._directory = directory
        self._tenant = tenant

    async def find(self, kind: str | None, tenant: str | None, limit: int, cursor: str | None) -> Page[Device]:
        if tenant not in (None, self._tenant):
            return Page([], None)
        return await self._directory.find(kind, self._tenant, limit, cursor)

    async def get(self, key: DeviceKey) -> Device:
        if key.tenant != self._tenant:
            raise NotFound(f"no {key.kind} {key.id!r} of tenant {key.tenant!r}")
        return await self._directory.get(key)

    async def count(self, tenant: str | None) -> Mapping[str, int]:
        return {} if tenant not in (None, self._tenant) else await self._directory.count(self._tenant)


class TenantWork:
    """The tenant's tasks. Zones are the city's."""

    def __init__(self, work: WorkDesk, tenant: str) -> None:
        self._work = work
        self._tenant = tenant

    async def days(self) -> Sequence[date]:
        return await self._work.days()

    async def tasks(self, day: date) -> Sequence[Task]:
        return [task for task in await self._work.tasks(day) if task.tenant == self._tenant]

    async def reports(self, day: date) -> Sequence[TaskReport]:
        mine = {task.id for task in await self.tasks(day)}
        return [report for report in await self._work.reports(day) if report.task in mine] if mine else []

    async def report(self, task: str) -> TaskReport:
        report = await self._work.report(task)
        if not await self.owns(report):
            raise NotFound(f"no task {task}")
        return report

    async def track(self, vehicle: str, day: date) -> Sequence[TrackPoint]:
        """Of a vehicle that has a task of the tenant's that day: tracks name no tenant."""
        tasks = await self.tasks(day)
        return await self._work.track(vehicle, day) if any(task.vehicle == vehicle for task in tasks) else ()

    async def zones(self) -> Sequence[Zone]:
        return await self._work.zones()

    async def owns(self, report: TaskReport) -> bool:
        """Is it the report of a task of the tenant's? A task stands on the day its window begins, by some zone."""
        began = datetime.fromtimestamp(report.start_ms / 1000, UTC).date()
        days = [began + timedelta(days=shift) for shift in (0, 1, -1)]
        return any([report.task in {task.id for task in await self.tasks(day)} for day in days])
