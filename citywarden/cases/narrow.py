"""The cases of one tenant: others' do not exist."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from citywarden.cases.narrowed import NarrowedCases
from citywarden.cases.unit import UnitCases
from citywarden.model.alert import Alert
from citywarden.model.case import Case, Deed, Report, Step
from citywarden.model.casedesk import Cases, Listener
from citywarden.model.casequery import Board, CaseQuery, RateRow, Sight
from citywarden.model.errors import NotFound
from citywarden.model.identity import Identity, Role
from citywarden.model.page import Page


class TenantCases(NarrowedCases):
    """A desk that knows one tenant only."""

    def __init__(self, desk: Cases, tenant: str) -> None:
        super().__init__(desk)
        self._tenant = tenant

    @property
    def tenant(self) -> str:
        return self._tenant

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        def mine(changed: Sequence[Case]) -> None:
            if own := [case for case in changed if case.tenant == self._tenant]:
                listener(own)

        return self._desk.subscribe(mine)

    def possible(self, case: Case, role: Role) -> list[Step]:
        return self._desk.possible(case, role)

    def report_of(self, alert: Alert, place: str, by: str) -> Report:
        return replace(self._desk.report_of(alert, place, by), tenant=self._tenant)

    async def open(self, report: Report) -> Case:
        return await self._desk.open(replace(report, tenant=self._tenant))

    async def take(self, case_id: str, deed: Deed) -> Case:
        return await self._desk.take((await self.get(case_id)).id, deed)

    async def get(self, ref: str, tenant: str | None = None) -> Case:
        if tenant not in (None, self._tenant):
            raise NotFound(f"no case {ref!r}")
        return await self._desk.get(ref, self._tenant)

    async def find(self, query: CaseQuery) -> Page[Case]:
        if query.tenant not in (None, self._tenant):
            return Page([], None)
        return await super().find(query)

    async def board(self, tenant: str | None, sight: Sight | None = None) -> Board:
        return await self._desk.board(self._tenant, sight)

    async def rates(
        self, start_ms: int, stop_ms: int, by: str | None = None, tenant: str | None = None,
        sight: Sight | None = None,
    ) -> Sequence[RateRow]:  # fmt: skip
        return await self._desk.rates(start_ms, stop_ms, by, self._tenant, sight)

    async def units(self, tenant: str | None) -> Sequence[str]:
        return await self._desk.units(self._tenant)

    async def of_alert(self, alert: str) -> Case | None:
        found = await self._desk.of_alert(alert)
        return found if found is not None and found.tenant == self._tenant else None

    def narrowed(self, tenant: str) -> "TenantCases":
        """Itself for its own tenant; nobody is narrowed twice."""
        return TenantCases(self, tenant)

    def seen_by(self, who: Identity) -> Cases:
        return UnitCases(self, who) if who.unit else self

    def _mine(self, query: CaseQuery) -> CaseQuery:
        return replace(query, tenant=self._tenant)
