"""The rates, with the figures of a real year as the oracle."""

from pathlib import Path

from sqlalchemy import Engine, insert

from citywarden.cases import rates, tables
from citywarden.cases.rates import By, rates_of
from citywarden.model.case import Deed, Step, Why
from citywarden.model.casequery import Rates, Tally
from citywarden.serve.tables import open_database
from tests.cases.case_builders import HOUR_MS, REWORK, STRAIGHT, at, deed, ledger, report, walk

YEAR = (at("2025-01-01 00:00"), at("2026-01-01 00:00"))


INSIDE, BEFORE, AFTER = at("2025-06-02 10:00"), at("2024-12-30 10:00"), at("2026-01-02 10:00")
PLAIN: dict[str, object] = {
    "tenant": "t", "category": "other", "title": "x", "source": "patrol", "stage": "dispatched", "reported_ms": BEFORE,
    "updated_ms": INSIDE, "reporter": "x", "accepted_ms": BEFORE, "dispatched_ms": None, "closed_ms": None,
    "whole_due_ms": INSIDE + 24 * HOUR_MS, "reworks": 0, "extensions": 0,
}  # fmt: skip


def a_year() -> list[dict[str, object]]:
    """Rows that hold: accepted 51571, filed 51229, dispatched 49151; due 52434 (some filed the year before), of which
    43523 closed, 40394 of them in time; 276 reworked, 104 extended. And cases that must not count.
    """
    made = []
    for n in range(52434):
        row = PLAIN | {"filed_ms": INSIDE if n < 51229 else BEFORE}
        row |= {"accepted_ms": INSIDE} if n < 51571 else {}
        row |= {"dispatched_ms": INSIDE} if n < 49151 else {}
        row |= {"closed_ms": INSIDE + (1 if n < 40394 else 48) * HOUR_MS} if n < 43523 else {}
        made.append(row | {"reworks": int(n % 180 == 7 and n < 276 * 180), "extensions": int(20 <= n < 124)})
    made += [PLAIN | {"filed_ms": AFTER, "accepted_ms": AFTER, "whole_due_ms": AFTER}] * 50
    made += [PLAIN | {"filed_ms": BEFORE, "stage": "withdrawn"}] * 9
    return [row | {"id": str(n), "number": str(n)} for n, row in enumerate(made)]


def test_a_real_year(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'year.sqlite'}")
    with engine.begin() as connection:
        connection.execute(insert(tables.case), a_year())
        (row,) = rates.count(connection, *YEAR)
    engine.dispose()
    t = row.tally
    assert (t.accepted, t.filed, t.dispatched) == (51571, 51229, 49151)
    assert (t.due, t.closed, t.closed_in_time, t.reworked, t.extended) == (52434, 43523, 40394, 276, 104)
    r = row.rates
    assert (r.filing_pct, r.dispatch_pct, r.closing_pct) == (99.34, 95.94, 83.01)
    assert (r.closing_in_time_pct, r.rework_pct, r.extension_pct) == (77.04, 0.53, 0.20)


def test_nothing_to_divide_by() -> None:
    assert rates_of(Tally()) == Rates(None, None, None, None, None, None, None)


def test_a_case_closed_early_counts_when_it_is_closed_and_never_again(engine: Engine) -> None:
    book, monday = ledger(engine), at("2026-11-23 09:00")
    walk(book, book.open(report("damaged_road"), monday), Step.CLOSE, monday + HOUR_MS)  # due in seven business days
    with engine.connect() as connection:
        days = [rates.count(connection, at(f"2026-{day} 00:00"), at(f"2026-{day} 23:59"))[0].tally.due
                for day in ("11-23", "11-24", "12-02")]  # fmt: skip
    assert days == [1, 0, 0]


def test_cases_that_were_worked_count_by_unit_district_and_category(engine: Engine) -> None:
    book, monday = ledger(engine), at("2026-11-23 09:00")
    done = book.open(report("gas_leak", district="Luohu"), monday)
    walk(book, done, Step.CLOSE, monday + HOUR_MS // 2)
    back = walk(book, book.open(report("gas_leak"), monday), Step.FINISH, monday)
    book.take(back.id, REWORK, monday + HOUR_MS)
    late = walk(book, book.open(report("gas_leak"), monday), Step.BEGIN, monday)
    for step in STRAIGHT[4:]:
        book.take(late.id, deed(step), monday + 5 * HOUR_MS)
    gone = walk(book, book.open(report("gas_leak"), monday), Step.FILE, monday)
    book.take(gone.id, Deed(Step.WITHDRAW, "Chen", why=Why.BY_MISTAKE), monday)
    book.take(book.open(report("other"), monday).id, Deed(Step.REJECT, "Li", why=Why.DUPLICATE), monday)
    week = (at("2026-11-23 00:00"), at("2026-11-30 00:00"))
    with engine.connect() as connection:
        (gas,) = rates.count(connection, *week, By.CATEGORY)
        districts = {row.group: row.tally.due for row in rates.count(connection, *week, By.DISTRICT)}
        units = [row.group for row in rates.count(connection, *week, By.UNIT)]
        others = rates.count(connection, *week, tenant="another")[0].tally
        day_before = rates.count(connection, at("2026-11-22 00:00"), week[0])[0].tally
    assert gas.group == "gas_leak"
    assert gas.tally == Tally(4, 4, 3, due=3, closed=2, closed_in_time=1, handle_due=3, handled_in_time=1, reworked=1)
    assert districts == {"Futian": 2, "Luohu": 1}
    assert units == ["lighting", ""]
    assert others == day_before == Tally()
