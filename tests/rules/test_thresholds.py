"""Levels, waiting, silence, hours, texts and restarts, as a dispatcher would see them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from citywarden.columns import Reading, from_readings
from citywarden.model.alert import Finding, Reason, Severity
from citywarden.model.device import Device
from citywarden.model.kind import JsonScalar
from rules import rulefile, thresholds
from rules.rulebook import RuleBook
from tests.builders import KINDS, NOON_MS, columns, device

ZONE = ZoneInfo("Asia/Shanghai")
MINUTE = 60_000


def book(*rules: str) -> RuleBook:
    return rulefile.parse("rules:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules), "test.yaml", KINDS)


DEPTH = 'id: depth, kind: waterlogging, levels: {minor: {when: "depth_cm >= 15", reset: "depth_cm < 12"}}'


def begin(rules: RuleBook, *devices: Device, at_ms: int = NOON_MS) -> thresholds.State:
    return thresholds.enroll(thresholds.start(rules, KINDS, ZONE, at_ms), devices, at_ms)


def send(
    state: thresholds.State, rows: Sequence[tuple[int, Mapping[str, JsonScalar]]], who: Device, now_s: int | None = None
) -> list[Finding]:
    """Rows of one device, (seconds after noon, values); the clock stands at the last one, or at `now_s`."""
    now_ms = NOON_MS + 1000 * (rows[-1][0] if now_s is None else now_s)
    return thresholds.step(state, columns(who.kind, rows, who), now_ms)[1]


def tick(state: thresholds.State, now_s: int) -> list[Finding]:
    return thresholds.step(state, None, NOON_MS + 1000 * now_s)[1]


def brief(findings: Sequence[Finding]) -> list[tuple[int, str, str]]:
    """(seconds after noon, severity's word with `?` when pending, reason)."""
    return [
        ((f.at_ms - NOON_MS) // 1000, (f.severity.word if f.severity else "ok") + "?" * f.pending, f.reason.value)
        for f in findings
    ]


def test_levels_with_their_own_reset() -> None:
    rules = book(
        'id: k, kind: waterlogging, levels: {info: {when: "depth_cm > 60", reset: "depth_cm < 50"}, '
        'minor: {when: "depth_cm > 70", reset: "depth_cm < 60"}, '
        'major: {when: "depth_cm > 80", reset: "depth_cm < 70"}}'
    )
    who = device("waterlogging")
    state = begin(rules, who)
    words = []
    for n, depth in enumerate((61, 73, 64, 85, 62, 56, 47)):
        send(state, [(n * 10, {"depth_cm": float(depth)})], who)
        words.append(thresholds.standing(state, "k", who.key))
    assert words == ["info", "minor", "minor", "major", "info", "info", "ok"]


def test_a_finding_tells_value_limit_place_and_texts() -> None:
    rules = book(
        'id: power, kind: streetlight, levels: {minor: {when: "on and power_w < profile.nominal_power_w * 0.5"}}, '
        'summary: {zh-CN: "{name}（{district}）亮灯{on}：{power_w} W / {profile.nominal_power_w} W", '
        'en: "{device} lit {on} {power_w} of {profile.nominal_power_w} {unit}, limit {threshold}, {fault} {dim_pct}"}, '
        "runbook: https://example.org/r"
    )
    who = replace(device("streetlight", "L1", profile={"nominal_power_w": 150.0}), name="灯一")
    (found,) = send(begin(rules, who), [(0, {"on": True, "power_w": 33.456, "fault": "lamp"})], who)
    assert (found.value, found.unit, found.threshold) == (33.456, "W", 75.0)
    assert (found.lat, found.lon, found.runbook) == (22.5431, 114.0579, "https://example.org/r")
    assert (found.severity, found.reason, found.at_ms) == (Severity.MINOR, Reason.THRESHOLD, NOON_MS)
    assert found.summary == {
        "zh-CN": "灯一（Futian）亮灯是：33.46 W / 150 W",
        "en": "L1 lit yes 33.46 of 150 W, limit 75, lamp —",
    }


def test_the_place_of_a_device_in_a_chinese_datum_is_told_in_wgs84() -> None:
    who = device("waterlogging", crs="gcj02", lat=22.540383, lon=114.063014)
    (found,) = send(begin(book(DEPTH), who), [(0, {"depth_cm": 20.0})], who)
    assert found.lat == pytest.approx(22.5431, abs=1e-5)
    assert found.lon == pytest.approx(114.0579, abs=1e-5)


def test_only_changes_are_findings() -> None:
    who = device("waterlogging")
    rows = [(n * 60, {"depth_cm": depth}) for n, depth in enumerate((1.0, 20.0, 21.0, 13.0, 11.0, 5.0))]
    assert brief(send(begin(book(DEPTH), who), rows, who)) == [(60, "minor", "threshold"), (240, "ok", "cleared")]


def test_waiting_fires_by_the_clock_while_the_value_is_held() -> None:
    who = device("waterlogging")
    rules = book('id: w, kind: waterlogging, levels: {major: {when: "depth_cm >= 15", for: 2m}}')
    state = begin(rules, who)
    assert brief(send(state, [(0, {"depth_cm": 20.0})], who)) == [(0, "major?", "threshold")]
    assert tick(state, 119) == []
    assert brief(tick(state, 121)) == [(120, "major", "threshold")]
    assert tick(state, 3000) == []


def test_waiting_does_not_fire_on_a_value_nobody_has_confirmed() -> None:
    who = device("waterlogging")
    rules = book('id: w, kind: waterlogging, levels: {major: {when: "depth_cm >= 15", for: 5m}}')
    state = begin(rules, who)
    send(state, [(0, {"depth_cm": 20.0})], who)
    assert tick(state, 900) == []
    assert send(state, [(1000, {"depth_cm": 20.0})], who) == []
    assert brief(send(state, [(1060, {"depth_cm": 20.0})], who)) == []
    assert brief(tick(state, 1120)) == [(1120, "major", "threshold")]


def test_waiting_is_cancelled() -> None:
    who = device("waterlogging")
    rules = book('id: w, kind: waterlogging, levels: {major: {when: "depth_cm >= 15", for: 2m}}')
    found = send(begin(rules, who), [(0, {"depth_cm": 20.0}), (119, {"depth_cm": 1.0}), (200, {"depth_cm": 1.0})], who)
    assert brief(found) == [(0, "major?", "threshold"), (119, "ok", "cancelled")]


def test_unknown_never_raises_and_never_clears() -> None:
    who = device("waterlogging")
    state = begin(book(DEPTH), who)
    rows: list[tuple[int, dict[str, JsonScalar]]] = [(0, {"depth_cm": 20.0}), (600, {"rain_mm_h": 1.0})]
    assert brief(send(state, rows, who)) == [(0, "minor", "threshold")]
    assert thresholds.standing(state, "depth", who.key) == "minor"
    assert brief(send(state, [(660, {"depth_cm": 1.0})], who)) == [(660, "ok", "cleared")]


def test_the_device_s_own_interval_makes_the_hold() -> None:
    slow = device("waterlogging", profile={"interval_s": 600})
    rules = book('id: r, kind: waterlogging, levels: {info: {when: "depth_cm > 5 and rain_mm_h > 5"}}')
    rows: list[tuple[int, dict[str, JsonScalar]]] = [(0, {"depth_cm": 9.0}), (1700, {"rain_mm_h": 9.0})]
    assert brief(send(begin(rules, slow), rows, slow)) == [(1700, "info", "threshold")]
    assert send(begin(rules, device("waterlogging")), rows, device("waterlogging")) == []


def test_silence_is_found_by_the_clock_also_of_a_device_that_never_sent() -> None:
    rules = book("id: gas, kind: gas, no_data: 10m, no_data_severity: major")
    never, once = device("gas", "never"), device("gas", "once")
    state = begin(rules, never, once)
    assert send(state, [(120, {"o2_pct": 20.9})], once) == []
    assert tick(state, 599) == []
    (found,) = tick(state, 600)
    assert (found.rule, found.subject, found.severity) == ("gas.no_data", "never", Severity.MAJOR)
    assert (found.reason, found.at_ms) == (Reason.NO_DATA, NOON_MS + 600_000)
    assert found.summary["en"] == "never has sent no data for 10 min"
    assert found.summary["zh-CN"] == "never 超过 10 分钟 没有数据"
    assert tick(state, 719) == []
    assert [f.subject for f in tick(state, 720)] == ["once"]
    (back,) = send(state, [(800, {"o2_pct": 20.9})], once)
    assert (back.severity, back.reason, back.rule) == (None, Reason.DATA_BACK, "gas.no_data")
    assert tick(state, 3000)[0].subject == "once"


def test_a_back_fill_of_old_readings_does_not_end_silence() -> None:
    who = device("gas")
    state = begin(book("id: gas, kind: gas, no_data: 10m"), who)
    assert len(tick(state, 3600)) == 1
    assert send(state, [(60, {"o2_pct": 20.9}), (120, {"o2_pct": 20.9})], who, now_s=3660) == []
    assert len(send(state, [(3670, {"o2_pct": 20.9})], who)) == 1


def test_silence_counts_from_the_start_of_the_server() -> None:
    who = device("gas")
    rules = book("id: gas, kind: gas, no_data: 10m")
    state = begin(rules, who)
    send(state, [(0, {"o2_pct": 20.9})], who)
    later_ms = NOON_MS + 3_600_000
    state = thresholds.enroll(thresholds.load(rules, KINDS, ZONE, thresholds.dump(state), later_ms), [who], later_ms)
    assert tick(state, 3600 + 599) == []
    assert len(tick(state, 3600 + 600)) == 1


def test_a_device_that_is_removed_is_not_missed() -> None:
    who = device("gas")
    state = begin(book("id: gas, kind: gas, no_data: 10m"), who)
    state = thresholds.forget(state, [who.key])
    assert tick(state, 3600) == []
    state = thresholds.enroll(state, [replace(who, enabled=False)], NOON_MS)
    assert tick(state, 3600) == []
    other = device("gas", "other")
    state = thresholds.enroll(state, [other], NOON_MS + 3_600_000)
    assert [f.subject for f in tick(state, 7200)] == ["other"]


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_hours_over_midnight_end_what_stands() -> None:
    rules = book('id: r, kind: waterlogging, schedule: "22:00-06:00", levels: {info: {when: "depth_cm > 5"}}')
    who = device("waterlogging")
    state = begin(rules, who, at_ms=at("2026-11-22T20:00:00+08:00"))

    def judge(time: str, depth: float) -> list[tuple[int, Severity | None]]:
        reading = Reading(who, at(time), at(time), {"depth_cm": depth})
        found = thresholds.step(state, from_readings(KINDS["waterlogging"], [reading]), at(time))[1]
        return [(f.at_ms, f.severity) for f in found]

    assert judge("2026-11-22T21:59:59+08:00", 9) == []
    assert judge("2026-11-22T22:00:00+08:00", 9) == [(at("2026-11-22T22:00:00+08:00"), Severity.INFO)]
    assert judge("2026-11-23T05:59:59+08:00", 9) == []
    end_ms = at("2026-11-23T06:00:00+08:00")
    found = thresholds.step(state, None, end_ms + 5000)[1]
    assert [(f.at_ms, f.severity, f.reason) for f in found] == [(end_ms, None, Reason.CLEARED)]
    assert judge("2026-11-23T12:00:00+08:00", 9) == []
    assert judge("2026-11-23T23:00:00+08:00", 9) == [(at("2026-11-23T23:00:00+08:00"), Severity.INFO)]
    assert judge("2026-11-24T23:30:00+08:00", 9) == [
        (at("2026-11-24T06:00:00+08:00"), None), (at("2026-11-24T23:30:00+08:00"), Severity.INFO),
    ]  # fmt: skip


def test_an_alert_that_was_open_before_a_restart_is_not_raised_twice_and_is_cleared() -> None:
    who, other = device("waterlogging"), device("waterlogging", "d2")
    rules = book(DEPTH, "id: wet, kind: waterlogging, no_data: 10m")
    state = begin(rules, who, other)
    open_alerts = [
        ("depth", "t", "waterlogging", "d1", Severity.MAJOR),
        ("wet.no_data", "t", "waterlogging", "d2", Severity.MINOR),
        ("gone", "t", "waterlogging", "d1", Severity.MINOR),
    ]
    state = thresholds.reconcile(state, open_alerts)
    assert send(state, [(0, {"depth_cm": 14.0})], who) == []
    assert brief(send(state, [(10, {"depth_cm": 1.0})], who)) == [(10, "ok", "cleared")]
    assert brief(send(state, [(20, {"depth_cm": 1.0})], other)) == [(20, "ok", "data_back")]


def test_what_is_not_open_any_more_is_raised_anew() -> None:
    who = device("waterlogging")
    state = begin(book(DEPTH), who)
    send(state, [(0, {"depth_cm": 20.0})], who)
    state = thresholds.reconcile(state, [])
    assert brief(send(state, [(60, {"depth_cm": 20.0})], who)) == [(60, "minor", "threshold")]


def test_a_dump_survives_a_changed_rule_book() -> None:
    who = device("waterlogging")
    state = begin(book(DEPTH, 'id: r, kind: waterlogging, levels: {info: {when: "rate(depth_cm, 10m) > 1"}}'), who)
    send(state, [(0, {"depth_cm": 1.0}), (60, {"depth_cm": 20.0})], who)
    data = thresholds.dump(state)
    changed = book(
        'id: depth, kind: waterlogging, levels: {info: {when: "depth_cm >= 5"}, minor: {when: "depth_cm >= 10"}}',
        'id: new, kind: waterlogging, levels: {info: {when: "mean(rain_mm_h, 5m) > 1", for: 1m}}',
    )
    state = thresholds.load(changed, KINDS, ZONE, data, NOON_MS + MINUTE)
    assert thresholds.standing(state, "depth", who.key) == "minor"
    assert brief(send(state, [(120, {"depth_cm": 7.0})], who)) == [(120, "info", "threshold")]


@pytest.mark.parametrize("data", [b"", b"nonsense", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_a_broken_dump_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no dump"):
        thresholds.load(book(DEPTH), KINDS, ZONE, data, NOON_MS)


def test_a_truncated_dump_is_refused() -> None:
    who = device("waterlogging")
    state = begin(book(DEPTH), who)
    data = thresholds.dump(state)
    with pytest.raises(ValueError, match="no dump"):
        thresholds.load(book(DEPTH), KINDS, ZONE, data[: len(data) // 2], NOON_MS)


def test_a_changed_profile_counts_from_the_next_row() -> None:
    rules = book('id: p, kind: waterlogging, profile: {limit: 50}, levels: {info: {when: "depth_cm > profile.limit"}}')
    who = device("waterlogging")
    state = begin(rules, who)
    assert send(state, [(0, {"depth_cm": 20.0})], who) == []
    stricter = replace(who, profile={"limit": 10.0})
    assert brief(send(state, [(10, {"depth_cm": 20.0})], stricter)) == [(10, "info", "threshold")]


def test_many_devices_grow_and_stay_apart() -> None:
    state = begin(book(DEPTH))
    devices = [device("waterlogging", f"d{n}") for n in range(300)]
    readings = [Reading(d, NOON_MS + n, NOON_MS, {"depth_cm": float(n % 30)}) for n, d in enumerate(devices)]
    found = thresholds.step(state, from_readings(KINDS["waterlogging"], readings), NOON_MS + 1000)[1]
    assert {f.subject for f in found} == {f"d{n}" for n in range(300) if n % 30 >= 15}
