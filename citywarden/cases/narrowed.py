"""What every narrower view of a desk of cases has in common: a case is looked up as one that is seen here first."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Iterator, Sequence
from pathlib import Path

from citywarden.model.case import Case, CaseEvent, Category, Evidence, Place, Step, Why
from citywarden.model.casedesk import Cases
from citywarden.model.casequery import CaseQuery
from citywarden.model.casetime import Deadline
from citywarden.model.identity import Role
from citywarden.model.page import Page


class NarrowedCases(ABC):
    """A desk that knows some of another desk's cases only; the others do not exist."""

    def __init__(self, desk: Cases) -> None:
        self._desk = desk

    @abstractmethod
    async def get(self, ref: str, tenant: str | None = None) -> Case:
        """Raises NotFound, also for a case that is not seen here."""

    @abstractmethod
    def _mine(self, query: CaseQuery) -> CaseQuery:
        """The query for what is seen here."""

    @property
    def categories(self) -> Sequence[Category]:
        return self._desk.categories

    @property
    def largest_file(self) -> int:
        return self._desk.largest_file

    def needs(self, step: Step) -> Role:
        return self._desk.needs(step)

    def reasons(self, step: Step) -> list[Why]:
        return self._desk.reasons(step)

    def left_ms(self, deadline: Deadline) -> int | None:
        return self._desk.left_ms(deadline)

    def export(self, query: CaseQuery, content: bool = False) -> Iterator[bytes]:
        return self._desk.export(self._mine(query), content)

    async def attach(self, case: Case, chunks: AsyncIterable[bytes], name: str, place: Place, by: str) -> Evidence:
        return await self._desk.attach(await self.get(case.id), chunks, name, place, by)

    async def find(self, query: CaseQuery) -> Page[Case]:
        return await self._desk.find(self._mine(query))

    async def history(self, case_id: str) -> Sequence[CaseEvent]:
        return await self._desk.history((await self.get(case_id)).id)

    async def evidence(self, case_id: str) -> Sequence[Evidence]:
        return await self._desk.evidence((await self.get(case_id)).id)

    async def file(self, case_id: str, evidence_id: str) -> tuple[Evidence, Path]:
        return await self._desk.file((await self.get(case_id)).id, evidence_id)
