"""The filters of the inbox, the measures' periods, what a page asks to be done."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citywarden.model.alert import Alert, Severity, Status
from dashboards.console.alertcharts import bounds
from dashboards.console.devices import asked_of, find
from dashboards.console.measures import Period, period_of, span
from dashboards.console.sifting import chosen, query_of, sieve_of, sift
from dashboards.console.silences import note_of
from tests.console.fakes import MINUTE_MS, NIGHT_MS, alert

GAS = alert(1, None, Severity.CRITICAL, "甲烷", "Methane", rule="gas.methane", kind="gas", district="Futian")
FLOOD = alert(2, None, Severity.MAJOR, "积水", "Water", kind="waterlogging", assigned_to="Li", tenant="other")
OLD = alert(
    90, None, Severity.MAJOR, "暗灯", "Dark", kind="streetlight", status=Status.ACKNOWLEDGED, acknowledged_by="Li"
)
ALL = [OLD, FLOOD, GAS]


def sifted(**asked: object) -> list[Alert]:
    return sift(ALL, sieve_of(asked), NIGHT_MS, lambda a: " ".join(a.summary.values()))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [GAS, FLOOD, OLD]),
        ({"rule": "gas.methane"}, [GAS]),
        ({"kind": "waterlogging"}, [FLOOD]),
        ({"district": "Futian"}, [GAS]),
        ({"tenant": "other"}, [FLOOD]),
        ({"status": "acknowledged"}, [OLD]),
        ({"assigned": "me", "me": "Li"}, [FLOOD, OLD]),
        ({"assigned": "me"}, []),
        ({"assigned": "none"}, [GAS, OLD]),
        ({"assigned": "some"}, [FLOOD]),
        ({"age": "-1h"}, [GAS, FLOOD]),
        ({"age": "+4h"}, [OLD]),
        ({"q": "METHANE 甲"}, [GAS]),
        ({"q": "methane water"}, []),
        ({"sort": "oldest"}, [OLD, FLOOD, GAS]),
        ({"status": "<script>", "age": "soon", "sort": "me"}, [GAS, FLOOD, OLD]),
    ],
)
def test_what_is_asked_for_is_found(asked: dict[str, object], found: list[Alert]) -> None:
    assert sifted(**asked) == found


def test_severities_are_chosen_after_counting() -> None:
    sieve = sieve_of({"severity": "critical,minor,?"})
    assert chosen(sifted(severity="critical"), sieve) == [GAS]
    assert len(sifted(severity="critical")) == 3


def test_the_past_is_asked_of_the_database() -> None:
    query = query_of(sieve_of({"status": "resolved", "q": "Tap", "age": "-1h", "assigned": "none"}), NIGHT_MS, 100)
    assert (query.status, query.text, query.raised_since_ms, query.assigned_to) == (
        Status.RESOLVED, "tap", NIGHT_MS - 60 * MINUTE_MS, "",
    )  # fmt: skip
    assert query_of(sieve_of({"status": "any", "age": "+1h"}), NIGHT_MS, 1).raised_until_ms == NIGHT_MS - 60 * MINUTE_MS


def test_periods_of_an_address() -> None:
    today = date(2026, 11, 22)
    week = Period(date(2026, 11, 16), today)
    assert period_of("2026-11-01", "2026-11-30", today) == Period(date(2026, 11, 1), date(2026, 11, 30))
    for wrong in ((None, None), ("x", "2026-11-22"), ("2026-11-22", "2026-11-01"), ("2020-01-01", "2026-11-22"),
                  ("9999-12-31", "9999-12-31"), ("0001-01-01", "0001-01-02")):  # fmt: skip
        assert period_of(wrong[0], wrong[1], today) == week
    days = week.each({"2026-11-20": {"gas.methane": 2}, "2026-10-01": {"gas.methane": 9}})
    assert list(days) == [f"2026-11-{day}" for day in range(16, 23)]
    assert {day: rules for day, rules in days.items() if rules} == {"2026-11-20": {"gas.methane": 2}}
    assert week.days == 7


def test_lengths_are_said_in_their_unit() -> None:
    said = [span(s, "en") for s in (None, 0, 59, 90, 5399, 7200, 200_000)]
    assert said == [("–", ""), ("0", "s"), ("59", "s"), ("1.5", "min"), ("90", "min"), ("2.0", "h"), ("2.3", "days")]


def test_a_silence_is_taken_from_the_form() -> None:
    asked = {"rule": ["gas.*"], "severity": "major", "span_ms": 60_000, "why": " works "}
    note = note_of(asked, "Li", NIGHT_MS, "sz")
    assert (note.starts_ms, note.ends_ms, note.why, note.rule) == (NIGHT_MS, NIGHT_MS + 60_000, "works", ("gas.*",))
    assert (note.tenant, note.severity, note.up_to) == (("sz",), Severity.MAJOR, Severity.CRITICAL)
    window = note_of({"from_ms": 5, "until_ms": 9, "tenant": ["a"]}, "Li", NIGHT_MS, None)
    assert (window.starts_ms, window.ends_ms, window.tenant) == (5, 9, ("a",))


def test_no_device_is_found_where_none_is_seen() -> None:
    assert find({}, asked_of({"q": "x", "limit": "many"})) == ([], {})


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=20))
def test_an_axis_is_round_and_holds_all_but_noise_about_nought(values: list[float]) -> None:
    low, high = bounds(values)
    span_ = max(max(values) - min(values), 0.1 * abs(max(values)), 1.0)
    assert low - 0.05 * span_ - 1e-6 <= min(values) and max(values) <= high + 1e-6 * max(1.0, abs(high))
    assert high - low <= 4 * span_
    assert bounds([0.4, 58.0, 50.0]) == (0.0, 60.0)
    assert bounds([-0.2, 43.0]) == (0.0, 50.0)
