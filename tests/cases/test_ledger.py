"""Cases in a database: numbers, one open case per alert, history, pages, and what time does."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Engine, update

from citywarden.cases import archive, tables
from citywarden.cases.ledger import AlreadyOpen, Ledger
from citywarden.cases.machine import Refused
from citywarden.cases.point import case_point
from citywarden.model.case import Case, Deed, Source, Stage, Step, Why
from citywarden.model.casequery import CaseQuery
from citywarden.model.casetime import Clock, Limit
from citywarden.model.errors import NotFound
from tests.cases.case_builders import HOUR_MS, MINUTE_MS, MONDAY_MS, TABLE, at, deed, ledger, report, walk


@pytest.fixture
def book(engine: Engine) -> Ledger:
    return ledger(engine)


def changes(book: Ledger, case: Case) -> list[str]:
    return [str(event.change) for event in book.read(partial(archive.history, case_id=case.id))]


def find(book: Ledger, query: CaseQuery, now_ms: int = MONDAY_MS) -> list[str]:
    return [case.number for case in book.read(partial(archive.find, query=query, now_ms=now_ms)).items]


def test_numbers_count_by_tenant_and_local_day(book: Ledger) -> None:
    late, early = at("2026-11-22 23:59"), at("2026-11-23 00:01")
    assert [book.open(report(), ms).number for ms in (late, late, early)] == [
        "20261122-0001", "20261122-0002", "20261123-0001"]  # fmt: skip
    assert book.open(report(tenant="u"), late).number == "20261122-0001"
    with pytest.raises(NotFound, match="several tenants"):
        book.get("20261122-0001")
    assert book.get("20261122-0001", "u").tenant == "u"


def test_the_ten_thousandth_of_a_day_has_five_digits(book: Ledger) -> None:
    first = book.open(report(), MONDAY_MS)
    with book.writing() as connection:
        connection.execute(update(tables.case).values(number="20261123-9999").where(tables.case.c.id == first.id))
    assert [book.open(report(), MONDAY_MS).number for _ in range(2)] == ["20261123-10000", "20261123-10001"]


def test_many_at_once_get_different_numbers(engine: Engine) -> None:
    books = [ledger(engine) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda n: books[n % 4].open(report(), MONDAY_MS).number, range(16)))
    assert sorted(made) == [f"20261123-{n:04d}" for n in range(1, 17)]


def test_what_is_written_is_read(book: Ledger) -> None:
    case = walk(book, book.open(report(alert="a1", about=("gas", "g1")), MONDAY_MS), Step.DISPATCH, MONDAY_MS)
    four = Limit(240, Clock.BUSINESS_HOURS)
    asked = book.take(case.id, deed(Step.ASK_EXTENSION, why=Why.MATERIAL, limit=four, note="灯杆待到货"), MONDAY_MS)
    assert book.get(case.number) == asked == book.get(case.id)
    history = book.read(partial(archive.history, case_id=case.id))
    assert [e.change for e in history] == ["opened", "accept", "file", "dispatch", "ask_extension"]
    assert (history[-1].limit, history[-1].why, history[-1].note) == (four, Why.MATERIAL, "灯杆待到货")


def test_an_alert_has_one_open_case(book: Ledger) -> None:
    first = book.open(report(alert="a1", source=Source.ALERT), MONDAY_MS)
    with pytest.raises(AlreadyOpen, match=first.number):
        book.open(report(alert="a1"), MONDAY_MS)
    assert book.open_once(report(alert="a1"), MONDAY_MS) is None
    book.take(first.id, Deed(Step.WITHDRAW, "Chen", why=Why.BY_MISTAKE), MONDAY_MS)
    assert book.open_once(report(alert="a1"), MONDAY_MS) is None  # by itself never a second one
    second = book.open(report(alert="a1"), MONDAY_MS + 1)  # a person may
    assert book.of_alert("a1") == second
    assert (second.number, first.number) == ("20261123-0002", "20261123-0001")


def test_an_alert_that_is_over_is_noted_once_and_ends_nothing(book: Ledger) -> None:
    case = book.open(report(alert="a1", source=Source.ALERT), MONDAY_MS)
    noted = book.alert_over("a1", MONDAY_MS + 5)
    assert noted is not None
    assert (noted.stage, noted.alert_resolved_ms) == (Stage.REPORTED, MONDAY_MS + 5)
    assert book.alert_over("a1", MONDAY_MS + 9) is None
    assert book.alert_over("a2", MONDAY_MS + 9) is None
    assert changes(book, case) == ["opened", "alert_resolved"]


def test_the_clock_tells_near_and_overdue_once(book: Ledger) -> None:
    case = book.open(report(), MONDAY_MS)
    told = [len(book.tick(MONDAY_MS + minutes * MINUTE_MS)) for minutes in (10, 24, 25, 30, 31, 40)]
    assert told == [0, 1, 0, 0, 1, 0]
    assert changes(book, case) == ["opened", "near_due", "overdue"]
    walk(book, case, Step.ACCEPT, MONDAY_MS + HOUR_MS)
    assert book.tick(MONDAY_MS + 2 * HOUR_MS) == []


def test_an_overdue_deadline_wants_an_alert_until_it_has_one(book: Ledger) -> None:
    case, late_ms = book.open(report("gas_leak"), MONDAY_MS), MONDAY_MS + 20 * MINUTE_MS
    assert book.read(partial(archive.unalerted, now_ms=MONDAY_MS)) == []
    assert book.read(partial(archive.unalerted, now_ms=late_ms)) == [case]
    book.mark_alerted([case])
    assert book.read(partial(archive.unalerted, now_ms=late_ms)) == []
    numbers = ["no such", case.number]
    assert book.read(partial(archive.still_overdue, numbers=numbers, now_ms=late_ms)) == {("t", case.number)}
    handed = walk(book, case, Step.DISPATCH, late_ms)
    assert book.read(partial(archive.still_overdue, numbers=numbers, now_ms=late_ms)) == set()
    assert book.read(partial(archive.unalerted, now_ms=late_ms + 2 * HOUR_MS)) == [handed]  # the next deadline


def test_a_deadline_is_counted_once_the_year_is_known(engine: Engine) -> None:
    late_ms = at("2026-12-31 17:00")
    unknowing = ledger(engine)
    case = walk(unknowing, unknowing.open(report("damaged_road"), late_ms), Step.DISPATCH, late_ms)
    assert case.deadline is not None
    assert case.deadline.due_ms is None
    assert unknowing.tick(late_ms) == []
    calendar = replace(TABLE.calendar, works=lambda day: day.weekday() < 5)
    knowing = ledger(engine, replace(TABLE, calendar=calendar))
    knowing.tick(late_ms)
    found = knowing.get(case.id)
    assert found.deadline is not None
    assert found.deadline.due_ms == at("2027-01-05 18:00")
    assert found.whole is not None
    assert found.whole.due_ms == at("2027-01-11 18:00")


def test_two_people_at_the_same_step(engine: Engine, book: Ledger) -> None:
    case = book.open(report(), MONDAY_MS)
    others = ledger(engine)
    book.take(case.id, deed(Step.ACCEPT), MONDAY_MS)
    with pytest.raises(Refused, match="wrong_stage"):
        others.take(case.id, deed(Step.ACCEPT), MONDAY_MS)
    with ThreadPoolExecutor(2) as threads:
        notes = [threads.submit(b.take, case.id, deed(Step.NOTE, note=str(n)), MONDAY_MS)
                 for b in (book, others) for n in range(8)]  # fmt: skip
        for done in notes:
            done.result()
    assert changes(book, case).count("note") == 16


def test_pages_and_filters(book: Ledger) -> None:
    gas = book.open(report("gas_leak", district="Luohu", title="人民路燃气泄漏"), MONDAY_MS)
    walk(book, gas, Step.DISPATCH, MONDAY_MS + 1)
    for n in range(5):
        book.open(report(tenant="u" if n == 4 else "t"), MONDAY_MS + 10 + n)
    everything = find(book, CaseQuery())
    assert len(everything) == 6
    seen: list[str] = []
    cursor: str | None = None
    while True:
        wanted = CaseQuery(limit=4, cursor=cursor)
        page = book.read(partial(archive.find, query=wanted, now_ms=MONDAY_MS))
        seen += [case.number for case in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert seen == everything
    assert find(book, CaseQuery(tenant="u")) == ["20261123-0001"]
    for query in (
        CaseQuery(category="gas_leak"), CaseQuery(unit="lighting"), CaseQuery(district="Luohu"),
        CaseQuery(text="人民路"),
        CaseQuery(stages=(Stage.DISPATCHED,)), CaseQuery(text=gas.number, tenant="t"),
    ):  # fmt: skip
        assert find(book, query) == [gas.number]
    assert find(book, CaseQuery(text="%")) == []
    assert len(find(book, CaseQuery(overdue=True), MONDAY_MS + HOUR_MS)) == 5
    assert find(book, CaseQuery(open=False)) == []
    with pytest.raises(NotFound, match="cursor"):
        find(book, CaseQuery(cursor="nonsense"))


def test_the_board_counts_by_stage(book: Ledger) -> None:
    walk(book, book.open(report("gas_leak"), MONDAY_MS), Step.CLOSE, MONDAY_MS + MINUTE_MS)
    for _ in range(3):
        book.open(report(), MONDAY_MS)
    walk(book, book.open(report("gas_leak"), MONDAY_MS), Step.BEGIN, MONDAY_MS)
    counted = book.read(
        partial(archive.board, tenant="t", now_ms=MONDAY_MS + 50 * MINUTE_MS, today_ms=at("2026-11-23 00:00"))
    )
    assert counted.stages == {Stage.REPORTED: (3, 3, 0), Stage.HANDLING: (1, 0, 1)}
    assert counted.closed_today == 1


def test_the_point_of_a_case_keeps_its_tags_and_time(book: Ledger) -> None:
    case = book.open(report("gas_leak"), MONDAY_MS)
    other = book.open(report("gas_leak"), MONDAY_MS)
    closed = walk(book, case, Step.CLOSE, MONDAY_MS + MINUTE_MS)
    before, after = case_point(case), case_point(closed)
    assert (before.tags, before.ts_ms) == (after.tags, after.ts_ms)
    assert case_point(other).ts_ms != before.ts_ms
    assert (before.fields["open"], before.fields["in_time"]) == (True, -1)
    assert (after.fields["open"], after.fields["in_time"], after.fields["duration_s"]) == (False, 1, 60.0)
    assert {name: type(value) for name, value in before.fields.items()} == {
        name: type(value) for name, value in after.fields.items()}  # fmt: skip
