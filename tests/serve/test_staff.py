"""The demo's people work every case off, now and then with rework or more time."""

from pathlib import Path

from citywarden.cases.ledger import Ledger
from citywarden.model.case import Case, Source, Stage
from citywarden.serve.staff import next_deed
from citywarden.serve.tables import open_database
from tests.cases.case_builders import MONDAY_MS, TABLE, report


def work_off(book: Ledger, case: Case) -> tuple[Case, int]:
    """The case when it has ended, and after how many seconds."""
    seconds = 0
    while case.open:
        seconds += 1
        now_ms = MONDAY_MS + seconds * 1000
        assert seconds < 600, f"{case.number} hangs at {case.stage}"
        deed = next_deed(case, now_ms, "crew")
        case = case if deed is None else book.take(case.id, deed, now_ms)
    return case, seconds


def test_every_case_is_closed_in_minutes_and_some_take_a_detour(tmp_path: Path) -> None:
    book = Ledger(open_database(f"sqlite:///{tmp_path / 'x.sqlite'}"), TABLE)
    sources = (Source.ALERT, Source.PUBLIC)
    done = [work_off(book, book.open(report(source=sources[n % 2]), MONDAY_MS)) for n in range(12)]
    assert all(case.stage is Stage.CLOSED for case, _ in done)
    assert all(40 <= seconds <= 300 for _, seconds in done)
    assert sum(case.reworks for case, _ in done) > 0
    assert sum(case.extensions for case, _ in done) > 0
    assert len({seconds for _, seconds in done}) > 6
    book.engine.dispose()
