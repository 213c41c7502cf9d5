"""Working time in China: what is known of 2024 to 2026, and what is said of a year that nobody has announced."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citywarden.cases.calendar import UnknownYear, WorkCalendar, china, with_exceptions
from citywarden.model.casetime import Clock, Limit
from tests.cases.case_builders import CALENDAR, HOUR_MS, MINUTE_MS, ZONE, at

HOURS, DAYS, NATURAL = Clock.BUSINESS_HOURS, Clock.BUSINESS_DAYS, Clock.NATURAL


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-01-04", True),  # a Sunday, made up for New Year
        ("2026-02-14", True),  # a Saturday before the Spring Festival
        ("2026-02-23", False),  # the Monday at its end
        ("2026-05-09", True),
        ("2026-09-20", True),
        ("2026-10-07", False),
        ("2026-10-10", True),
        ("2025-01-26", True),
        ("2025-10-08", False),
        ("2026-11-23", True),
        ("2026-11-22", False),
    ],
)
def test_make_up_days_and_substituted_holidays(day: str, works: bool) -> None:
    assert china(date.fromisoformat(day)) is works


@pytest.mark.parametrize(
    ("start", "limit", "due"),
    [
        ("2026-11-23 09:00", Limit(4 * 60, HOURS), "2026-11-23 15:00"),  # over the lunch break
        ("2026-11-23 17:00", Limit(2 * 60, HOURS), "2026-11-24 10:00"),  # over the night
        ("2026-11-20 17:30", Limit(60, HOURS), "2026-11-23 09:30"),  # over the weekend
        ("2026-11-21 03:00", Limit(30, HOURS), "2026-11-23 09:30"),  # reported at night
        ("2026-11-23 12:30", Limit(60, HOURS), "2026-11-23 15:00"),
        ("2026-11-23 11:00", Limit(60, HOURS), "2026-11-23 12:00"),
        ("2026-02-13 17:00", Limit(2 * 60, HOURS), "2026-02-14 10:00"),  # the Saturday is worked
        ("2026-02-14 17:00", Limit(2 * 60, HOURS), "2026-02-24 10:00"),  # nine days off
        ("2026-11-23 09:00", Limit(1, DAYS), "2026-11-24 18:00"),
        ("2026-11-20 23:59", Limit(1, DAYS), "2026-11-23 18:00"),
        ("2026-09-30 10:00", Limit(3, DAYS), "2026-10-10 18:00"),  # 8, 9 and the Saturday after the National Day
        ("2026-11-22 22:00", Limit(24 * 60, NATURAL), "2026-11-23 22:00"),
    ],
)
def test_deadlines(start: str, limit: Limit, due: str) -> None:
    assert CALENDAR.due(at(start), limit) == at(due)


def test_a_year_nobody_has_announced_is_not_guessed() -> None:
    with pytest.raises(UnknownYear, match="2027"):
        CALENDAR.due(at("2026-12-31 17:00"), Limit(2, DAYS))
    assert CALENDAR.due(at("2026-12-31 09:00"), Limit(120, HOURS)) == at("2026-12-31 11:00")
    assert CALENDAR.due(at("2026-12-31 23:00"), Limit(120, NATURAL)) == at("2027-01-01 01:00")


def test_an_announced_year_can_be_named() -> None:
    off, on = frozenset({date(2027, 1, 1)}), frozenset({date(2027, 1, 3)})
    named = WorkCalendar(ZONE, with_exceptions(china, off, on, frozenset({2027})))
    assert named.due(at("2026-12-31 17:00"), Limit(2, DAYS)) == at("2027-01-04 18:00")
    with pytest.raises(UnknownYear, match="2028"):
        named.works(date(2028, 1, 3))


def slow_business_ms(start_ms: int, stop_ms: int) -> int:
    """Minute by minute."""
    minutes = 0
    for ms in range(start_ms, stop_ms, MINUTE_MS):
        local = CALENDAR._local(ms)
        of_day = local.hour * 60 + local.minute
        minutes += china(local.date()) and any(begin <= of_day < end for begin, end in CALENDAR.hours)
    return minutes * MINUTE_MS


MINUTES = st.integers(at("2026-01-01 00:00") // MINUTE_MS, at("2026-10-20 00:00") // MINUTE_MS)


@settings(deadline=None, max_examples=30)
@given(MINUTES, st.integers(0, 3 * 24 * 60))
def test_business_time_is_what_counting_minutes_says(minute: int, length: int) -> None:
    start_ms = minute * MINUTE_MS
    stop_ms = start_ms + length * MINUTE_MS
    assert CALENDAR.business_ms(start_ms, stop_ms) == slow_business_ms(start_ms, stop_ms)


@settings(deadline=None, max_examples=60)
@given(MINUTES, st.integers(1, 60 * 60))
def test_a_business_deadline_is_just_so_much_business_time_away(minute: int, amount: int) -> None:
    start_ms = minute * MINUTE_MS
    due_ms = CALENDAR.due(start_ms, Limit(amount, HOURS))
    assert CALENDAR.business_ms(start_ms, due_ms) == amount * MINUTE_MS
    assert CALENDAR.business_ms(start_ms, due_ms - 1) < amount * MINUTE_MS


@settings(deadline=None, max_examples=60)
@given(MINUTES, st.integers(1, 30))
def test_business_days_are_counted_from_the_day_after(minute: int, amount: int) -> None:
    start_ms = minute * MINUTE_MS
    due = CALENDAR._local(CALENDAR.due(start_ms, Limit(amount, DAYS)))
    first = CALENDAR._local(start_ms).date() + timedelta(days=1)
    between = [first + timedelta(days=n) for n in range((due.date() - first).days + 1)]
    assert sum(map(china, between)) == amount
    assert china(due.date())
    assert (due.hour, due.minute) == (18, 0)


def test_near_is_a_share_of_the_time_by_the_same_clock() -> None:
    limit = Limit(10 * 60, HOURS)
    start_ms = at("2026-11-23 09:00")
    assert CALENDAR.warn(start_ms, CALENDAR.due(start_ms, limit), limit, 0.8) == at("2026-11-24 10:00")
    assert CALENDAR.warn(0, 10 * HOUR_MS, Limit(600, NATURAL), 0.8) == 8 * HOUR_MS
