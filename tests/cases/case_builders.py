"""Cases in a line each: a table of deadlines, a report, a ledger and a walk through the stages."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from citywarden.cases.calendar import WorkCalendar
from citywarden.cases.evidence import EvidenceStore
from citywarden.cases.ledger import Ledger
from citywarden.cases.tablefile import DEFAULT, default_table, parse_table
from citywarden.cases.timetable import Timetable
from citywarden.model.case import Case, Deed, Report, Source, Step, Why

ZONE = ZoneInfo("Asia/Shanghai")
TABLE = parse_table(default_table(), DEFAULT, ZONE)
CALENDAR = WorkCalendar(ZONE)
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 64
PDF = b"%PDF-1.7\n" + b"x" * 64


def at(text: str) -> int:
    """Ms of a local time in Shanghai, `2026-11-23 09:00`."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


MONDAY_MS = at("2026-11-23 09:00")


def report(category: str = "streetlight_dark", **known: object) -> Report:
    """A patrol's report of a dark lamp in Futian."""
    facts: dict[str, object] = {
        "tenant": "t", "category": category, "title": "路灯不亮", "source": Source.PATROL, "reporter": "巡查员",
        "district": "Futian", "place": "深南大道 12 号灯杆", "lat": 22.54, "lon": 114.05,
    }  # fmt: skip
    return Report(**(facts | known))  # type: ignore[arg-type]


def ledger(engine: Engine, table: Timetable = TABLE) -> Ledger:
    return Ledger(engine, table)


def deed(step: Step, **known: object) -> Deed:
    """A step taken by Li; a dispatch goes to the lighting unit."""
    facts: dict[str, object] = {"by": "Li"} | ({"unit": "lighting"} if step is Step.DISPATCH else {}) | known
    return Deed(step, **facts)  # type: ignore[arg-type]


STRAIGHT = (Step.ACCEPT, Step.FILE, Step.DISPATCH, Step.BEGIN, Step.FINISH, Step.PASS, Step.CLOSE)
"""The steps of a case that nobody sends back."""


def walk(book: Ledger, case: Case, until: Step, now_ms: int) -> Case:
    """Take the straight way up to and with a step."""
    for step in STRAIGHT:
        case = book.take(case.id, deed(step), now_ms)
        if step is until:
            break
    return case


def evidence_store(folder: Path, largest: int = 1 << 20) -> EvidenceStore:
    return EvidenceStore(folder / "evidence", largest)


REWORK = Deed(Step.REWORK, "Chen", why=Why.INCOMPLETE)
