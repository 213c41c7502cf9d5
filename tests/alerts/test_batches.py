"""The same done to many alerts in one transaction comes to what it would come to one by one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from citywarden.alerts import archive, outbox
from citywarden.alerts.desk import AsyncDesk, Desk
from citywarden.model.alert import Alert, AlertQuery, Severity, Status
from citywarden.model.dispatch import AlertDeed, Doing
from citywarden.model.errors import NotFound, Unavailable
from tests.alerts.alert_builders import MINUTE_MS, NOW_MS, file_engine, finding
from tests.alerts.test_life import living, say

LATER_MS = NOW_MS + 5 * MINUTE_MS
DEEDS = [
    AlertDeed(Doing.ACKNOWLEDGE, "Li", "seen"),
    AlertDeed(Doing.ASSIGN, "Li", None, "Wang"),
    AlertDeed(Doing.NOTE, "Li", "mud"),
    AlertDeed(Doing.RESOLVE, "Li"),
    AlertDeed(Doing.CLOSE, "Li", "done"),
]


def evening(front: Desk) -> None:
    """A gateway that is gone with what it explains, something that flaps, alerts in every state there is."""
    say(front, "major", 0, "gw1", rule="gateway.no_data", kind="gateway")
    for n, subject in enumerate(("l1", "l2")):
        say(front, "minor", 0.2 + n, subject, rule="lamp.no_data", kind="streetlight")
    for n in range(5):
        say(front, "minor" if n % 2 == 0 else "ok", 1 + 0.1 * n, "flaps")
    for subject, level in (("g1", "critical"), ("g2", "major"), ("g3", "info")):
        say(front, level, 2, subject)
    front.apply([finding("major", NOW_MS, "pending", pending=True)], NOW_MS + 2 * MINUTE_MS, {})
    front.apply([finding("major", NOW_MS - 60 * MINUTE_MS, "stale")], NOW_MS + 2 * MINUTE_MS, {})
    front.acknowledge(id_of(front, "g2"), "Chen", None, NOW_MS + 3 * MINUTE_MS)
    say(front, "ok", 4, "g3")


def alerts(front: Desk) -> dict[str, Alert]:
    with front.engine.connect() as connection:
        rows = connection.exec_driver_sql("select id from alert order by raised_ms, rule, subject").scalars().all()
    return {alert.id: alert for alert in map(front.get, rows)}


def id_of(front: Desk, subject: str) -> str:
    return next(alert.id for alert in alerts(front).values() if alert.subject == subject and alert.open)


def outcome(front: Desk) -> Sequence[object]:
    """Everything that others see of the alerts: as they are, what happened to each, and who was told of what."""
    front.tick(LATER_MS + 40 * MINUTE_MS)
    states = [
        (a.rule, a.subject, a.status, a.acknowledged_by, a.assigned_to, a.note, a.hold, a.closed_by, a.updated_ms,
         [(e.change, e.at_ms, e.by, e.note, e.alert.hold) for e in front.history(a.id)])
        for a in alerts(front).values()
    ]  # fmt: skip
    told = [
        (d.target, d.notice.change, d.notice.alert.subject, d.notice.alert.rule, d.created_ms)
        for d in front.read(lambda connection: outbox.find(connection, limit=1000)).items
    ]
    return [states, told, [(a.rule, a.subject) for a in front.open()], asdict(front.counters)]


@pytest.mark.parametrize(("deed", "backwards"), list(product(DEEDS, (False, True))), ids=str)
def test_many_at_once_is_what_one_by_one_is(tmp_path: Path, engine: Engine, deed: AlertDeed, backwards: bool) -> None:
    twin = tmp_path / "twin"
    twin.mkdir()
    together, single = living(engine), living(file_engine(twin))
    for front in (together, single):
        evening(front)
    ids = list(alerts(together))[:: -1 if backwards else 1]
    done = together.do_all([*ids, "nobody's"], deed, LATER_MS)
    assert [alert.id for alert in done] == ids
    assert done == [together.get(one) for one in ids]
    for one in list(alerts(single))[:: -1 if backwards else 1]:
        assert single.do_all([one], deed, LATER_MS)
    assert outcome(together) == outcome(single)
    assert outcome(living(engine))[:3] == outcome(single)[:3], "and the same after a restart"


def test_what_is_not_committed_has_not_happened(tmp_path: Path) -> None:
    engine = file_engine(tmp_path)
    front = living(engine)
    evening(front)
    before, ids = alerts(front), list(alerts(front))

    def lose(_: object) -> None:
        raise OperationalError("COMMIT", {}, Exception("server closed the connection"))

    event.listen(engine, "commit", lose)
    with pytest.raises(Unavailable):
        front.do_all(ids, AlertDeed(Doing.RESOLVE, "Li"), LATER_MS)
    event.remove(engine, "commit", lose)
    assert alerts(front) == before
    assert {alert.id for alert in front.open()} == {a.id for a in before.values() if a.open and a.status != "pending"}
    assert len(front.do_all(ids, AlertDeed(Doing.RESOLVE, "Li"), LATER_MS)) == len(ids)
    assert front.open() == []


def test_those_that_match_are_counted_by_severity(engine: Engine) -> None:
    front = living(engine)
    evening(front)
    front.do_all([id_of(front, "g1"), id_of(front, "g2")], AlertDeed(Doing.RESOLVE, "Li"), LATER_MS)
    for query in (
        AlertQuery(),
        AlertQuery(Status.RESOLVED),
        AlertQuery(subject="flaps", limit=1),
        AlertQuery(text="g"),
    ):
        matching = front.find(replace(query, limit=1000)).items
        severe = replace(query, severity=Severity.CRITICAL)
        assert front.read(partial(archive.count, query=severe)) == Counter(a.severity for a in matching)


def test_another_process_that_was_first_is_not_overwritten(engine: Engine) -> None:
    front, other = living(engine), living(engine)
    for subject in ("g1", "g2"):
        say(front, "major", 0, subject)
    other.tick(NOW_MS + MINUTE_MS)
    other.acknowledge(id_of(other, "g1"), "Chen", None, NOW_MS + MINUTE_MS)
    front.do_all(list(alerts(front)), AlertDeed(Doing.ACKNOWLEDGE, "Li"), LATER_MS)
    assert {a.subject: a.acknowledged_by for a in alerts(front).values()} == {"g1": "Chen", "g2": "Li"}


def test_what_is_known_here_is_not_read_again(engine: Engine) -> None:
    front = living(engine)
    front.apply([finding("major", subject=f"g{n}") for n in range(50)], NOW_MS, {})
    front.tick(NOW_MS)
    ids, read = list(alerts(front)), list[str]()
    event.listen(engine, "before_cursor_execute", lambda *said: read.append(said[2]))
    front.do_all(ids, AlertDeed(Doing.ACKNOWLEDGE, "Li"), LATER_MS)
    selects = [statement for statement in read if statement.startswith("SELECT")]
    assert len(selects) == 1
    assert "summary" not in selects[0]


def test_only_a_tenants_own_are_touched_and_one_that_is_unknown_alone_is_an_error(engine: Engine) -> None:
    front = living(engine)
    say(front, "major", 0, "g1")
    say(front, "major", 0, "g1", tenant="another")
    ids = list(alerts(front))
    [mine] = front.do_all(ids, AlertDeed(Doing.CLOSE, "Li"), LATER_MS, "another")
    assert mine.tenant == "another"
    assert [alert.tenant for alert in front.open()] == ["t"]
    assert front.do_all(["nobody's"], AlertDeed(Doing.CLOSE, "Li"), LATER_MS) == []
    with pytest.raises(NotFound, match='no alert "nobody\'s"'):
        front.close("nobody's", "Li", None, LATER_MS)


async def test_many_go_in_one_transaction_and_listeners_hear_of_each(tmp_path: Path) -> None:
    engine = file_engine(tmp_path)
    front = living(engine)
    front.apply([finding("major", subject=f"g{n}") for n in range(1200)], NOW_MS, {})
    desk, heard, commits = AsyncDesk(front, lambda: LATER_MS), list[Alert](), list[object]()
    desk.subscribe(heard.extend)
    event.listen(engine, "commit", commits.append)
    ids = list(alerts(front))
    done = await desk.do_all([*ids, *ids[:50]], AlertDeed(Doing.ACKNOWLEDGE, "Li"))
    await desk.close()
    assert len(commits) == 1
    assert done == heard and [alert.id for alert in done] == ids
    assert {alert.acknowledged_by for alert in done} == {"Li"}
