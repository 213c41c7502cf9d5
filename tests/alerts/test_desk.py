"""The desk against a real database: what is written together, what survives, what two writers do to each other."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, select
from sqlalchemy.exc import IntegrityError

from citywarden.alerts import tables
from citywarden.alerts.records import alert_row, entry_of, freeze, thaw
from citywarden.database import metadata
from citywarden.model.alert import Alert, AlertQuery, Severity, Status
from citywarden.model.errors import NotFound, Unavailable
from tests.alerts.alert_builders import MINUTE_MS, NOW_MS, desk, file_engine, finding, target


def rows(engine: Engine, what: str) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(metadata.tables[what])).scalar_one()


def sent(engine: Engine) -> list[tuple[str, str, str]]:
    """(target, change, severity) of every message in the outbox, in order."""
    o, e = tables.outbox, tables.alert_event
    wanted = select(o.c.target, e.c.change, e.c.snapshot).join(e, o.c.event_id == e.c.id).order_by(o.c.seq)
    with engine.connect() as connection:
        return [(t, change, thaw(snapshot).severity.word) for t, change, snapshot in connection.execute(wanted)]


def test_an_alert_its_history_its_message_and_the_position_are_one(engine: Engine) -> None:
    front = desk(engine, target())
    [raised] = front.apply([finding("major")], NOW_MS, {0: 7})
    assert (raised.district, raised.status) == ("Futian", Status.FIRING)
    assert front.open() == [raised] == [front.get(raised.id)]
    assert sent(engine) == [("dispatch", "opened", "major")]
    assert front.position() == {0: 7}
    assert [event.change.value for event in front.history(raised.id)] == ["opened"]


def test_everything_survives_a_restart(engine: Engine) -> None:
    first = desk(engine, target())
    first.apply([finding("major"), finding("minor", subject="g2", pending=True)], NOW_MS, {0: 7, 1: 3})
    first.save_snapshot("rules", {0: 5}, b"state")
    second = desk(engine, target())
    assert second.open() == first.open()
    assert second.open_keys() == [("gas.methane", "t", "gas", "g1", Severity.MAJOR)]
    assert second.position() == {0: 7, 1: 3}
    assert second.load_snapshot("rules") == ({0: 5}, b"state")
    assert second.load_snapshot("other") is None
    [fired] = second.apply([finding("minor", subject="g2")], NOW_MS, {1: 4})
    assert fired.subject == "g2"


def test_messages_that_were_judged_before_change_nothing(engine: Engine) -> None:
    front = desk(engine)
    front.apply([finding("major")], NOW_MS, {0: 7})
    front.apply([finding("ok", NOW_MS + 1)], NOW_MS + 1, {0: 9})
    assert desk(engine).apply([finding("major")], NOW_MS + 2, {0: 7}) == []
    assert front.find(AlertQuery()).items[0].status is Status.RESOLVED
    assert rows(engine, "alert") == 1


def test_positions_that_changed_nothing_are_saved_now_and_then(engine: Engine) -> None:
    front = desk(engine)
    front.apply([], NOW_MS, {0: 1})
    front.apply([], NOW_MS + 500, {0: 2})
    assert desk(engine).position() == {0: 1}
    front.apply([], NOW_MS + 1000, {0: 3})
    assert desk(engine).position() == {0: 3}
    front.save_position({0: 4})
    assert desk(engine).position() == {0: 4} == front.position()


def test_a_batch_may_open_close_and_open_again(engine: Engine) -> None:
    front = desk(engine, target())
    changed = front.apply(
        [finding("major"), finding("ok", NOW_MS + 1), finding("critical", NOW_MS + 2)], NOW_MS + 3, {}
    )
    assert [(a.status.value, a.severity.word) for a in changed] == [("resolved", "major"), ("firing", "critical")]
    assert [change for _, change, _ in sent(engine)] == ["opened", "cleared", "opened"]
    front.apply([finding("ok", NOW_MS + 4), finding("minor", NOW_MS + 5)], NOW_MS + 6, {})
    assert [a.severity for a in front.open()] == [Severity.MINOR]


def test_pending_alerts_come_and_go_without_a_trace(engine: Engine) -> None:
    front = desk(engine, target())
    assert front.apply([finding("major", pending=True)], NOW_MS, {}) == []
    assert front.open() == []
    assert len(front.find(AlertQuery(status=Status.PENDING)).items) == 1
    assert front.find(AlertQuery()).items == []
    assert front.apply([finding("ok", NOW_MS + 1), finding("major", subject="g2", pending=True)], NOW_MS + 1, {}) == []
    front.apply([finding("ok", NOW_MS + 2, subject="g2")], NOW_MS + 2, {})
    assert (rows(engine, "alert"), rows(engine, "alert_event"), rows(engine, "outbox")) == (0, 0, 0)


def test_who_was_told_of_the_rise_is_told_of_the_fall(engine: Engine) -> None:
    front = desk(engine, target("all"), target("boss", min_severity=Severity.CRITICAL))
    for minute, level in enumerate(["minor", "critical", "minor", "ok"]):
        at_ms = NOW_MS + minute * MINUTE_MS
        front.apply([finding(level, at_ms)], at_ms, {})
    heard = sent(engine)
    assert [change for name, change, _ in heard if name == "all"] == ["opened", "escalated", "lowered", "cleared"]
    assert [change for name, change, _ in heard if name == "boss"] == ["escalated", "lowered", "cleared"]


def test_old_events_are_in_the_history_and_not_in_the_outbox(engine: Engine) -> None:
    front = desk(engine, target())
    [recorded] = front.apply([finding("critical", NOW_MS - 16 * MINUTE_MS)], NOW_MS, {})
    front.apply([finding("ok", NOW_MS)], NOW_MS, {})
    assert [event.change.value for event in front.history(recorded.id)] == ["stale", "cleared"]
    assert sent(engine) == []
    assert (front.counters.raised, front.counters.suppressed, front.counters.resolved) == (1, 1, 1)


def test_people_take_alerts_on_and_end_them(engine: Engine) -> None:
    front = desk(engine, target())
    [raised] = front.apply([finding("major")], NOW_MS, {})
    assert front.acknowledge(raised.id, "Li", "on my way", NOW_MS + 1).acknowledged_by == "Li"
    assert front.resolve(raised.id, "Li", "valve closed", NOW_MS + 2).status is Status.RESOLVED
    assert front.resolve(raised.id, "Wang", "me too", NOW_MS + 3).note == "valve closed"
    assert [(e.change.value, e.by, e.note) for e in front.history(raised.id)] == [
        ("opened", None, None),
        ("acknowledged", "Li", "on my way"),
        ("resolved", "Li", "valve closed"),
    ]
    assert [change for _, change, _ in sent(engine)] == ["opened", "acknowledged", "resolved"]
    for unknown in (front.acknowledge, front.resolve):
        with pytest.raises(NotFound, match="no alert 'nobody'"):
            unknown("nobody", "Li", None, NOW_MS)


def test_pages_of_alerts(engine: Engine) -> None:
    front = desk(engine)
    for i in range(25):
        level = "critical" if i % 5 == 0 else "minor"
        front.apply([finding(level, subject=f"g{i}", rule="gas.h2s" if i > 19 else "gas.methane")], NOW_MS + i // 2, {})
    seen: list[Alert] = []
    cursor: str | None = None
    while True:
        page = front.find(AlertQuery(limit=7, cursor=cursor))
        seen += page.items
        if page.next is None:
            break
        cursor = page.next
    assert len(seen) == len({a.id for a in seen}) == 25
    assert [a.updated_ms for a in seen] == sorted((a.updated_ms for a in seen), reverse=True)
    assert len(front.find(AlertQuery(severity=Severity.CRITICAL)).items) == 5
    assert len(front.find(AlertQuery(rule="gas.h2s")).items) == 5
    assert len(front.find(AlertQuery(since_ms=NOW_MS + 12)).items) == 1
    assert front.find(AlertQuery(tenant="other")).items == front.find(AlertQuery(status=Status.RESOLVED)).items == []
    with pytest.raises(NotFound, match="cursor"):
        front.find(AlertQuery(cursor="nonsense"))


def test_what_was_resolved_long_ago_is_dropped_with_all_that_belongs_to_it(engine: Engine) -> None:
    front = desk(engine, target())
    front.apply([finding("major"), finding("major", subject="g2"), finding("ok")], NOW_MS, {})
    front.apply([finding("major", subject="g3"), finding("ok", subject="g3")], NOW_MS + 10, {})
    assert front.trim(NOW_MS + 5) == 1
    assert sorted(a.subject for a in front.find(AlertQuery()).items) == ["g2", "g3"]
    assert (rows(engine, "alert_event"), rows(engine, "outbox")) == (3, 3)


def test_one_open_alert_is_the_databases_word(engine: Engine) -> None:
    [raised] = desk(engine).apply([finding("major")], NOW_MS, {})
    with engine.connect() as connection:
        row = dict(connection.execute(select(tables.alert)).mappings().one())
    assert alert_row(entry_of(row)) == row
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(tables.alert), [row | {"id": "another"}])
    with engine.begin() as connection:
        connection.execute(insert(tables.alert), [row | {"id": "an old one", "status": "resolved"}])
    assert thaw(freeze(raised)) == raised


def test_two_desks_that_know_nothing_of_each_other_keep_one_alert(engine: Engine) -> None:
    one, other = desk(engine, target()), desk(engine, target())
    [raised] = one.apply([finding("major")], NOW_MS, {})
    assert other.apply([finding("major")], NOW_MS, {}) == []
    [risen] = other.apply([finding("critical", NOW_MS + 1)], NOW_MS + 1, {})
    assert risen.id == raised.id
    [ended] = one.apply([finding("ok", NOW_MS + 2)], NOW_MS + 2, {})
    assert (ended.id, ended.severity, ended.status) == (raised.id, Severity.CRITICAL, Status.RESOLVED)
    assert [change for _, change, _ in sent(engine)] == ["opened", "escalated", "cleared"]


def test_two_threads_race_for_the_same_subjects(engine: Engine) -> None:
    desks = [desk(engine, target()) for _ in range(2)]
    start = threading.Barrier(2)
    trouble: list[BaseException] = []

    def race(mine: int) -> None:
        try:
            for round_ in range(20):
                start.wait(10)
                at_ms = NOW_MS + round_
                level = "major" if round_ % 2 == 0 else "ok"
                desks[mine].apply([finding(level, at_ms, f"g{i}") for i in range(20)], at_ms, {mine: round_ + 1})
            desks[mine].save_position({mine: 20})
        except BaseException as error:
            trouble.append(error)
            start.abort()

    threads = [threading.Thread(target=race, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert rows(engine, "alert") == 10 * 20
    assert rows(engine, "outbox") == rows(engine, "alert_event") == 2 * 10 * 20
    assert desk(engine).position() == {0: 20, 1: 20}
    assert desk(engine).open() == []


def test_a_database_that_is_locked_is_unavailable_and_nothing_has_happened(tmp_path: Path) -> None:
    engine = file_engine(tmp_path)
    front = desk(engine, target())
    blocker = file_engine(tmp_path)
    with blocker.connect() as busy:
        busy.exec_driver_sql("BEGIN IMMEDIATE")
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=20")
        with pytest.raises(Unavailable, match="locked"):
            front.apply([finding("major")], NOW_MS, {0: 1})
        assert (front.open(), front.position()) == ([], {})
        busy.exec_driver_sql("ROLLBACK")
    [raised] = front.apply([finding("major")], NOW_MS, {0: 1})
    assert front.open() == [raised]


def test_five_thousand_findings_are_taken_in_at_once(engine: Engine) -> None:
    front = desk(engine, target())
    raised = front.apply([finding("major", subject=f"g{i}") for i in range(5000)], NOW_MS, {0: 1})
    assert len(raised) == len(front.open()) == rows(engine, "outbox") == 5000
    cleared = front.apply([finding("ok", NOW_MS + 1, f"g{i}") for i in range(5000)], NOW_MS + 1, {0: 2})
    assert len(cleared) == 5000
    assert front.open() == []


def test_alerts_are_found_by_what_they_are_and_what_is_said_of_them(engine: Engine) -> None:
    front = desk(engine)
    said = {"zh-CN": "积水 100%", "en": "Water"}
    front.apply(
        [finding("major"), finding("minor", subject="w1", kind="waterlogging", rule="flood", summary=said)], NOW_MS, {}
    )
    gas, water = (next(a.id for a in front.open() if a.subject == subject) for subject in ("g1", "w1"))
    front.assign(gas, "Li", "Wang", None, NOW_MS + 1)
    front.resolve(water, "Li", None, NOW_MS + 2)

    def ids(**asked: object) -> list[str]:
        return [a.id for a in front.find(AlertQuery(**asked)).items]  # type: ignore[arg-type]

    assert ids(kind="gas") == ids(subject="g1") == ids(district="Futian") == ids(assigned_to="Wang") == [gas]
    assert ids(assigned_to="") == ids(open=False) == [water]
    assert ids(open=True) == ids(text="METHANE") == ids(text="甲烷") == [gas]
    assert ids(text="100%") == [water]
    assert ids(text="1_0") == ids(raised_since_ms=NOW_MS + 1) == ids(raised_until_ms=NOW_MS) == []
