"""The JSON that only the cases' routes have: what is asked for, and what is told beside the case itself."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from citywarden.model.case import Source, Stage, Step, Why
from citywarden.model.casebody import CaseBody, CaseEventBody, CasePosition, EvidenceBody, LimitBody, StepBody
from citywarden.model.casequery import CaseQuery
from citywarden.model.casetime import Phase
from dashboards.api.questions import Moment

By = Literal["unit", "district", "category"]
Word = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(max_length=200)]


class CaseFilters(BaseModel):
    """Which cases are listed or exported."""

    stage: Annotated[list[Stage], Field(max_length=11, description="Any of these stages")] = []
    open: Annotated[bool | None, Field(description="Only those that have not ended, or only those that have")] = None
    category: Word | None = None
    unit: Word | None = None
    district: Word | None = None
    source: Source | None = None
    alert: Word | None = None
    overdue: Annotated[bool, Field(description="Only those whose running deadline has passed")] = False
    since: Annotated[Moment | None, Field(description="Changed at this time or after")] = None
    text: Annotated[Word | None, Field(description="In number, title, place or text")] = None
    tenant: Word | None = None
    content: Annotated[bool, Field(description="The export: with the files in base64")] = False
    limit: Annotated[int, Field(ge=1, le=10_000, description="Items a page holds at most")] = 100
    cursor: Annotated[str | None, Field(min_length=1, max_length=512, description="`next` of the page before")] = None

    def query(self) -> CaseQuery:
        """The question for the desk."""
        return CaseQuery(
            self.tenant, tuple(self.stage), self.open, self.category, self.unit, self.district, self.source,
            self.alert, self.overdue, self.since, self.text, self.limit, self.cursor,
        )  # fmt: skip


class NewCase(BaseModel):
    """A report. With `alert` the rest may be left out: it says what the alert says."""

    model_config = ConfigDict(extra="forbid")

    category: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    title: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    source: Source | None = None
    text: Annotated[str, Field(max_length=4000)] = ""
    place: Name = ""
    district: Name = ""
    location: CasePosition | None = None
    alert: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    tenant: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    by: Annotated[str, Field(min_length=1, max_length=200)] = "api"


class StepTaken(BaseModel):
    """A step. `unit`: whom the case is given to, or in whose name it is done; `limit`: how much longer is asked for."""

    model_config = ConfigDict(extra="forbid")

    step: Step
    by: Annotated[str, Field(min_length=1, max_length=200)] = "api"
    note: Annotated[str, Field(max_length=2000)] | None = None
    why: Why | None = None
    unit: Name = ""
    limit: LimitBody | None = None


class WholeCaseBody(CaseBody):
    """A case with everything. `left_ms`: until the running deadline, by its own clock; below zero: it has passed."""

    history: list[CaseEventBody]
    evidence: list[EvidenceBody]
    steps: list[StepBody]
    left_ms: int | None


class CategoryBody(BaseModel):
    """A kind of case. `overdue`: severity of the alert when one is late."""

    id: str
    zh: str
    en: str
    unit: str
    overdue: str
    rules: list[str]
    limits: dict[Phase, LimitBody]
    rework: LimitBody


class StandBody(BaseModel):
    stage: Stage
    open: int
    overdue: int
    near: int


class BoardBody(BaseModel):
    """How many open cases stand where."""

    stages: list[StandBody]
    closed_today: int
