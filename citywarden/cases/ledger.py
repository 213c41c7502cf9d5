"""The cases of one database: every change is one transaction with its line of history.

Numbers are unique per tenant and one open case per alert is a unique index, not a look-up; a case that somebody else
changed meanwhile is read again and the step is judged anew.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from citywarden.cases import archive, machine, tables
from citywarden.cases.records import case_row, event_row, evidence_row
from citywarden.cases.timetable import Timetable
from citywarden.model.case import Case, CaseEvent, Change, Deed, Evidence, Report
from citywarden.model.errors import CitywardenError, NotFound, Unavailable

R = TypeVar("R")
Moved = tuple[Case, CaseEvent]
TRIES = 20
"""How often a change is tried when others change the same case, or take the same number."""


class AlreadyOpen(CitywardenError):
    """The alert has an open case."""


class _Overtaken(Exception):
    """Somebody else changed the case first."""


class Ledger:
    """All cases of one database. Synchronous; used from one thread at a time. Raises Unavailable when the database
    does not answer; nothing has happened then. `fresh_id` makes ids.
    """

    def __init__(
        self, engine: Engine, table: Timetable, fresh_id: Callable[[], str] = lambda: uuid4().hex
    ) -> None:  # fmt: skip
        self.engine = engine
        self.table = table
        self._fresh_id = fresh_id
        self._seen = self.read(archive.last_event)

    # -- people --------------------------------------------------------------------------------------------------

    def open(self, report: Report, now_ms: int) -> Case:
        """A new case with the next number of its day. Raises AlreadyOpen for an alert that has an open one."""
        for _ in range(TRIES):
            try:
                with self.writing() as connection:
                    return self._open(connection, report, now_ms)
            except IntegrityError:
                if report.alert is not None and (there := self.of_alert(report.alert)) is not None and there.open:
                    raise AlreadyOpen(
                        f"{there.number} is open for this alert already", f"该告警已立案：{there.number}"
                    ) from None
        raise Unavailable("the database gives no number for a new case")

    def open_once(self, report: Report, now_ms: int) -> Case | None:
        """A new case for an alert that never had one, open or ended; else None."""
        assert report.alert is not None
        if self.of_alert(report.alert) is not None:
            return None
        try:
            return self.open(report, now_ms)
        except AlreadyOpen:
            return None

    def take(self, case_id: str, deed: Deed, now_ms: int) -> Case:
        """Take a step. Raises NotFound, Refused."""
        return self._change(case_id, lambda case: machine.take(case, deed, now_ms, self.table))[0]

    def keep(self, evidence: Evidence) -> Evidence:
        """Enter a file that has been stored. Raises NotFound."""

        def entered(case: Case) -> Moved:
            line = CaseEvent(evidence.at_ms, Change.EVIDENCE, case.stage, evidence.by, note=evidence.name)
            return replace(case, updated_ms=evidence.at_ms), line

        self._change(evidence.case, entered, lambda c: c.execute(insert(tables.evidence), evidence_row(evidence)))
        return evidence

    # -- time, and alerts ----------------------------------------------------------------------------------------

    def tick(self, now_ms: int) -> list[Case]:
        """What time does: deadlines that come near or pass, and those that can be counted now. Returns what changed."""
        with self.reading() as connection:
            due, uncounted = archive.due(connection, now_ms), archive.uncounted(connection)
        changed = []
        for case, _ in uncounted:
            if self.table.known_again(case) != case:
                self._quietly(case.id, self.table.known_again)
        for case, _ in due:
            moved = self._change_if(case.id, lambda one: machine.by_time(one, now_ms))
            changed += [moved] if moved is not None else []
        return changed

    def news(self) -> list[Case]:
        """Cases that anybody, this ledger too, changed since it was asked last."""
        with self.reading() as connection:
            found, self._seen = archive.changed_after(connection, self._seen)
        return found

    def alert_over(self, alert: str, now_ms: int) -> Case | None:
        """Note in the open case of an alert that the alert is resolved; None where there is nothing to note."""
        case = self.of_alert(alert)
        return None if case is None else self._change_if(case.id, lambda one: machine.alert_resolved(one, now_ms))

    def mark_alerted(self, cases: Sequence[Case]) -> None:
        """Remember for which running deadlines an alert has been raised."""
        t = tables.case
        with self.writing() as connection:
            for case in cases:
                due_ms = case.deadline.due_ms if case.deadline else None
                connection.execute(update(t).where(t.c.id == case.id).values(alerted_due_ms=due_ms))

    def of_alert(self, alert: str) -> Case | None:
        """The newest case opened out of an alert."""
        with self.reading() as connection:
            found = archive.of_alerts(connection, [alert])
            return archive.read(connection, found[alert])[0] if found else None

    # -- reading -------------------------------------------------------------------------------------------------

    def get(self, ref: str, tenant: str | None = None) -> Case:
        """A case by id or number. Raises NotFound."""
        return self.read(lambda connection: archive.read(connection, ref, tenant)[0])

    def read(self, work: Callable[[Connection], R]) -> R:
        """Run a reading on the database."""
        with self.reading() as connection:
            return work(connection)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise Unavailable(f"database: {error.orig}") from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that changes nothing."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except OperationalError as error:
            raise Unavailable(f"database: {error.orig}") from error

    # -- inside --------------------------------------------------------------------------------------------------

    def _open(self, connection: Connection, report: Report, now_ms: int) -> Case:
        at_ms = now_ms if report.reported_ms is None else report.reported_ms
        day = f"{datetime.fromtimestamp(at_ms / 1000, self.table.calendar.zone):%Y%m%d}"
        case, event = machine.opened(
            report, (self._fresh_id(), _next_number(connection, report.tenant, day)), now_ms, self.table
        )
        connection.execute(insert(tables.case), {**case_row(case), "version": 1})
        connection.execute(insert(tables.event), event_row(case.id, event))
        return case

    def _change(
        self, ref: str, move: Callable[[Case], Moved], also: Callable[[Connection], object] | None = None
    ) -> Moved:
        for _ in range(TRIES):
            try:
                with self.writing() as connection:
                    case, version = archive.read(connection, ref)
                    after, event = move(case)
                    _write(connection, after, version)
                    connection.execute(insert(tables.event), event_row(after.id, event))
                    if also is not None:
                        also(connection)
                    return after, event
            except _Overtaken:
                continue
        raise Unavailable(f"too many others change case {ref} now")

    def _change_if(self, case_id: str, move: Callable[[Case], Moved | None]) -> Case | None:
        """As `_change`, where there may be nothing to change any more."""

        def wanted(case: Case) -> Moved:
            moved = move(case)
            if moved is None:
                raise NotFound(case_id)
            return moved

        try:
            return self._change(case_id, wanted)[0]
        except NotFound:
            return None

    def _quietly(self, case_id: str, move: Callable[[Case], Case]) -> None:
        """A change that is no line of the history."""
        with self.writing() as connection:
            case, version = archive.read(connection, case_id)
            try:
                _write(connection, move(case), version)
            except _Overtaken:
                return


def _write(connection: Connection, case: Case, version: int) -> None:
    t = tables.case
    changed = update(t).where(t.c.id == case.id, t.c.version == version)
    done = connection.execute(changed.values(**case_row(case), version=version + 1))
    if done.rowcount != 1:
        raise _Overtaken


def _next_number(connection: Connection, tenant: str, day: str) -> str:
    """`20261122-0001` and so on; whoever is second finds the number taken and asks again."""
    t = tables.case
    mine = select(t.c.number).where(t.c.tenant == tenant, t.c.number.startswith(f"{day}-"))
    last = connection.execute(mine.order_by(func.length(t.c.number).desc(), t.c.number.desc()).limit(1)).scalar()
    return f"{day}-{int(str(last).rpartition('-')[2]) + 1 if last else 1:04d}"
