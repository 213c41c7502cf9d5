"""The record: only ever longer, and nothing in it changes unseen. On both databases."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, update

from citywarden.access import audit, tables
from citywarden.access.desk import Desk
from citywarden.database import connect
from citywarden.model.access import AuditQuery, Head
from citywarden.model.identity import AuditNote, Identity, Role
from tests.builders import NOON_MS

ZHANG = Identity("zhang", Role.DISPATCHER, "north", "10.0.0.1")
DAY_MS = 86_400_000
LI = Identity("li", Role.ADMINISTRATOR)


def filled(desk: Desk, n: int = 6) -> None:
    for i in range(n):
        who = ZHANG if i % 2 else LI
        desk.note(who, ("alert.close", "user.add", "users.odd")[i % 3], f"subject {i}", "detail", NOON_MS + i)


def test_entries_follow_each_other(desk: Desk) -> None:
    filled(desk)
    found = desk.find(AuditQuery()).items
    assert [entry.note.subject for entry in found] == [f"subject {i}" for i in (5, 4, 3, 2, 1, 0)]
    assert [entry.previous for entry in found[:-1]] == [entry.digest for entry in found[1:]]
    assert found[-1].previous == audit.START
    chain = desk.verify()
    assert (chain.entries, chain.head, chain.broken) == (6, found[0].digest, None)


def test_an_empty_record_is_whole(desk: Desk) -> None:
    assert desk.verify().broken is None


@pytest.mark.parametrize("column", ["by", "subject", "detail", "action", "source", "at_ms", "tenant"])
def test_a_change_shows(engine: Engine, desk: Desk, column: str) -> None:
    filled(desk)
    with engine.begin() as connection:
        changed = {column: 1 if column == "at_ms" else "forged"}
        connection.execute(update(tables.audit).where(tables.audit.c.number == 3).values(**changed))
    assert desk.verify().broken == 3


def test_an_entry_taken_out_shows(engine: Engine, desk: Desk) -> None:
    filled(desk)
    with engine.begin() as connection:
        connection.execute(delete(tables.audit).where(tables.audit.c.number == 4))
    assert desk.verify().broken == 5


def heads_of(desk: Desk) -> list[Head]:
    return [Head(entry.number, entry.digest) for entry in reversed(desk.find(AuditQuery()).items)]


def drop(engine: Engine, *which: int) -> None:
    with engine.begin() as connection:
        connection.execute(delete(tables.audit).where(tables.audit.c.number.in_(which)))


def test_the_first_entry_taken_out_shows(engine: Engine, desk: Desk) -> None:
    filled(desk)
    drop(engine, 1)
    assert desk.verify().broken == 2


def test_an_end_that_was_cut_off_shows_against_a_head_noted_before(engine: Engine, desk: Desk) -> None:
    filled(desk)
    first, *_, last = heads_of(desk)
    assert desk.verify([first, last, Head(0, last.digest)]).whole, "both are of it, with their numbers or without"
    drop(engine, 5, 6)
    assert desk.verify().whole, "of itself it cannot know"
    assert (desk.verify([first]).lost, desk.verify([last, first]).lost) == (None, last)
    drop(engine, 1, 2, 3, 4)
    assert (desk.verify().broken, desk.verify([first]).lost) == (None, first), "nor that all of it is gone"


def test_a_record_written_anew_is_not_the_one_that_was_noted(engine: Engine, desk: Desk) -> None:
    filled(desk)
    *_, last = heads_of(desk)
    drop(engine, 1, 2, 3, 4, 5, 6)
    for i in range(6):
        desk.note(LI, "alert.close", f"innocent {i}", "", NOON_MS)
    assert desk.verify().whole
    assert desk.verify([last]).lost == last


def test_what_is_old_is_cut_and_what_is_left_is_checked_against_it(engine: Engine, desk: Desk) -> None:
    filled(desk)
    heads = heads_of(desk)
    assert desk.cut(NOON_MS, NOON_MS + DAY_MS) == 0, "nothing is that old"
    assert desk.cut(NOON_MS + 3, NOON_MS + DAY_MS) == 4
    said = desk.find(AuditQuery(action=audit.CUT)).items[0].note
    assert (said.by, said.subject) == ("server", heads[2].digest)
    assert said.detail == "3 entries up to number 3, of 2026-11-23T04:00:00.002Z"
    assert subjects(desk, AuditQuery(by="zhang")) == ["5", "3"]
    chain = desk.verify(heads)
    assert (chain.entries, chain.broken, chain.cut, chain.lost) == (4, None, 3, None)
    assert desk.cut(NOON_MS + DAY_MS, NOON_MS + 2 * DAY_MS) == 7, "the word of the first cut stays,"
    assert desk.verify(heads).whole
    assert desk.cut(NOON_MS + 9 * DAY_MS, NOON_MS + 9 * DAY_MS) == 8, "until a later one has taken its place"
    assert (desk.verify(heads).entries, desk.verify(heads).cut) == (2, 7)


def test_the_newest_entry_is_never_cut(desk: Desk) -> None:
    assert desk.cut(NOON_MS, NOON_MS) == 0
    desk.note(LI, "alert.close", "only", "", NOON_MS)
    assert desk.cut(NOON_MS + DAY_MS, NOON_MS + DAY_MS) == 0
    assert desk.verify().entries == 1


def test_a_beginning_taken_out_behind_the_back_of_a_cut_shows(engine: Engine, desk: Desk) -> None:
    filled(desk)
    desk.cut(NOON_MS + 2, NOON_MS + DAY_MS)
    assert desk.verify().whole
    drop(engine, 3)
    assert desk.verify().broken == 4


def test_a_late_clock_does_not_cut_what_came_after(desk: Desk) -> None:
    for at_ms in (NOON_MS, NOON_MS + DAY_MS, NOON_MS - 90 * DAY_MS, NOON_MS + DAY_MS):
        desk.note(LI, "alert.close", str(at_ms), "", at_ms)
    assert desk.cut(NOON_MS + 1, NOON_MS + DAY_MS) == 2
    assert desk.verify().entries == 4


@pytest.mark.parametrize("text", ["12", "x" * 64, "a:" + "0" * 64, "-1:" + "0" * 64, ""])
def test_what_is_no_head_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="expected a head such as"):
        Head.parse(text)


def test_writers_at_once_make_one_chain(engine: Engine, desk: Desk) -> None:
    def write(n: int) -> None:
        for i in range(10):
            desk.note(LI, "alert.close", f"{n}/{i}", "", NOON_MS)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    chain = desk.verify()
    assert (chain.entries, chain.broken) == (40, None)


def subjects(desk: Desk, query: AuditQuery) -> Sequence[str]:
    return [entry.note.subject[-1] for entry in desk.find(query).items]


def test_entries_are_found_by_what_they_say(desk: Desk) -> None:
    filled(desk)
    assert subjects(desk, AuditQuery(by="li")) == ["4", "2", "0"]
    assert subjects(desk, AuditQuery(tenant="north")) == ["5", "3", "1"]
    assert subjects(desk, AuditQuery(action="user")) == ["4", "1"], "`users.odd` is not about a user"
    assert subjects(desk, AuditQuery(action="user.add")) == ["4", "1"]
    assert subjects(desk, AuditQuery(since_ms=NOON_MS + 2, until_ms=NOON_MS + 4)) == ["3", "2"]


def test_pages_follow_each_other(desk: Desk) -> None:
    filled(desk)
    first = desk.find(AuditQuery(limit=4))
    second = desk.find(AuditQuery(limit=4, cursor=first.next))
    assert [entry.number for entry in (*first.items, *second.items)] == [6, 5, 4, 3, 2, 1]
    assert second.next is None


TEXT = st.text(max_size=40)


@given(
    st.lists(st.builds(AuditNote, st.integers(0, 2**50), TEXT, st.none() | TEXT, TEXT, TEXT, TEXT, TEXT), max_size=8)
)
@settings(max_examples=25, deadline=None)
def test_any_text_can_be_recorded_and_read_back_whole(notes: list[AuditNote]) -> None:
    engine = connect("sqlite://")
    tables.audit.create(engine)
    for note in notes:
        audit.append(engine, note)
    with engine.connect() as connection:
        assert audit.verify(connection).broken is None
    engine.dispose()


def test_two_different_notes_never_have_the_same_digest() -> None:
    one = AuditNote(NOON_MS, "a", None, "b.c", "d")
    assert audit.digest_of(audit.START, one) != audit.digest_of(audit.START, AuditNote(NOON_MS, "a", "", "b.c", "d"))
    assert audit.digest_of(audit.START, one) != audit.digest_of("1" * 64, one)
