"""The cases' side of the server: desk and evidence, cases out of alerts, deadlines by timer, points for the store."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import Engine

from citywarden.access import users
from citywarden.alerts.desk import AsyncDesk
from citywarden.cases import archive
from citywarden.cases.desk import CaseDesk
from citywarden.cases.evidence import EvidenceStore
from citywarden.cases.ledger import Ledger
from citywarden.cases.openings import OVERDUE, Openings, in_time_finding, overdue_finding, report_of
from citywarden.cases.point import case_point
from citywarden.cases.tablefile import DEFAULT, default_table, parse_table
from citywarden.cases.timetable import Timetable
from citywarden.model.alert import Alert, Severity, Status
from citywarden.model.casequery import CaseQuery
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import CitywardenError, ConfigurationError, NotFound, Problem, Unavailable
from citywarden.sections import Settings
from citywarden.serve.export import Exporter

TICK_S = 1.0
WAITING_LIMIT = 10_000
"""Alerts that wait to be looked at; beyond it the open ones are read anew."""

_log = logging.getLogger(__name__)
Lookup = Callable[[DeviceKey], Device | None]


def table_of(settings: Settings) -> Timetable:
    """The table of deadlines in force. Raises ConfigurationError naming everything that is wrong."""
    file = settings.cases.table
    if file is None:
        return parse_table(default_table(), DEFAULT, settings.zone)
    try:
        return parse_table(file.read_text("utf-8"), str(file), settings.zone)
    except OSError as error:
        what = f"{error.strerror or 'cannot be read'}, expected a readable file (cases.table)"
        raise ConfigurationError([Problem(str(file), None, "", what)]) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError([Problem(str(file), None, "", f"is not UTF-8: {error.reason}")]) from None


def evidence_of(settings: Settings) -> EvidenceStore:
    """Where evidence is kept."""
    return EvidenceStore(settings.evidence_path, settings.cases.evidence_mb << 20)


def case_desk(settings: Settings, engine: Engine, clock_ms: Callable[[], int]) -> CaseDesk:
    """The desk over the server's database and data folder. Raises ConfigurationError."""
    ledger = Ledger(engine, table_of(settings))
    return CaseDesk(ledger, evidence_of(settings), clock_ms, settings.tenant, users.units)


class CaseWork:
    """What the server does about cases by itself, beside what people do."""

    def __init__(
        self, settings: Settings, desk: CaseDesk, alerts: AsyncDesk, lookup: Lookup, clock_ms: Callable[[], int]
    ) -> None:
        wanted = settings.cases
        self.desk = desk
        self._openings = Openings(wanted.from_alerts, Severity[wanted.from_severity.upper()])
        self._overdue_alerts = wanted.overdue_alerts
        self._alerts = alerts
        self._lookup = lookup
        self._clock_ms = clock_ms
        self._waiting: list[Alert] = []
        self._missed = True
        alerts.subscribe(self._hear)

    def tell(self, exporter: Exporter) -> None:
        """Have every change of a case written to the store."""
        self.desk.subscribe(lambda changed: exporter.offer(map(case_point, changed)))

    async def offer_open(self, exporter: Exporter) -> None:
        """Offer the open cases again: what a crash kept from the store is made good."""
        cursor: str | None = None
        while True:
            page = await self.desk.find(CaseQuery(open=True, limit=1000, cursor=cursor))
            exporter.offer(map(case_point, page.items))
            cursor = page.next
            if cursor is None:
                return

    async def run(self) -> None:
        """Until cancelled: open and annotate cases as alerts come and go, watch the deadlines."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                self._missed = True
                _log.warning("cases cannot be attended to now: %s", error)
            await asyncio.sleep(TICK_S)

    async def look(self) -> None:
        """Once: alerts that changed, then deadlines, then the alerts about them."""
        waiting, self._waiting = self._waiting, []
        if self._missed:
            waiting = [*await self._alerts.open(), *await self._resolved_meanwhile(), *waiting]
            self._missed = False
        for alert in waiting:
            await self._attend(alert)
        await self.desk.tick()
        if self._overdue_alerts:
            await self._tell_overdue()

    def _hear(self, changed: Sequence[Alert]) -> None:
        if len(self._waiting) + len(changed) > WAITING_LIMIT:
            self._waiting.clear()
            self._missed = True
        else:
            self._waiting.extend(changed)

    async def _attend(self, alert: Alert) -> None:
        if alert.status is Status.RESOLVED:
            await self.desk.alert_over(alert.id)
        elif self._openings.fits(alert):
            device = self._lookup(DeviceKey(alert.tenant, alert.kind, alert.subject.partition("/")[0]))
            place = (device.name or device.id) if device else alert.subject
            try:
                await self.desk.open_once(report_of(alert, place, self.desk.table))
            except CitywardenError as error:
                if isinstance(error, Unavailable):
                    raise
                _log.warning("no case for alert %s: %s", alert.id, error)

    async def _resolved_meanwhile(self) -> list[Alert]:
        """Resolved alerts of open cases that do not know it yet, after a time in which nobody listened."""
        found: list[Alert] = []
        cursor: str | None = None
        while True:
            page = await self.desk.find(CaseQuery(open=True, limit=1000, cursor=cursor))
            for case in page.items:
                if case.alert is not None and case.alert_resolved_ms is None:
                    try:
                        alert = await self._alerts.get(case.alert)
                    except NotFound:
                        continue
                    found += [alert] if alert.status is Status.RESOLVED else []
            cursor = page.next
            if cursor is None:
                return found

    async def _tell_overdue(self) -> None:
        """Raise an alert for every case that has become overdue, clear those of cases that no longer are.

        The alert is raised before the case remembers it, so that a crash in between raises it again: the desk keeps
        one. Whoever resolves such an alert by hand is not told again of the same deadline.
        """
        now_ms = self._clock_ms()
        fresh = await self.desk.read(partial(archive.unalerted, now_ms=now_ms))
        told = [alert for alert in await self._alerts.open() if alert.rule == OVERDUE]
        cleared = []
        if told:
            numbers = [alert.subject for alert in told]
            late = await self.desk.read(partial(archive.still_overdue, numbers=numbers, now_ms=now_ms))
            cleared = [alert for alert in told if (alert.tenant, alert.subject) not in late]
        findings = [overdue_finding(case, self.desk.table, now_ms) for case in fresh]
        findings += [in_time_finding(alert, now_ms) for alert in cleared]
        if findings:
            await self._alerts.apply(findings, now_ms, {})
        if fresh:
            await self.desk.run(self.desk.ledger.mark_alerted, fresh)
