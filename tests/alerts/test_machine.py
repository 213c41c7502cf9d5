"""The life of an alert, one scenario a test."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citywarden.alerts.machine import Birth, Change, Policy, Step, acknowledge, resolve, step
from citywarden.model.alert import Alert, Reason, Severity, Status
from tests.alerts.alert_builders import MINUTE_MS, NOW_MS, after, alert, finding


def test_a_finding_opens_an_alert_and_is_told() -> None:
    opened = after(None, "major", 0)
    assert (opened.change, opened.tell) == (Change.OPENED, True)
    assert opened.alert is not None
    assert (opened.alert.status, opened.alert.severity) == (Status.FIRING, Severity.MAJOR)
    assert (opened.alert.raised_ms, opened.alert.district, opened.alert.reason) == (NOW_MS, "Futian", "threshold")


def test_nothing_open_and_nothing_wrong_is_nothing() -> None:
    assert after(None, "ok") == Step(None, Change.UNCHANGED, tell=False)


def test_pending_is_told_to_nobody_until_its_hold_time_has_passed() -> None:
    waiting = after(None, "major", 0, pending=True)
    assert (waiting.change, waiting.tell) == (Change.PENDING, False)
    fired = after(waiting.alert, "major", 2)
    assert (fired.change, fired.tell) == (Change.FIRED, True)
    assert fired.alert is not None
    assert (fired.alert.status, fired.alert.raised_ms) == (Status.FIRING, NOW_MS + 2 * MINUTE_MS)


def test_pending_that_comes_to_nothing_leaves_nothing() -> None:
    waiting = after(None, "major", 0, pending=True).alert
    assert after(waiting, "major", pending=True).change is Change.UNCHANGED
    assert after(waiting, "critical", pending=True).change is Change.PENDING
    assert after(waiting, "ok") == Step(None, Change.CANCELLED, tell=False)


def test_a_higher_level_that_is_only_pending_changes_nothing() -> None:
    assert after(alert("major"), "critical", pending=True) == Step(alert("major"), Change.UNCHANGED, tell=False)


def test_an_acknowledged_alert_that_rises_fires_again() -> None:
    taken = acknowledge(alert("major"), "Li", "on my way", NOW_MS).alert
    assert taken is not None
    assert (taken.status, taken.acknowledged_by, taken.note) == (Status.ACKNOWLEDGED, "Li", "on my way")
    risen = after(taken, "critical")
    assert (risen.change, risen.tell) == (Change.ESCALATED, True)
    assert risen.alert is not None
    assert (risen.alert.status, risen.alert.acknowledged_by) == (Status.FIRING, None)


def test_an_acknowledged_alert_that_falls_stays_acknowledged() -> None:
    lowered = after(alert("critical", Status.ACKNOWLEDGED, acknowledged_by="Li"), "minor")
    assert (lowered.change, lowered.tell) == (Change.LOWERED, True)
    assert lowered.alert is not None
    assert (lowered.alert.status, lowered.alert.acknowledged_by) == (Status.ACKNOWLEDGED, "Li")
    assert lowered.alert.severity is Severity.MINOR


@pytest.mark.parametrize("status", [Status.FIRING, Status.ACKNOWLEDGED])
def test_an_ok_resolves(status: Status) -> None:
    cleared = after(alert(status=status), "ok", 3, value=12.0)
    assert (cleared.change, cleared.tell) == (Change.CLEARED, True)
    assert cleared.alert is not None
    assert (cleared.alert.status, cleared.alert.resolved_ms) == (Status.RESOLVED, NOW_MS + 3 * MINUTE_MS)
    assert (cleared.alert.reason, cleared.alert.value) == ("cleared", 12.0)


def test_levels_with_reset_go_up_and_down() -> None:
    current: Alert | None = None
    changes, told = [], 0
    for minute, level in enumerate(["info", "minor", "minor", "critical", "info", "info", "ok"]):
        outcome = after(current, level, minute)
        current = outcome.alert
        changes.append(outcome.change.value)
        told += outcome.tell
    assert changes == ["opened", "escalated", "unchanged", "escalated", "lowered", "unchanged", "cleared"]
    assert told == 5


def old(level: str, current: Alert | None = None, minutes: float = 16) -> Step:
    """A finding that is `minutes` old when it is judged, at NOW_MS."""
    return step(current, finding(level, NOW_MS - round(minutes * MINUTE_MS)), NOW_MS, Policy(), Birth("a1"))


def test_an_old_event_is_recorded_and_pages_nobody() -> None:
    assert old("major", minutes=15).tell
    recorded = old("major")
    assert (recorded.change, recorded.tell) == (Change.STALE, False)
    assert recorded.alert is not None
    assert recorded.alert.stale
    assert recorded.alert.status is Status.FIRING


def test_the_end_of_an_alert_nobody_heard_of_is_told_to_nobody() -> None:
    recorded = old("major").alert
    assert recorded is not None
    for ended in (after(recorded, "ok"), resolve(recorded, "Li", None, NOW_MS)):
        assert ended.alert is not None
        assert (ended.alert.status, ended.tell) == (Status.RESOLVED, False)
    assert not acknowledge(recorded, "Li", None, NOW_MS).tell


def test_a_recorded_alert_that_still_holds_is_told_then() -> None:
    confirmed = after(old("major").alert, "major")
    assert (confirmed.change, confirmed.tell) == (Change.CONFIRMED, True)
    assert confirmed.alert is not None
    assert not confirmed.alert.stale


def test_an_old_rise_of_a_told_alert_pages_nobody_but_its_end_is_told() -> None:
    told = alert("major", raised_ms=NOW_MS - 20 * MINUTE_MS)
    risen = old("critical", told)
    assert (risen.change, risen.tell) == (Change.ESCALATED, False)
    assert after(risen.alert, "ok").tell


def test_late_news_never_calms() -> None:
    raised = alert("major")
    assert after(raised, "ok", -1) == Step(raised, Change.LATE, tell=False)
    assert after(raised, "minor", -1) == Step(raised, Change.LATE, tell=False)
    assert after(raised, "critical", -1).change is Change.ESCALATED


def test_data_that_comes_back_ends_a_silence_whatever_its_own_time() -> None:
    ended = after(alert("minor", reason="no_data"), "ok", -5, reason=Reason.DATA_BACK)
    assert ended.alert is not None
    assert (ended.change, ended.alert.reason, ended.alert.resolved_ms) == (Change.CLEARED, "data_back", NOW_MS)


def test_by_hand() -> None:
    ended = resolve(alert(), "Li", "valve closed", NOW_MS + 5)
    assert ended.alert is not None
    assert (ended.alert.reason, ended.alert.note, ended.alert.resolved_ms) == ("by_hand", "valve closed", NOW_MS + 5)
    assert acknowledge(ended.alert, "Li", None, NOW_MS).change is Change.UNCHANGED
    assert resolve(ended.alert, "Li", None, NOW_MS).change is Change.UNCHANGED
    again = acknowledge(alert(status=Status.ACKNOWLEDGED, acknowledged_by="Li"), "Wang", "me too", NOW_MS)
    assert again.alert is not None
    assert (again.change, again.alert.acknowledged_by, again.alert.note) == (Change.NOTED, "Li", "me too")


@given(st.lists(st.tuples(st.sampled_from(["ok", "minor", "major", "critical"]), st.booleans()), max_size=30))
def test_whatever_comes_the_last_word_counts_and_the_second_time_changes_nothing(
    words: list[tuple[str, bool]],
) -> None:
    current: Alert | None = None
    for minute, (level, pending) in enumerate(words):
        said = finding(level, NOW_MS + minute * MINUTE_MS, pending=pending and level != "ok")
        for _ in range(2):
            outcome = step(current, said, said.at_ms, Policy(), Birth(f"a{minute}"))
            current = outcome.alert if outcome.alert and outcome.alert.open else None
        assert outcome.change is Change.UNCHANGED
        assert not outcome.tell
        if level == "ok":
            assert current is None
        elif not said.pending:
            assert current is not None
            assert current.severity.word == level
