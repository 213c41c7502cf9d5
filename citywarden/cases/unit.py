"""The cases as somebody of a unit has them: those that are with the unit, and what that somebody reported.

A unit does the work, and neither gives it out nor checks it: whatever the role, these are its steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from citywarden.cases.narrowed import NarrowedCases
from citywarden.model.access import Forbidden
from citywarden.model.alert import Alert
from citywarden.model.case import Case, Deed, Report, Step
from citywarden.model.casedesk import Cases, Listener
from citywarden.model.casequery import Board, CaseQuery, RateRow, Sight
from citywarden.model.errors import NotFound
from citywarden.model.identity import Identity, Role

WORK = frozenset({Step.BEGIN, Step.FINISH, Step.ASK_EXTENSION})
"""What is done in the unit's name."""
STEPS = WORK | {Step.NOTE}


class UnitCases(NarrowedCases):
    """A desk that knows the cases of one unit, for one of its people."""

    def __init__(self, desk: Cases, who: Identity) -> None:
        super().__init__(desk)
        self._who = who
        self._sight = Sight(who.unit, who.name)

    @property
    def tenant(self) -> str:
        return self._desk.tenant

    def seen_by(self, who: Identity) -> Cases:
        """Itself; nobody is narrowed twice."""
        return self

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        known: set[str] = set()

        def mine(changed: Sequence[Case]) -> None:
            # What has just been given to another unit changes what is seen here, once.
            own = [case for case in changed if self._sight.covers(case) or case.id in known]
            known.difference_update(case.id for case in own)
            known.update(case.id for case in own if self._sight.covers(case) and case.open)
            if own:
                listener(own)

        return self._desk.subscribe(mine)

    def possible(self, case: Case, role: Role) -> list[Step]:
        allowed = STEPS if case.unit == self._who.unit else {Step.NOTE}
        return [step for step in self._desk.possible(case, role) if step in allowed]

    def report_of(self, alert: Alert, place: str, by: str) -> Report:
        return self._desk.report_of(alert, place, by)

    async def open(self, report: Report) -> Case:
        return await self._desk.open(report)

    async def take(self, case_id: str, deed: Deed) -> Case:
        """Raises Forbidden for a step that is not the unit's, and in another unit's name."""
        who, case = self._who, await self.get(case_id)
        if deed.step not in STEPS:
            raise Forbidden(
                f"{who.name} belongs to {who.unit}: {deed.step} is not a unit's step",
                "处置单位只能开始处置、完成处置、申请延期和备注",
            )
        if deed.unit not in ("", who.unit):
            raise Forbidden(f"{who.name} belongs to {who.unit}, not to {deed.unit}", "不能以其他单位的名义处置")
        return await self._desk.take(case.id, replace(deed, unit=who.unit if deed.step in WORK else ""))

    async def get(self, ref: str, tenant: str | None = None) -> Case:
        case = await self._desk.get(ref, tenant)
        if not self._sight.covers(case):
            raise NotFound(f"no case {ref!r}")
        return case

    async def board(self, tenant: str | None, sight: Sight | None = None) -> Board:
        return await self._desk.board(tenant, self._sight)

    async def rates(
        self, start_ms: int, stop_ms: int, by: str | None = None, tenant: str | None = None,
        sight: Sight | None = None,
    ) -> Sequence[RateRow]:  # fmt: skip
        return await self._desk.rates(start_ms, stop_ms, by, tenant, self._sight)

    async def units(self, tenant: str | None) -> Sequence[str]:
        return [self._who.unit]

    async def of_alert(self, alert: str) -> Case | None:
        found = await self._desk.of_alert(alert)
        return found if found is not None and self._sight.covers(found) else None

    def _mine(self, query: CaseQuery) -> CaseQuery:
        return replace(query, sight=self._sight)
