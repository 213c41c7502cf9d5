from citywarden.model.alert import Alert, Severity, Status
from citywarden.model.wire import alert_body, phrase, timestamp
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
