"""The cases as one event loop sees them: every call runs on one thread, one after the other."""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar
from uuid import uuid4

from sqlalchemy import Connection, func, select

from citywarden.cases import archive, exchange, machine, rates, tables
from citywarden.cases.evidence import EvidenceStore, shown_name
from citywarden.cases.ledger import Ledger
from citywarden.cases.narrow import TenantCases
from citywarden.cases.openings import report_of
from citywarden.cases.rates import By
from citywarden.cases.timetable import Timetable
from citywarden.cases.unit import UnitCases
from citywarden.model.alert import Alert
from citywarden.model.case import Case, CaseEvent, Category, Deed, Evidence, Place, Report, Step, Why
from citywarden.model.casedesk import Cases, Listener
from citywarden.model.casequery import Board, CaseQuery, RateRow, Sight
from citywarden.model.casetime import Deadline
from citywarden.model.errors import CitywardenError, NotFound
from citywarden.model.identity import Identity, Role
from citywarden.model.page import Page
from citywarden.model.unit import proper

P = ParamSpec("P")
R = TypeVar("R")
MOST_TOLD = 10_000
MOST_FILES = 100
"""Files kept with one case at most."""


class CaseDesk:
    """The ledger and the evidence for one event loop. `clock_ms`: server time; `tenant`: whose a case is by default;
    `staffed`: the units that people belong to (who see a tenant).

    Listeners hear of what is committed, also by other processes.
    """

    def __init__(
        self, ledger: Ledger, evidence: EvidenceStore, clock_ms: Callable[[], int], tenant: str = "city",
        staffed: Callable[[Connection, str | None], Sequence[str]] = lambda _connection, _tenant: (),
    ) -> None:  # fmt: skip
        self.ledger = ledger
        self.store = evidence
        self._clock_ms = clock_ms
        self._staffed = staffed
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cases")
        self._listeners: list[Listener] = []
        self._told: dict[str, int] = {}
        self.tenant = tenant

    @property
    def table(self) -> Timetable:
        return self.ledger.table

    @property
    def categories(self) -> Sequence[Category]:
        """The kinds of cases, in the table's order."""
        return list(self.table.categories.values())

    @property
    def largest_file(self) -> int:
        """Bytes that one file may have."""
        return self.store.largest

    def narrowed(self, tenant: str) -> TenantCases:
        """The desk of one tenant."""
        return TenantCases(self, tenant)

    def seen_by(self, who: Identity) -> Cases:
        """See `Cases.seen_by`."""
        return UnitCases(self, who) if who.unit else self

    def report_of(self, alert: Alert, place: str, by: str) -> Report:
        """See `openings.report_of`."""
        return report_of(alert, place, self.table, by)

    def export(self, query: CaseQuery, content: bool = False) -> Iterator[bytes]:
        """See `exchange.export`; with the files' content where it is wanted. May be read on any thread."""
        read = exchange.contents(self.store) if content else lambda _one: None
        return exchange.export(self.ledger, query, self._clock_ms(), read)

    def clean(self) -> int:
        """Drop files that belong to no case and what a crash left half-written; returns how many. Once, at start."""
        e = tables.evidence
        used = self.ledger.read(lambda connection: set(connection.execute(select(e.c.sha256)).scalars()))
        return self.store.clear_partial() + self.store.sweep(used, self._clock_ms() / 1000)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called on the event loop with cases that just changed; returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # -- people --------------------------------------------------------------------------------------------------

    async def open(self, report: Report) -> Case:
        """See `Ledger.open`. Raises CitywardenError for a category that the table does not have."""
        if report.category not in self.table.categories:
            raise CitywardenError(
                f"no category {report.category!r}, expected one of {', '.join(self.table.categories)}",
                f"没有案件类别“{report.category}”",
            )
        return (await self._change(lambda now_ms: [self.ledger.open(report, now_ms)]))[0]

    async def open_once(self, report: Report) -> Case | None:
        """See `Ledger.open_once`."""

        def once(now_ms: int) -> list[Case]:
            made = self.ledger.open_once(report, now_ms)
            return [] if made is None else [made]

        return next(iter(await self._change(once)), None)

    async def take(self, case_id: str, deed: Deed) -> Case:
        """See `Ledger.take`; a unit may be called by one half of its name."""
        if deed.unit:
            deed = replace(deed, unit=proper(deed.unit, await self.units((await self.get(case_id)).tenant)))
        return (await self._change(lambda now_ms: [self.ledger.take(case_id, deed, now_ms)]))[0]

    async def attach(self, case: Case, chunks: AsyncIterable[bytes], name: str, place: Place, by: str) -> Evidence:
        """Store a file with a case. Raises NotAccepted; nothing is left then."""
        if len(await self.evidence(case.id)) >= MOST_FILES:
            raise CitywardenError(
                f"{case.number} has {MOST_FILES} files already", f"案件已有 {MOST_FILES} 个附件，不能再添加"
            )
        stored = await self.store.take(chunks)
        one = Evidence(
            uuid4().hex, case.id, stored.sha256, shown_name(name, stored.type), stored.type, stored.size, place, by,
            self._clock_ms(),
        )  # fmt: skip

        def keep(_now_ms: int) -> list[Case]:
            try:
                self.ledger.keep(one)
            except CitywardenError:
                self.store.drop(stored.sha256, self._used)
                raise
            return [self.ledger.get(case.id)]

        await self._change(keep)
        return one

    async def tick(self) -> Sequence[Case]:
        """See `Ledger.tick`; listeners hear of what other processes did, too."""
        changed = await self._change(self.ledger.tick)
        news = [case for case in await self.run(self.ledger.news) if self._told.get(case.id) != case.updated_ms]
        self._tell(news)
        return [*changed, *news]

    async def alert_over(self, alert: str) -> Case | None:
        """See `Ledger.alert_over`."""

        def over(now_ms: int) -> list[Case]:
            changed = self.ledger.alert_over(alert, now_ms)
            return [] if changed is None else [changed]

        return next(iter(await self._change(over)), None)

    # -- questions -----------------------------------------------------------------------------------------------

    def possible(self, case: Case, role: Role) -> list[Step]:
        """The steps that somebody with this role can take now."""
        return machine.possible(case, role)

    def needs(self, step: Step) -> Role:
        """The role that a step needs."""
        return machine.RULES[step].role

    def reasons(self, step: Step) -> list[Why]:
        """The reasons a step may give; one is needed where there are any."""
        return [why for why in Why if why in machine.RULES[step].reasons]

    def left_ms(self, deadline: Deadline) -> int | None:
        """See `Timetable.left_ms`."""
        return self.table.left_ms(deadline, self._clock_ms())

    async def get(self, ref: str, tenant: str | None = None) -> Case:
        """A case by id or number. Raises NotFound."""
        return await self.run(self.ledger.get, ref, tenant)

    async def find(self, query: CaseQuery) -> Page[Case]:
        """Cases that match, changed last first."""
        return await self.read(partial(archive.find, query=query, now_ms=self._clock_ms()))

    async def history(self, case_id: str) -> Sequence[CaseEvent]:
        """Oldest first."""
        return await self.read(partial(archive.history, case_id=case_id))

    async def evidence(self, case_id: str) -> Sequence[Evidence]:
        """Oldest first."""
        return await self.read(partial(archive.evidence, case_id=case_id))

    async def file(self, case_id: str, evidence_id: str) -> tuple[Evidence, Path]:
        """A file of a case and where it is. Raises NotFound."""
        found = next((one for one in await self.evidence(case_id) if one.id == evidence_id), None)
        if found is None:
            raise NotFound(f"no evidence {evidence_id!r}")
        return found, self.store.path(found.sha256)

    async def board(self, tenant: str | None, sight: Sight | None = None) -> Board:
        """How many open cases stand where, and how many were closed today."""
        now_ms = self._clock_ms()
        today = datetime.fromtimestamp(now_ms / 1000, self.table.calendar.zone)
        today_ms = round(today.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)
        return await self.read(partial(archive.board, tenant=tenant, now_ms=now_ms, today_ms=today_ms, sight=sight))

    async def rates(
        self, start_ms: int, stop_ms: int, by: str | None = None, tenant: str | None = None,
        sight: Sight | None = None,
    ) -> Sequence[RateRow]:  # fmt: skip
        """See `rates.count`. `by`: unit, district, category, or None for all."""
        group = None if by is None else By(by)
        return await self.read(
            partial(rates.count, start_ms=start_ms, stop_ms=stop_ms, by=group, tenant=tenant, sight=sight)
        )

    async def units(self, tenant: str | None) -> Sequence[str]:
        """Units of the table, those that people belong to, and those that had a case."""
        return await self.read(partial(self.known_units, tenant=tenant))

    def known_units(self, connection: Connection, tenant: str | None) -> list[str]:
        """As `units`, on a connection."""
        planned = [category.unit for category in self.categories if category.unit]
        return list(dict.fromkeys([*planned, *self._staffed(connection, tenant), *archive.units(connection, tenant)]))

    async def of_alert(self, alert: str) -> Case | None:
        """The newest case opened out of an alert."""
        return await self.run(self.ledger.of_alert, alert)

    # -- inside --------------------------------------------------------------------------------------------------

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` on the desk's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **kwargs))

    async def read(self, work: Callable[[Connection], R]) -> R:
        """See `Ledger.read`."""
        return await self.run(self.ledger.read, work)

    async def close(self) -> None:
        """Wait for what is under way; nothing may be called any more."""
        await asyncio.to_thread(self._thread.shutdown)

    def _used(self, sha256: str) -> bool:
        e = tables.evidence
        counted = select(func.count()).where(e.c.sha256 == sha256)
        return bool(self.ledger.read(lambda connection: connection.execute(counted).scalar_one()))

    async def _change(self, work: Callable[[int], list[Case]]) -> list[Case]:
        # A caller that is cancelled must not keep the listeners from hearing of what is committed all the same.
        return await asyncio.shield(self._change_and_tell(work))

    async def _change_and_tell(self, work: Callable[[int], list[Case]]) -> list[Case]:
        changed = await self.run(work, self._clock_ms())
        self._tell(changed)
        return changed

    def _tell(self, changed: Sequence[Case]) -> None:
        if len(self._told) > MOST_TOLD:
            self._told.clear()
        self._told |= {case.id: case.updated_ms for case in changed}
        for listener in tuple(self._listeners) if changed else ():
            listener(changed)
