"""The life of a case, step by step."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citywarden.cases import machine
from citywarden.cases.machine import IN_CHINESE, RULES, Refusal, Refused, by_time, opened, possible, take
from citywarden.cases.timetable import PHASES
from citywarden.model.case import Case, Deed, Source, Stage, Step, Why
from citywarden.model.casetime import Clock, Limit, Phase
from citywarden.model.identity import Role
from tests.cases.case_builders import HOUR_MS, MINUTE_MS, MONDAY_MS, STRAIGHT, TABLE, at, deed, report


def fresh(source: Source = Source.PATROL, category: str = "streetlight_dark") -> Case:
    return opened(report(category, source=source), ("id", "20261123-0001"), MONDAY_MS, TABLE)[0]


def after(case: Case, *steps: Step, start_ms: int = MONDAY_MS) -> Case:
    """The case after steps, a minute between them."""
    for i, step in enumerate(steps, 1):
        case, _ = take(case, deed(step), start_ms + i * MINUTE_MS, TABLE)
    return case


def refusal(case: Case, wanted: Deed) -> Refusal:
    with pytest.raises(Refused) as caught:
        take(case, wanted, MONDAY_MS, TABLE)
    return caught.value.refusal


def test_the_straight_way() -> None:
    case = fresh()
    stages = []
    for i, step in enumerate(STRAIGHT, 1):
        case, event = take(case, deed(step), MONDAY_MS + i * HOUR_MS, TABLE)
        assert (event.change, event.by, event.stage) == (step, "Li", case.stage)
        stages.append(case.stage)
    assert stages == [Stage.ACCEPTED, Stage.FILED, Stage.DISPATCHED, Stage.HANDLING, Stage.HANDLED, Stage.CHECKED,
                      Stage.CLOSED]  # fmt: skip
    moments = (case.accepted_ms, case.filed_ms, case.dispatched_ms, case.begun_ms, case.handled_ms, case.checked_ms,
               case.closed_ms)  # fmt: skip
    assert moments == tuple(MONDAY_MS + i * HOUR_MS for i in range(1, 8))
    assert (case.unit, case.open, case.deadline, case.ended_ms) == ("lighting", False, None, case.closed_ms)


def test_a_public_report_is_verified_on_site_first() -> None:
    case = fresh(Source.PUBLIC)
    assert refusal(case, deed(Step.ACCEPT)) is Refusal.NOT_VERIFIED
    assert after(case, Step.VERIFY, Step.ACCEPT).stage is Stage.ACCEPTED
    assert refusal(fresh(), deed(Step.VERIFY)) is Refusal.WRONG_STAGE


def test_each_phase_has_its_deadline_and_the_whole_runs_from_filing() -> None:
    case = fresh(category="missed_road")
    assert case.deadline is not None
    assert (case.deadline.phase, case.deadline.due_ms) == (Phase.INTAKE, MONDAY_MS + 30 * MINUTE_MS)
    accepted = after(case, Step.ACCEPT)
    assert accepted.deadline == case.deadline  # one phase, one deadline
    filed = after(accepted, Step.FILE)
    assert filed.deadline is not None
    assert filed.whole is not None
    assert (filed.deadline.phase, filed.whole.due_ms) == (Phase.DISPATCH, at("2026-11-25 18:00"))
    given_out = after(filed, Step.DISPATCH, start_ms=at("2026-11-23 10:59"))
    assert given_out.deadline is not None
    assert given_out.deadline.due_ms == at("2026-11-23 17:00")  # 4 business hours from 11:00
    assert given_out.handle == given_out.deadline


def test_rework_goes_back_to_the_unit_with_a_deadline_of_its_own() -> None:
    done = after(fresh(), *STRAIGHT[:5])
    again, event = take(done, Deed(Step.REWORK, "Chen", why=Why.INCOMPLETE), at("2026-11-23 15:00"), TABLE)
    assert (again.stage, again.reworks, again.handled_ms) == (Stage.HANDLING, 1, None)
    assert again.deadline is not None
    assert again.deadline.due_ms == at("2026-11-24 10:00")  # 4 business hours
    assert (event.why, event.due_ms) == (Why.INCOMPLETE, again.deadline.due_ms)
    assert again.whole == done.whole
    assert after(again, Step.FINISH, Step.PASS, Step.CLOSE).stage is Stage.CLOSED


def test_an_extension_is_asked_for_and_granted() -> None:
    case = after(fresh(category="missed_road"), *STRAIGHT[:3])
    four = Limit(240, Clock.BUSINESS_HOURS)
    asked, _ = take(case, Deed(Step.ASK_EXTENSION, "Wu", why=Why.WEATHER, limit=four), MONDAY_MS, TABLE)
    assert asked.asked is not None
    assert asked.deadline == case.deadline
    assert refusal(asked, Deed(Step.ASK_EXTENSION, "Wu", why=Why.WEATHER, limit=four)) is Refusal.ASKED_ALREADY
    granted, event = take(asked, Deed(Step.GRANT_EXTENSION, "Chen"), MONDAY_MS, TABLE)
    assert case.deadline is not None
    assert case.deadline.due_ms is not None
    assert granted.deadline is not None
    assert granted.deadline.due_ms == TABLE.calendar.due(case.deadline.due_ms, four)
    assert granted.whole is not None
    assert granted.whole.due_ms == at("2026-11-26 15:00")
    assert (granted.extensions, granted.asked, event.limit) == (1, None, four)


def test_an_extension_is_refused() -> None:
    case = after(fresh(), *STRAIGHT[:4])
    asked, _ = take(case, Deed(Step.ASK_EXTENSION, "Wu", why=Why.PERMIT, limit=Limit(2, Clock.BUSINESS_DAYS)),
                    MONDAY_MS, TABLE)  # fmt: skip
    refused, _ = take(asked, Deed(Step.REFUSE_EXTENSION, "Chen", why=Why.NOT_NEEDED), MONDAY_MS, TABLE)
    assert (refused.asked, refused.extensions, refused.deadline) == (None, 0, case.deadline)


def test_a_transfer_gives_another_unit_the_whole_time() -> None:
    case = after(fresh(), *STRAIGHT[:4])
    moved, event = take(
        case, Deed(Step.TRANSFER, "Li", why=Why.WRONG_UNIT, unit="power"), at("2026-11-23 11:00"), TABLE
    )
    assert (moved.stage, moved.unit, moved.transfers, event.unit) == (Stage.DISPATCHED, "power", 1, "power")
    assert moved.deadline is not None
    assert moved.deadline.due_ms == at("2026-11-24 11:00")
    assert moved.dispatched_ms == case.dispatched_ms  # the rates count the first dispatch


@pytest.mark.parametrize(
    ("steps", "wanted", "why"),
    [
        ((), deed(Step.CLOSE), Refusal.WRONG_STAGE),
        ((), deed(Step.REJECT), Refusal.NO_REASON),
        ((), deed(Step.REJECT, why=Why.WEATHER), Refusal.WRONG_REASON),
        ((), deed(Step.REJECT, why=Why.OTHER), Refusal.NO_NOTE),
        ((), deed(Step.NOTE), Refusal.NO_NOTE),
        (STRAIGHT[:2], Deed(Step.DISPATCH, "Li"), Refusal.NO_UNIT),
        (STRAIGHT[:3], deed(Step.BEGIN, unit="power"), Refusal.ANOTHER_UNIT),
        (STRAIGHT[:3], deed(Step.TRANSFER, unit="lighting", why=Why.WRONG_UNIT), Refusal.SAME_UNIT),
        (STRAIGHT[:3], deed(Step.ASK_EXTENSION, why=Why.WEATHER), Refusal.NO_LIMIT),
        (STRAIGHT[:3], deed(Step.GRANT_EXTENSION), Refusal.NOT_ASKED),
        (STRAIGHT[:3], deed(Step.REJECT, why=Why.DUPLICATE), Refusal.WRONG_STAGE),
        (STRAIGHT, deed(Step.WITHDRAW, why=Why.BY_MISTAKE), Refusal.WRONG_STAGE),
        (STRAIGHT[:1], deed(Step.FILE, why=Why.OTHER, note="x"), Refusal.WRONG_REASON),
    ],
)
def test_what_is_refused(steps: tuple[Step, ...], wanted: Deed, why: Refusal) -> None:
    assert refusal(after(fresh(), *steps), wanted) is why


def test_rejected_and_withdrawn_cases_have_ended() -> None:
    rejected, _ = take(fresh(), deed(Step.REJECT, why=Why.DUPLICATE), MONDAY_MS, TABLE)
    withdrawn, _ = take(after(fresh(), *STRAIGHT[:4]), deed(Step.WITHDRAW, why=Why.BY_MISTAKE), MONDAY_MS, TABLE)
    assert (rejected.stage, withdrawn.stage) == (Stage.REJECTED, Stage.WITHDRAWN)
    assert not rejected.open
    assert (withdrawn.ended_ms, withdrawn.closed_ms, withdrawn.deadline) == (MONDAY_MS, None, None)
    assert possible(withdrawn, Role.ADMINISTRATOR) == [Step.NOTE]


def test_who_may_do_what() -> None:
    done = after(fresh(), *STRAIGHT[:5])
    assert possible(done, Role.VIEWER) == []
    assert possible(done, Role.DISPATCHER) == [Step.NOTE]
    assert possible(done, Role.SUPERVISOR) == [Step.PASS, Step.REWORK, Step.WITHDRAW, Step.NOTE]
    assert possible(fresh(), Role.DISPATCHER) == [Step.ACCEPT, Step.REJECT, Step.NOTE]


def test_near_and_overdue_are_told_once_each() -> None:
    case = fresh()  # 30 minutes to 立案
    assert by_time(case, MONDAY_MS + 20 * MINUTE_MS) is None
    near = by_time(case, MONDAY_MS + 24 * MINUTE_MS)
    assert near is not None
    assert (near[1].change, by_time(near[0], MONDAY_MS + 25 * MINUTE_MS)) == ("near_due", None)
    late = by_time(near[0], MONDAY_MS + 31 * MINUTE_MS)
    assert late is not None
    assert (late[1].change, by_time(late[0], MONDAY_MS + 99 * MINUTE_MS)) == ("overdue", None)
    filed = after(late[0], Step.ACCEPT, Step.FILE)
    assert (filed.told_near, filed.told_overdue) == (False, False)  # another phase, another deadline


def test_a_deadline_beyond_the_known_years_is_open_until_it_can_be_counted() -> None:
    late_ms = at("2026-12-31 17:00")
    case, _ = opened(report("damaged_road"), ("id", "1"), late_ms, TABLE)
    given_out = after(case, *STRAIGHT[:3], start_ms=late_ms)
    assert given_out.deadline is not None
    assert (given_out.deadline.due_ms, given_out.deadline.unknown_year) == (None, 2027)
    assert by_time(given_out, late_ms + 10**10) is None
    knowing = replace(TABLE, calendar=replace(TABLE.calendar, works=lambda day: day.weekday() < 5))
    again = knowing.known_again(given_out)
    assert again.deadline is not None
    assert again.deadline.due_ms == at("2027-01-05 18:00")


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Step), st.sampled_from([None, *Why]), st.integers(1, 200)), max_size=25),
       st.sampled_from(Source))  # fmt: skip
def test_whatever_is_tried_a_case_stays_sound(tries: list[tuple[Step, Why | None, int]], source: Source) -> None:
    case, now_ms = fresh(source), MONDAY_MS
    for step, why, minutes in tries:
        now_ms += minutes * MINUTE_MS
        wanted = Deed(step, "x", "note", why, f"unit {minutes % 3}", Limit(60, Clock.NATURAL))
        before, was_possible = case, step in machine.possible(case, Role.ADMINISTRATOR)
        try:
            case, event = take(case, wanted, now_ms, TABLE)
        except Refused as refused:
            assert not was_possible or refused.refusal in (
                Refusal.NO_REASON, Refusal.WRONG_REASON, Refusal.SAME_UNIT, Refusal.ANOTHER_UNIT)  # fmt: skip
            continue
        assert was_possible
        assert event.stage is case.stage
        assert case.open or case.ended_ms is not None
        assert (case.deadline is not None) is case.open
        assert case.deadline is None or case.deadline.phase is PHASES[case.stage]
        assert not before.stage.ended or case.stage is before.stage
        assert (case.filed_ms is None) == (case.whole is None)
        assert not case.unit or case.dispatched_ms is not None


def test_every_step_has_a_rule() -> None:
    assert set(RULES) == set(Step)


def test_every_refusal_is_said_in_chinese_too() -> None:
    assert set(IN_CHINESE) == set(Refusal)
    for refusal in Refusal:
        error = Refused(refusal, "20261122-0001 is elsewhere")
        assert error.said("en") == str(error) == f"{refusal}: 20261122-0001 is elsewhere"
        assert not re.search("[A-Za-z]", error.said("zh-CN"))
