"""The record while the server runs: its end noted every hour, its old entries cut every day; the time passed in."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from citywarden.access.desk import Desk
from citywarden.access.intentions import intend
from citywarden.model.access import AuditQuery
from citywarden.model.identity import Identity, Intent, Role
from citywarden.sections import AccessSettings, Settings
from citywarden.serve.reception import desk_on
from citywarden.serve.recordkeeping import (
    CUT_EVERY_MS,
    GIVE_UP_EVERY_MS,
    GIVE_UP_MS,
    MEASUREMENT,
    NOTE_EVERY_MS,
    RecordKeeper,
)
from citywarden.serve.tables import open_database
from citywarden.store.contract import Point
from citywarden.store.schema import RECORDS
from tests.builders import NOON_MS

LI = Identity("li", Role.DISPATCHER)


class Town:
    """A desk over a data folder, its keeper, and what the store would get."""

    def __init__(self, folder: Path, days: int = 30) -> None:
        self.ms = NOON_MS
        self.engine = open_database(f"sqlite:///{folder / 'a.sqlite'}")
        self.settings = Settings(data=folder, access=AccessSettings(audit_days=days))
        self.desk: Desk = desk_on(self.settings, self.engine)
        self.points: list[Point] = []
        self.keeper = RecordKeeper(self.desk, days, self.points.extend, lambda: self.ms)

    def do(self, what: str) -> None:
        self.desk.note(LI, "alert.close", what, "", self.ms)

    def look(self, later_ms: int = 0) -> None:
        self.ms += later_ms
        self.points += self.keeper.look()

    @property
    def file(self) -> list[str]:
        path = self.settings.data / "audit.heads"
        return path.read_text("utf-8").splitlines() if path.exists() else []


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path)
    yield made
    made.engine.dispose()


def test_the_head_goes_into_log_file_and_store(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    town.do("a")
    with caplog.at_level(logging.INFO):
        town.look()
    chain = town.desk.verify()
    head = f"1:{chain.head}"
    assert (chain.noted, chain.whole) == (1, True)
    assert [line.split()[1] for line in town.file] == [head]
    assert head in caplog.text, "whole: nothing of it is hidden as a secret"
    assert [(p.measurement, p.fields) for p in town.points] == [
        (MEASUREMENT, {"number": 1, "digest": chain.head})]  # fmt: skip
    assert MEASUREMENT in RECORDS, "in a bucket that keeps it for years"


def test_it_is_noted_once_an_hour_and_only_where_it_grew(town: Town) -> None:
    town.look()
    assert town.file == [], "there is no record yet"
    town.do("a")
    town.look(NOTE_EVERY_MS - 1)
    assert town.file == []
    town.look(1)
    town.look(NOTE_EVERY_MS)
    assert len(town.file) == len(town.points) == 1
    town.do("b")
    town.look(-NOTE_EVERY_MS)
    assert len(town.file) == 2, "a clock that jumps back does not put it off"


def test_an_end_that_is_cut_off_behind_the_servers_back_is_found_by_the_check(town: Town) -> None:
    town.do("a")
    town.do("b")
    town.look()
    with town.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE number = 2")
    lost = town.desk.verify().lost
    assert lost is not None and lost.number == 2


def test_what_is_too_old_goes_once_a_day(town: Town) -> None:
    town.do("old")
    town.look()
    town.do("old too")
    town.look(10 * CUT_EVERY_MS)
    town.do("young")
    town.look(20 * CUT_EVERY_MS + 1)
    assert [e.note.action for e in town.desk.find(AuditQuery()).items] == ["audit.cut", "alert.close"]
    assert town.desk.verify().whole
    assert [line.split()[1].partition(":")[0] for line in town.file] == ["4"], "heads of what was cut went with it"


def test_zero_days_keep_it_for_ever(tmp_path: Path) -> None:
    town = Town(tmp_path, 0)
    town.do("old")
    town.look(100 * 366 * CUT_EVERY_MS)
    assert town.desk.verify().entries == 1
    town.engine.dispose()


def test_what_was_broken_off_is_entered_when_nobody_can_be_at_it_any_more(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    town.look()
    intend(town.engine, LI, Intent("alert.close", ["a1"]), town.ms)
    town.look(GIVE_UP_MS)
    assert not town.desk.find(AuditQuery()).items, "it may be under way"
    town.look(GIVE_UP_EVERY_MS)
    assert [entry.note.action for entry in town.desk.find(AuditQuery()).items] == ["alert.close.unfinished"]
    assert "broken off, see `unfinished` in the audit: 1" in caplog.text
