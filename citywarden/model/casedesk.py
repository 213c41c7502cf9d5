"""What pages and programs do with cases: the desk as everybody outside the room sees it."""

from collections.abc import AsyncIterable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from citywarden.model.alert import Alert
from citywarden.model.case import Case, CaseEvent, Category, Deed, Evidence, Place, Report, Step, Why
from citywarden.model.casequery import Board, CaseQuery, RateRow, Sight
from citywarden.model.casetime import Deadline
from citywarden.model.identity import Identity, Role
from citywarden.model.page import Page

Listener = Callable[[Sequence[Case]], None]


class Cases(Protocol):
    """The cases. Raises NotFound for an unknown id or number, CitywardenError for what is not possible now."""

    @property
    def tenant(self) -> str:
        """Whose case it is when nobody says."""

    @property
    def categories(self) -> Sequence[Category]: ...
    @property
    def largest_file(self) -> int:
        """Bytes that one file may have."""

    def seen_by(self, who: Identity) -> "Cases":
        """The desk as somebody sees it: of a unit only what is the unit's business, of none all of it."""

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called on the event loop with cases that just changed; returns what ends it."""

    def possible(self, case: Case, role: Role) -> list[Step]:
        """The steps that somebody with this role can take now."""

    def needs(self, step: Step) -> Role: ...
    def reasons(self, step: Step) -> list[Why]: ...
    def left_ms(self, deadline: Deadline) -> int | None:
        """Time that is left by the deadline's own clock, below zero when it has passed; None: nobody knows."""

    def report_of(self, alert: Alert, place: str, by: str) -> Report:
        """What a case out of an alert says."""

    def export(self, query: CaseQuery, content: bool = False) -> Iterator[bytes]:
        """The documented JSON in pieces; may be read on any thread."""

    async def open(self, report: Report) -> Case: ...
    async def take(self, case_id: str, deed: Deed) -> Case: ...
    async def attach(self, case: Case, chunks: AsyncIterable[bytes], name: str, place: Place, by: str) -> Evidence: ...
    async def get(self, ref: str, tenant: str | None = None) -> Case: ...
    async def find(self, query: CaseQuery) -> Page[Case]: ...
    async def history(self, case_id: str) -> Sequence[CaseEvent]: ...
    async def evidence(self, case_id: str) -> Sequence[Evidence]: ...
    async def file(self, case_id: str, evidence_id: str) -> tuple[Evidence, Path]: ...
    async def board(self, tenant: str | None, sight: Sight | None = None) -> Board: ...
    async def rates(
        self, start_ms: int, stop_ms: int, by: str | None = None, tenant: str | None = None,
        sight: Sight | None = None,
    ) -> Sequence[RateRow]: ...  # fmt: skip
    async def units(self, tenant: str | None) -> Sequence[str]:
        """Units that a case can be given to: of the table, of users, and those that had one."""

    async def of_alert(self, alert: str) -> Case | None: ...
