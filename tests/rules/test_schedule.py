"""Daily hours in a time zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.schedule import read_schedule
from rules.spans import read_span, write_span

NEW_YORK = ZoneInfo("America/New_York")


def ms(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def active(hours: str, when: str, zone: ZoneInfo = NEW_YORK) -> bool:
    schedule = read_schedule(hours)
    assert schedule is not None
    return bool(schedule.active(np.array([ms(datetime.fromisoformat(when))]), zone)[0])


def test_over_midnight() -> None:
    assert active("22:00-06:00", "2026-11-22T22:00-05:00")
    assert active("22:00-06:00", "2026-11-23T05:59-05:00")
    assert not active("22:00-06:00", "2026-11-23T06:00-05:00")
    assert active("00:00-24:00", "2026-11-22T23:59-05:00")


def test_the_night_the_clock_goes_back_is_an_hour_longer() -> None:
    assert active("22:00-06:00", "2026-11-01T05:30-05:00")
    assert not active("22:00-06:00", "2026-11-01T06:00-05:00")


@given(
    st.integers(0, 366 * 1440).map(lambda minute: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)),
    st.integers(0, 1439),
    st.integers(0, 1440),
)
def test_active_lies_between_start_and_end(when: datetime, start: int, end: int) -> None:
    schedule = read_schedule(f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}")
    if schedule is None:
        assert start == end
        return
    at = np.array([ms(when)])
    zone = ZoneInfo("Asia/Shanghai")
    minute = (when + timedelta(hours=8)).hour * 60 + when.minute
    inside = start <= minute < end if start < end else minute >= start or minute < end
    assert bool(schedule.active(at, zone)[0]) is inside
    started, ended = int(schedule.last_start_ms(at, zone)[0]), int(schedule.last_end_ms(at, zone)[0])
    assert (started > ended or started == ended) is inside or started == ended


@pytest.mark.parametrize("text", ["22-06", "22:00", "25:00-06:00", "22:00-24:30", "06:00-06:00", ""])
def test_no_schedule(text: str) -> None:
    assert read_schedule(text) is None


@pytest.mark.parametrize(
    ("text", "span_ms"), [("90s", 90_000), ("1.5m", 90_000), ("2h", 7_200_000), ("1d", 86_400_000), ("0", 0)]
)
def test_spans(text: str, span_ms: int) -> None:
    assert read_span(text) == span_ms
    assert read_span(write_span(span_ms)) == span_ms


@pytest.mark.parametrize("text", ["10", "-1s", "5x", "", "1h30m", "400d"])
def test_no_span(text: str) -> None:
    assert read_span(text) is None
