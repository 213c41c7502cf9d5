"""Cases that a real city worked off: our overdue is the city's own flag."""

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, insert

from citywarden.cases import rates, tables
from citywarden.cases.rates import By, closed_in_time
from citywarden.cases.records import case_row
from citywarden.model.case import Case, Source, Stage
from citywarden.model.casetime import Clock, Deadline, Limit, Phase
from tests.databases import empty_database

BOSTON = ZoneInfo("America/New_York")
RECORDED = Path(__file__).parent / "recorded/boston_311_2015.csv"
ROWS = list(csv.DictReader(RECORDED.read_text("utf-8").splitlines()))
FAR_MS = 1 << 42


def ms(text: str) -> int | None:
    return round(datetime.fromisoformat(text).replace(tzinfo=BOSTON).timestamp() * 1000) if text else None


def case_of(row: dict[str, str]) -> Case:
    opened_ms, closed_ms, due_ms = ms(row["open_local"]), ms(row["closed_local"]), ms(row["target_local"])
    assert opened_ms is not None
    whole = Deadline(Phase.WHOLE, Limit(1, Clock.BUSINESS_DAYS), opened_ms, due_ms, None) if due_ms else None
    return Case(
        row["case_id"], "boston", row["case_id"], row["type"], row["type"], Source.PUBLIC,
        Stage.CLOSED if closed_ms else Stage.HANDLING, opened_ms, closed_ms or opened_ms, row["source"],
        district=row["neighborhood"], unit=row["department"], lat=float(row["lat"]), lon=float(row["lon"]),
        accepted_ms=opened_ms, filed_ms=opened_ms, dispatched_ms=opened_ms, closed_ms=closed_ms, ended_ms=closed_ms,
        whole=whole,
    )  # fmt: skip


@pytest.fixture(params=["sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with empty_database(request, tmp_path) as made:
        yield made


def test_closed_after_the_target_is_what_the_city_calls_overdue() -> None:
    flagged = [row for row in ROWS if row["closed_local"] and row["ontime_status"]]
    assert len(flagged) > 400
    for row in flagged:
        assert (closed_in_time(case_of(row)) is False) == (row["ontime_status"] == "OVERDUE"), row["case_id"]
    assert sum(not row["ontime_status"] for row in ROWS) > 0  # blank flags exist, and do not stop anything


def test_the_database_counts_the_same(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(tables.case), [case_row(case_of(row)) for row in ROWS])
        everything = rates.count(connection, 0, FAR_MS)[0].tally
        by_unit = rates.count(connection, 0, FAR_MS, By.UNIT)
    closed = [row for row in ROWS if row["closed_local"] and row["target_local"]]
    late = sum(row["ontime_status"] == "OVERDUE" for row in closed)
    unflagged_late = sum(not row["ontime_status"] and row["closed_local"] > row["target_local"] for row in closed)
    assert (everything.accepted, everything.closed) == (len(ROWS), len(closed))
    assert everything.closed - everything.closed_in_time == late + unflagged_late
    assert rates.total(by_unit).tally == everything
    assert {row.group for row in by_unit} == {row["department"] for row in ROWS}
