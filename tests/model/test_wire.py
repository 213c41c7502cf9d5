from zoneinfo import ZoneInfo

from citywarden.model.alert import Alert, Severity, Status
from citywarden.model.wire import alert_body, phrase, report_item, time_window, timestamp
from citywarden.model.work import Evidence, MissedReason, MissedRun, Operation, TaskReport, Verdict
from tests.builders import NOON_MS

ALERT = Alert(
    id="a1",
    tenant="t",
    rule="gas.methane",
    kind="gas",
    subject="g1",
    severity=Severity.CRITICAL,
    status=Status.FIRING,
    reason="threshold",
    raised_ms=NOON_MS,
    updated_ms=NOON_MS + 1,
    value=55.0,
    unit="%LEL",
    threshold=50.0,
    lat=22.5431,
    lon=114.0579,
    summary={"zh-CN": "甲烷 55 %LEL", "en": "Methane 55 %LEL"},
)


def test_an_alert_is_written_as_the_contract_says() -> None:
    assert alert_body(ALERT, "zh-CN") == {
        "version": "1",
        "id": "a1",
        "tenant": "t",
        "rule": "gas.methane",
        "kind": "gas",
        "subject": "g1",
        "severity": "critical",
        "status": "firing",
        "reason": "threshold",
        "value": 55.0,
        "unit": "%LEL",
        "threshold": 50.0,
        "location": {"lat": 22.5431, "lon": 114.0579},
        "raised_at": "2026-11-23T04:00:00.000Z",
        "updated_at": "2026-11-23T04:00:00.001Z",
        "resolved_at": None,
        "summary": "甲烷 55 %LEL",
        "runbook": None,
    }


def test_what_is_not_known_is_null() -> None:
    bare = Alert(
        "a", "t", "r", "gas", "g", Severity.INFO, Status.RESOLVED, "cleared", 0, 0, 5, value=float("nan"), lat=1.0
    )
    body = alert_body(bare, "en")
    assert (body["value"], body["location"], body["summary"]) == (None, None, "")
    assert body["resolved_at"] == "1970-01-01T00:00:00.005Z"


def test_a_summary_falls_back_to_english_then_to_any() -> None:
    assert phrase({"zh-CN": "水", "en": "water"}, "fr") == "water"
    assert phrase({"zh-CN": "水"}, "en") == "水"
    assert phrase({}, "en") == ""


def test_times_before_1970_and_leap_days_are_written_exactly() -> None:
    assert timestamp(-1) == "1969-12-31T23:59:59.999Z"
    assert timestamp(1_709_208_000_123) == "2024-02-29T12:00:00.123Z"


def test_a_task_report_is_an_item_of_the_replay_report() -> None:
    report = TaskReport(
        task="T1",
        vehicle="v1",
        operation=Operation.SWEEP,
        start_ms=NOON_MS,
        end_ms=NOON_MS + 3_600_000,
        status=Verdict.NOT_MET,
        reasons=("coverage",),
        evidence=Evidence.EQUIPMENT,
        work_duration_s=450.0,
        idle_in_work_s=60.0,
        unknown_s=0.0,
        planned_m=1000.0,
        covered_m=800.0,
        coverage_pct=80.0,
        passes=1,
        driven_m=1200.00049,
        effective_m=800.0,
        empty_running_pct=100 / 3,
        overspeed_s=0.0,
        max_deviation_m=None,
        missed=(MissedRun(100.0, 300.0, MissedReason.NOT_WORKING),),
    )
    assert report_item(report, ZoneInfo("Asia/Shanghai")) == {
        "task": "T1",
        "vehicle": "v1",
        "operation": "sweep",
        "window": "2026-11-23T12:00+08:00/2026-11-23T13:00+08:00",
        "status": "not_met",
        "reasons": ["coverage"],
        "notes": [],
        "evidence": "equipment",
        "work_duration_s": 450.0,
        "idle_in_work_s": 60.0,
        "unknown_s": 0.0,
        "planned_m": 1000.0,
        "covered_m": 800.0,
        "coverage_pct": 80.0,
        "passes": 1,
        "driven_m": 1200.0,
        "effective_m": 800.0,
        "empty_running_pct": 33.333,
        "overspeed_s": 0.0,
        "max_deviation_m": None,
        "missed": [{"from_m": 100.0, "to_m": 300.0, "length_m": 200.0, "reason": "not_working"}],
    }


def test_a_window_with_odd_seconds_keeps_them() -> None:
    assert time_window(NOON_MS + 1500, NOON_MS + 60_000, ZoneInfo("UTC")) == (
        "2026-11-23T04:00:01.500000+00:00/2026-11-23T04:01+00:00"
    )
