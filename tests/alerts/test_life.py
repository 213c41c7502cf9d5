"""An alert's life beside machine and desk: reminders, escalation, silences, inhibition, flapping; time passed in."""

from collections.abc import Sequence
from datetime import timedelta, timezone

import pytest
from sqlalchemy import Engine

from citywarden.alerts import outbox, silences
from citywarden.alerts.desk import Desk
from citywarden.alerts.matching import Matcher
from citywarden.alerts.outbox import Delivery
from citywarden.alerts.routefile import parse_routes
from citywarden.alerts.silences import Silence
from citywarden.model.alert import Finding, Severity, Status
from citywarden.model.device import Profile
from citywarden.model.errors import CitywardenError, NotFound
from tests.alerts.alert_builders import MINUTE_MS, NOW_MS, finding

FILE = """
targets:
- {name: team, url: "http://127.0.0.1:9/"}
- {name: boss, url: "http://127.0.0.1:9/"}
- {name: night, url: "http://127.0.0.1:9/"}
routes:
- {to: team, repeat: 30m}
- {to: boss, severity: major, after: 10m}
- {to: night, kind: gas, hours: "22:00-06:00", days: [mon]}
inhibitions:
- {by: gateway, source: {rule: gateway.no_data}, target: {rule: "*.no_data"}, linger: 1m}
- {by: underpass, source: {rule: flood.depth, severity: major}, target: {kind: pump, up_to: minor}}
flapping: {turns: 4, within: 30m, calm: 15m}
"""
PROFILES: dict[str, Profile] = {
    "l1": {"gateway": "gw1"}, "l2": {"gateway": "gw2"}, "w1": {"underpass": "A"}, "p1": {"underpass": "A"},
}  # fmt: skip


def living(engine: Engine) -> Desk:
    """A desk with the routing of FILE, in Shenzhen."""
    routing = parse_routes(FILE, "routes.yaml", timezone(timedelta(hours=8)), "en")
    return Desk(engine, routing.routes, manners=routing.manners, profile_of=lambda _t, _k, s: PROFILES.get(s, {}))


def say(front: Desk, level: str, minutes: float, subject: str = "g1", **known: object) -> None:
    at_ms = NOW_MS + round(minutes * MINUTE_MS)
    front.apply([finding(level, at_ms, subject, **known)], at_ms, {})


def told(front: Desk, minutes: float | None = None) -> Sequence[str]:
    """`target change subject` of every message so far, oldest first, after a tick."""
    if minutes is not None:
        front.tick(NOW_MS + round(minutes * MINUTE_MS))
    items: Sequence[Delivery] = front.read(lambda c: outbox.find(c, limit=1000)).items
    return [f"{d.target} {d.notice.change} {d.notice.alert.subject}" for d in reversed(items)]


def hold_of(front: Desk, subject: str = "g1") -> str:
    return next(a.hold for a in front.open() if a.subject == subject)


def test_reminders_until_somebody_acknowledges_also_after_a_restart(engine: Engine) -> None:
    front = living(engine)
    say(front, "minor", 0)
    assert told(front, 29.9) == ["team opened g1"]
    assert told(front, 30) == ["team opened g1", "team reminded g1"]
    front = living(engine)
    assert told(front, 59.9)[2:] == []
    assert told(front, 60)[2:] == ["team reminded g1"]
    front.acknowledge(front.open()[0].id, "Li", None, NOW_MS + 61 * MINUTE_MS)
    assert told(front, 600)[3:] == ["team acknowledged g1"]


def test_who_is_next_hears_when_nobody_acknowledges(engine: Engine) -> None:
    front = living(engine)
    say(front, "major", 0)
    say(front, "minor", 0, "g2")
    assert told(front, 9.9) == ["team opened g1", "team opened g2"]
    assert told(living(engine), 10)[2:] == ["boss overdue g1"]
    front = living(engine)
    assert told(front, 29)[3:] == []
    say(front, "ok", 29)
    assert told(front)[3:] == ["boss cleared g1", "team cleared g1"]


def test_an_acknowledged_alert_that_rises_starts_the_clock_anew(engine: Engine) -> None:
    front = living(engine)
    say(front, "major", 0)
    front.acknowledge(front.open()[0].id, "Li", None, NOW_MS + 5 * MINUTE_MS)
    assert told(front, 20) == ["team opened g1", "team acknowledged g1"]
    say(front, "critical", 21)
    assert told(front, 30.9)[2:] == ["team escalated g1"]
    assert told(front, 31)[3:] == ["boss overdue g1"]


def test_a_schedule_that_begins_finds_what_is_still_open(engine: Engine) -> None:
    front = living(engine)
    say(front, "info", 0)
    say(front, "info", 0, "w9", kind="waterlogging")
    at_ten = 10 * 60
    assert "night" not in " ".join(told(front, at_ten - 1))
    assert [line for line in told(front, at_ten) if line.startswith("night")] == ["night released g1"]
    say(front, "info", at_ten + 200, "g5")
    assert sorted(told(front)[-2:]) == ["night opened g5", "team opened g5"]
    day_later = at_ten + 24 * 60
    say(front, "info", day_later, "g6")
    assert not [line for line in told(front, day_later + 1) if line.startswith("night") and line.endswith("g6")]


def a_silence(minutes: float = 60, **matcher: tuple[str, ...]) -> Silence:
    return Silence(NOW_MS, NOW_MS + round(minutes * MINUTE_MS), "Li", "works on site", Matcher(**matcher))  # type: ignore[arg-type]


def test_a_silence_holds_back_and_its_end_releases_what_still_fires(engine: Engine) -> None:
    front = living(engine)
    front.silence(a_silence(subject=("g*",)), NOW_MS)
    say(front, "major", 1)
    say(front, "major", 1, "g2")
    say(front, "major", 1, "w1", kind="waterlogging", rule="flood.depth")
    say(front, "ok", 5, "g2")
    assert told(front, 8) == ["team opened w1"]
    [held] = [a for a in front.open() if a.subject == "g1"]
    assert [(e.change.value, e.alert.hold) for e in front.history(held.id)] == [("opened", "silenced")]
    assert told(front, 12)[1:] == ["boss overdue w1"]
    front = living(engine)
    assert told(front, 59) == ["team opened w1", "boss overdue w1", "team reminded w1"]
    assert hold_of(front) == "silenced"
    assert told(front, 60)[3:] == ["team released g1"]
    assert hold_of(front) == ""
    assert "boss overdue g1" not in told(front, 69.9)
    assert told(front, 70)[-1] == "boss overdue g1"


def test_a_silence_on_something_told_stops_reminders_but_its_end_is_told(engine: Engine) -> None:
    front = living(engine)
    say(front, "major", 0)
    [held] = front.silence(a_silence(rule=("gas.*",)), NOW_MS + MINUTE_MS)
    assert (held.hold, held.status) == ("silenced", Status.FIRING)
    say(front, "critical", 20)
    assert told(front, 40) == ["team opened g1"]
    say(front, "ok", 41)
    assert told(front)[1:] == ["team cleared g1"]


def test_silences_are_checked_listed_and_cut_short(engine: Engine) -> None:
    front = living(engine)
    with pytest.raises(CitywardenError, match="not in the past"):
        front.silence(a_silence(-1), NOW_MS)
    with pytest.raises(CitywardenError, match="why"):
        front.silence(Silence(NOW_MS, NOW_MS + 1, "Li", " ", Matcher()), NOW_MS)
    made = a_silence(tenant=("t",), district=("",))
    front.silence(made, NOW_MS)
    say(front, "major", 1)
    [released] = front.end_silence(made.id, "Wang", NOW_MS + 2 * MINUTE_MS)
    assert (released.hold, told(front)) == ("", ["team released g1"])
    with pytest.raises(NotFound):
        front.end_silence("none", "Wang", NOW_MS)


def test_an_offline_gateway_explains_its_devices_silence(engine: Engine) -> None:
    front = living(engine)

    def no_data(kind: str, subject: str) -> Finding:
        return finding("minor", NOW_MS, subject, kind=kind, rule=f"{kind}.no_data")

    # In one batch, the gateway last.
    front.apply([no_data("streetlight", s) for s in ("l1", "l2", "l3")] + [no_data("gateway", "gw1")], NOW_MS, {})
    assert sorted(told(front)) == ["team opened gw1", "team opened l2", "team opened l3"]
    assert hold_of(front, "l1") == "inhibited"
    say(front, "ok", 5, "gw1", kind="gateway", rule="gateway.no_data")
    assert told(living(engine), 5.9)[-1] == "team cleared gw1"
    assert told(living(engine), 6)[-1] == "team released l1"


def test_a_flooded_underpass_explains_its_pumps_smaller_alerts(engine: Engine) -> None:
    front = living(engine)
    say(front, "minor", 0, "p1", kind="pump", rule="pump.current")
    say(front, "minor", 1, "w1", kind="waterlogging", rule="flood.depth")
    assert told(front, 2) == ["team opened p1", "team opened w1"]
    say(front, "major", 3, "w1", kind="waterlogging", rule="flood.depth")
    assert told(front, 3.1)[2:] == ["team escalated w1"]
    assert hold_of(front, "p1") == "inhibited"
    say(front, "major", 4, "p1", kind="pump", rule="pump.current")
    assert told(front)[3:] == ["team escalated p1"]
    assert hold_of(front, "p1") == ""


def test_what_flaps_is_told_once_more_and_then_when_it_is_calm(engine: Engine) -> None:
    front = living(engine)
    for turn in range(6):
        say(front, "minor", 2 * turn)
        say(front, "ok", 2 * turn + 1)
    assert told(front, 12) == ["team opened g1", "team cleared g1"] * 4
    say(front, "minor", 13)
    assert (hold_of(front), told(living(engine), 27.9)) == ("flapping", told(front))
    assert told(living(engine), 28)[8:] == ["team released g1"]


def test_a_worse_turn_of_what_flaps_is_told(engine: Engine) -> None:
    front = living(engine)
    for turn in range(4):
        say(front, "minor", turn)
        say(front, "info", turn + 0.5)
    assert hold_of(front) == "flapping"
    so_far = list(told(front))
    say(front, "minor", 5)
    assert told(front) == so_far
    say(front, "critical", 6)
    assert told(front) == [*so_far, "team escalated g1"]


def test_assigned_and_closed(engine: Engine) -> None:
    front = living(engine)
    say(front, "major", 0)
    [raised] = front.open()
    given = front.assign(raised.id, "Li", "Wang", "please look", NOW_MS + 1)
    assert (given.status, given.acknowledged_by, given.assigned_to) == (Status.ACKNOWLEDGED, "Li", "Wang")
    assert front.assign(raised.id, "Li", "Wang", None, NOW_MS + 2) == given
    say(front, "ok", 1)
    say(front, "major", 2)
    filed = front.close(raised.id, "Zhao", "valve replaced", NOW_MS + 3 * MINUTE_MS)
    assert (filed.status, filed.closed_by, filed.note) == (Status.RESOLVED, "Zhao", "valve replaced")
    assert front.close(raised.id, "Qian", None, NOW_MS + 4 * MINUTE_MS).closed_by == "Zhao"
    assert [e.change.value for e in front.history(raised.id)] == ["opened", "assigned", "cleared", "closed"]
    [again] = front.open()
    assert again.id != raised.id
    ended = front.close(again.id, "Zhao", None, NOW_MS + 5 * MINUTE_MS)
    assert (ended.status, ended.reason, front.open()) == (Status.RESOLVED, "by_hand", [])
    assert told(front)[-1] == "team closed g1"
    assert front.counters.resolved == 2


def test_a_tick_takes_in_what_another_process_did(engine: Engine) -> None:
    server = living(engine)
    say(server, "critical", 0)
    command = living(engine)
    [raised] = command.open()
    command.acknowledge(raised.id, "Li", None, NOW_MS + 1)
    [seen] = server.tick(NOW_MS + 2)
    assert (seen.status, server.open()) == (Status.ACKNOWLEDGED, [seen])
    assert server.tick(NOW_MS + 3) == []
    command.resolve(raised.id, "Li", None, NOW_MS + 4)
    assert [a.status for a in server.tick(NOW_MS + 5)] == [Status.RESOLVED]
    assert server.open() == []
    command.silence(a_silence(kind=("gas",)), NOW_MS + 6)
    server.tick(NOW_MS + 7)
    say(server, "critical", 1)
    assert hold_of(server) == "silenced"


def test_what_is_recorded_only_is_never_reminded(engine: Engine) -> None:
    front = living(engine)
    front.apply([finding("critical", NOW_MS - 20 * MINUTE_MS)], NOW_MS, {})
    assert told(front, 600) == []
    assert front.open()[0].severity is Severity.CRITICAL


def test_what_is_overdue_and_what_is_repeated_at_the_same_time_are_both_told(engine: Engine) -> None:
    file = FILE.replace("after: 10m", "after: 30m")
    routing = parse_routes(file, "routes.yaml", timezone(timedelta(hours=8)), "en")
    front = Desk(engine, routing.routes, manners=routing.manners)
    say(front, "major", 0)
    assert told(front, 30) == ["team opened g1", "boss overdue g1", "team reminded g1"]
    assert [e.change.value for e in front.history(front.open()[0].id)] == ["opened", "overdue", "reminded"]
    assert (front.counters.overdue, front.counters.reminded) == (1, 1)
    assert len(told(front, 30.5)) == 3
    assert told(front, 60)[3:] == ["team reminded g1"]


def test_a_note_changes_nothing_else(engine: Engine) -> None:
    front = living(engine)
    say(front, "major", 0)
    [raised] = front.open()
    noted = front.remark(raised.id, "Li", "it smells", NOW_MS + 5)
    assert (noted.status, noted.note, noted.acknowledged_by) == (Status.FIRING, "it smells", None)
    assert len(told(front)) == 1
    front.close(raised.id, "Li", None, NOW_MS + 6)
    assert front.remark(raised.id, "Wang", "a valve", NOW_MS + 7).closed_by == "Li"
    lines = [(e.change.value, e.by, e.note) for e in front.history(raised.id)]
    assert lines[1::2] == [("noted", "Li", "it smells"), ("noted", "Wang", "a valve")]
    with pytest.raises(NotFound):
        front.remark("none", "Li", "?", NOW_MS)


def test_a_silence_may_be_about_lesser_alerts_only(engine: Engine) -> None:
    front = living(engine)
    matcher = Matcher(rule=("gas.*",), up_to=Severity.MINOR)
    front.silence(Silence(NOW_MS, NOW_MS + 60 * MINUTE_MS, "Li", "works", matcher, NOW_MS), NOW_MS)
    say(front, "minor", 1)
    say(front, "major", 1, "g2")
    assert (hold_of(front), hold_of(front, "g2")) == ("silenced", "")
    [kept] = front.read(silences.find).items
    assert kept.matcher == matcher


def test_what_came_and_went_long_ago_is_not_remembered(engine: Engine) -> None:
    """Days of new subjects, each with an alert that ended: only those of the last half hour may still flap."""
    front = living(engine)
    for n in range(300):
        say(front, "minor", n, f"gw{n}", rule="gateway.no_data")
        say(front, "ok", n + 0.5, f"gw{n}", rule="gateway.no_data")
        front.tick(NOW_MS + round((n + 0.6) * MINUTE_MS))
        assert front.remembered <= 35
    front.tick(NOW_MS + 400 * MINUTE_MS)
    assert front.remembered == 0
