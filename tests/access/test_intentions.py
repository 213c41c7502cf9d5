"""Nothing changes without an entry: whatever breaks off wherever, the record says it. On both databases."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, event

from citywarden.access import intentions
from citywarden.access.desk import Desk
from citywarden.access.passwords import Passwords
from citywarden.access.reception import Reception
from citywarden.database import connect
from citywarden.model.access import AuditQuery, NewUser, UserChange
from citywarden.model.alert import Status
from citywarden.model.dispatch import AlertDeed, Doing
from citywarden.model.errors import CitywardenError, HalfDone, Unavailable
from citywarden.model.identity import Identity, Intent, Role
from citywarden.serve.recording import recorded
from citywarden.serve.recordkeeping import GIVE_UP_MS
from tests.access.conftest import CHEAP
from tests.alerts.alert_builders import NOW_MS, finding
from tests.alerts.alert_builders import desk as alert_desk
from tests.builders import NOON_MS

ZHANG = Identity("zhang", Role.DISPATCHER, "north", "10.0.0.1")
ROOT = Identity("root", Role.ADMINISTRATOR)
LATER_MS = NOON_MS + GIVE_UP_MS + 1


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def killed_at(engine: Engine, commit: int) -> Iterator[list[int]]:
    """A process that dies before the commit of this number, counted from 0; yields how many it came to."""
    seen = [0]

    def count(connection: Connection) -> None:
        seen[0] += 1
        if seen[0] > commit:
            connection.invalidate()
            raise Killed

    event.listen(engine, "commit", count)
    try:
        yield seen
    except Killed:
        pass
    finally:
        event.remove(engine, "commit", count)


def told(desk: Desk) -> list[tuple[str, str, str]]:
    """(who, action, subject), oldest first."""
    return [(e.note.by, e.note.action, e.note.subject) for e in reversed(desk.find(AuditQuery()).items)]


USERS = {
    "user.add": lambda desk: desk.add_user(ROOT, NewUser("sun", Role.VIEWER), NOON_MS),
    "user.change": lambda desk: desk.change_user(ROOT, "li", UserChange(role=Role.DISPATCHER), NOON_MS),
    "user.remove": lambda desk: desk.remove_user(ROOT, "li", NOON_MS),
    "user.password": lambda desk: desk.reset_password(ROOT, "li", None, NOON_MS),
    "login": lambda desk: desk.let_in("li", "10.0.0.1", "", NOON_MS),
}


def people(desk: Desk) -> object:
    """All there is to know of users and their sessions."""
    return [(user, desk.password_of(user.name), desk.sessions(user.name, NOON_MS)) for user in desk.users(ROOT)]


@pytest.mark.parametrize("action", USERS)
def test_a_change_of_a_user_and_its_entry_are_one_transaction(engine: Engine, action: str) -> None:
    desk = Desk(engine, Passwords(CHEAP))
    desk.add_user(ROOT, NewUser("li", Role.VIEWER), NOON_MS)
    before, entries = people(desk), told(desk)
    with killed_at(engine, 0):
        USERS[action](desk)
    assert (people(desk), told(desk)) == (before, entries), "neither"
    commits: list[object] = []
    event.listen(engine, "commit", commits.append)
    USERS[action](desk)
    assert len(commits) == 1
    assert people(desk) != before
    assert [entry[1] for entry in told(desk)[len(entries) :]] == [action]
    assert desk.verify().whole


@pytest.mark.parametrize("commit", range(4))
def test_whenever_the_process_dies_no_alert_has_changed_without_an_entry(engine: Engine, commit: int) -> None:
    """The commits of a deed: its intention, the alerts, its entry; then nothing more."""
    alerts, desk = alert_desk(engine), Desk(engine)
    (one,) = alerts.apply([finding("major")], NOW_MS, {})
    with killed_at(engine, commit) as came_to, recorded(engine, "alert.close", one.id):
        alerts.do_all([one.id], AlertDeed(Doing.CLOSE, "zhang"), NOW_MS)
    assert came_to[0] == min(commit + 1, 3)
    firing = alert_desk(engine).get(one.id).status is Status.FIRING
    entered = [action for _, action, _ in told(desk)]
    waiting = [note.action for note in desk.standing()]
    assert (firing, entered, waiting) == {
        0: (True, [], []),
        1: (True, [], ["alert.close"]),
        2: (False, [], ["alert.close"]),
        3: (False, ["alert.close"], []),
    }[commit]
    now_ms = max([LATER_MS, *(note.at_ms + GIVE_UP_MS + 1 for note in desk.standing())])
    assert desk.give_up(now_ms - GIVE_UP_MS) == len(waiting)
    assert [action for _, action, _ in told(desk)] == entered + [f"{action}.unfinished" for action in waiting]
    assert desk.give_up(now_ms - GIVE_UP_MS) == 0, "once"
    assert desk.verify().whole


def test_what_is_under_way_is_not_given_up(engine: Engine) -> None:
    desk = Desk(engine)
    key = intentions.intend(engine, ZHANG, Intent("case.open", ["new"], "a lid"), NOON_MS)
    assert desk.give_up(NOON_MS) == 0
    assert [note.subject for note in desk.standing()] == ["new"]
    intentions.settle(engine, key, ZHANG, Intent("case.open", ["20261122-0001"], "a lid"), NOON_MS + 5)
    assert (told(desk), desk.standing()) == ([("zhang", "case.open", "20261122-0001")], [])


def test_what_was_given_up_says_who_meant_to_do_what_when_and_that_nobody_knows(engine: Engine) -> None:
    desk = Desk(engine)
    intentions.intend(engine, ZHANG, Intent("silence.begin", ["new"], "works"), NOON_MS)
    desk.give_up(LATER_MS)
    note = desk.find(AuditQuery(action="silence.begin")).items[0].note
    assert (note.at_ms, note.by, note.tenant, note.source) == (NOON_MS, "zhang", "north", "10.0.0.1")
    assert note.action == "silence.begin.unfinished"
    assert note.detail == "works; broken off, it may have taken effect: the process ended"


OUTCOMES = [
    (None, ["device.disable"], "why"),
    (HalfDone("the broker is away"), ["device.disable"], "the broker is away"),
    (CitywardenError("not so"), [], ""),
    (Unavailable("no answer"), ["device.disable.unfinished"], "why; broken off, it may have taken effect: no answer"),
    (KeyError("bug"), ["device.disable.unfinished"], "why; broken off, it may have taken effect: KeyError"),
]


@pytest.mark.parametrize(("error", "actions", "detail"), OUTCOMES)
async def test_the_outcome_is_entered(engine: Engine, error: Exception | None, actions: list[str], detail: str) -> None:
    desk = Desk(engine)
    reception = Reception(desk, lambda: NOON_MS)
    try:
        async with reception.doing(ZHANG, "device.disable", ["t/gas/G1"], "why"):
            if error is not None:
                raise error
    except (CitywardenError, KeyError) as raised:
        assert raised is error
    found = desk.find(AuditQuery()).items
    assert ([entry.note.action for entry in found], desk.standing()) == (actions, [])
    assert [entry.note.detail for entry in found] == [detail][: len(actions)]
    await reception.close()


async def test_where_the_intention_cannot_be_written_nothing_is_done() -> None:
    empty = connect("sqlite://")
    reception, done = Reception(Desk(empty), lambda: NOON_MS), False
    with pytest.raises(Unavailable):
        async with reception.doing(ZHANG, "alert.close", ["a1"]):
            done = True
    assert not done
    await reception.close()
    empty.dispose()


async def test_what_is_done_to_many_costs_two_commits_more(engine: Engine) -> None:
    reception, commits = Reception(Desk(engine), lambda: NOON_MS), list[object]()
    event.listen(engine, "commit", commits.append)
    async with reception.doing(ZHANG, "alert.close", [f"many {n}" for n in range(50)], "mine") as intent:
        intent.subjects = intent.subjects[:40]
    assert len(commits) == 2
    newest = reception.desk.find(AuditQuery(limit=50)).items
    assert [entry.note.subject for entry in newest] == [f"many {n}" for n in reversed(range(40))]
    assert {(entry.note.by, entry.note.tenant, entry.note.source) for entry in newest} == {
        ("zhang", "north", "10.0.0.1")}  # fmt: skip
    await reception.close()


async def test_what_was_done_to_none_is_no_entry(engine: Engine) -> None:
    reception = Reception(Desk(engine), lambda: NOON_MS)
    async with reception.doing(ZHANG, "alert.close", ["a1"]) as intent:
        intent.subjects = []
    async with reception.doing(ZHANG, "alert.close", []):
        pass
    assert (told(reception.desk), reception.desk.standing()) == ([], [])
    await reception.close()
