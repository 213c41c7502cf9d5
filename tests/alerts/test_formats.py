"""Each shape a target may ask for, the tables of answers, and signatures checked by the standard's own package."""

import base64
import hashlib
import hmac
import time
from dataclasses import replace
from datetime import timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from citywarden.alerts import signature
from citywarden.alerts.formats import FORMATS
from citywarden.alerts.letter import Letter, Notice, Request, clip
from citywarden.alerts.machine import Change
from citywarden.alerts.point import alert_point
from citywarden.alerts.target import Target
from citywarden.alerts.verdicts import (
    CODES,
    Answer,
    Schedule,
    Verdict,
    judge_http,
    probe_ms,
    retry_after_s,
    wait_ms,
)
from citywarden.model.alert import Severity, Status
from tests.alerts.alert_builders import NOW_MS, SECRET, alert, target

ROBOTS = ("wecom", "dingtalk", "feishu")


def notice(level: str = "major", change: Change = Change.OPENED, **known: object) -> Notice:
    return Notice("msg_1", alert(level, **known), change)  # type: ignore[arg-type]


def digest(n: int) -> Letter:
    levels = ["minor", "major", "critical", "info"]
    return Letter("msg_d", tuple(notice(levels[i % 4], id=f"a{i}", subject=f"g{i}") for i in range(n)), digest=True)


def compose(name: str, letter: Letter, **known: object) -> tuple[Request, dict[str, object]]:
    where = replace(target(format=name), **known)  # type: ignore[arg-type]
    request = FORMATS[name].compose(letter, where, NOW_MS)
    body = orjson.loads(request.body)
    assert isinstance(body, dict)
    return request, body


def test_our_own_format_is_the_contracts() -> None:
    request, body = compose("citywarden", Letter("msg_1", (notice(runbook="https://city/gas"),)))
    assert body == {
        "version": "1",
        "id": "a1",
        "tenant": "t",
        "rule": "gas.methane",
        "kind": "gas",
        "subject": "g1",
        "severity": "major",
        "status": "firing",
        "reason": "threshold",
        "value": 30.0,
        "unit": "%LEL",
        "threshold": 25.0,
        "location": {"lat": 22.5431, "lon": 114.0579},
        "raised_at": "2026-11-23T04:00:00.000Z",
        "updated_at": "2026-11-23T04:00:00.000Z",
        "resolved_at": None,
        "summary": "甲烷 30 %LEL",
        "runbook": "https://city/gas",
    }
    assert request.headers["webhook-id"] == "msg_1"
    assert request.headers["webhook-timestamp"] == str(NOW_MS // 1000)


def test_our_own_digest_has_every_alert() -> None:
    _, body = compose("citywarden", digest(10))
    assert (body["type"], body["count"], body["by_rule"]) == ("digest", 10, {"gas.methane": 10})
    assert body["by_severity"] == {"critical": 2, "major": 3, "minor": 3, "info": 2}
    alerts = body["alerts"]
    assert isinstance(alerts, list)
    assert [a["subject"] for a in alerts] == [f"g{i}" for i in range(10)]


def test_alertmanager_version_4() -> None:
    ended = notice(status=Status.RESOLVED, resolved_ms=NOW_MS + 1000, id="a2", subject="g2")
    _, body = compose("alertmanager", Letter("m", (notice(note="on my way"), ended), digest=True), link="http://c/")
    assert body["version"] == "4"
    assert (body["status"], body["receiver"], body["externalURL"]) == ("firing", "dispatch", "http://c/")
    assert body["commonLabels"] == {
        "alertname": "gas.methane",
        "severity": "major",
        "tenant": "t",
        "kind": "gas",
        "district": "Futian",
    }
    assert body["groupLabels"] == {"alertname": "gas.methane"}
    alerts = body["alerts"]
    assert isinstance(alerts, list)
    firing, resolved = alerts
    assert (firing["status"], firing["endsAt"]) == ("firing", "0001-01-01T00:00:00Z")
    assert (resolved["status"], resolved["endsAt"]) == ("resolved", "2026-11-23T04:00:01.000Z")
    assert firing["annotations"]["note"] == "on my way"
    assert firing["labels"]["instance"] == "g1"
    assert resolved["generatorURL"] == "http://c/alerts/a2"
    assert firing["fingerprint"] != resolved["fingerprint"]
    _, worse = compose("alertmanager", Letter("m", (notice("critical"),)))
    assert isinstance(worse["alerts"], list)
    assert worse["alerts"][0]["fingerprint"] == firing["fingerprint"]


def test_cloudevents_one_and_many() -> None:
    request, body = compose("cloudevents", Letter("msg_1", (notice(),)))
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert {k: v for k, v in body.items() if k != "data"} == {
        "specversion": "1.0",
        "id": "msg_1",
        "source": "/citywarden/t/gas",
        "type": "citywarden.alert.firing",
        "subject": "g1",
        "time": "2026-11-23T04:00:00.000Z",
        "datacontenttype": "application/json",
    }
    batch = FORMATS["cloudevents"].compose(digest(3), target(format="cloudevents"), NOW_MS)
    assert batch.headers["content-type"] == "application/cloudevents-batch+json"
    assert len(orjson.loads(batch.body)) == 3


def text_of(name: str, body: dict[str, object]) -> str:
    part = body[{"wecom": "text", "dingtalk": "markdown", "feishu": "content"}[name]]
    assert isinstance(part, dict)
    return str(part[{"wecom": "content", "dingtalk": "text", "feishu": "text"}[name]])


@pytest.mark.parametrize("name", ROBOTS)
def test_robots_say_what_where_when(name: str) -> None:
    zone = timezone(timedelta(hours=8))
    _, body = compose(name, Letter("m", (notice("critical"),)), zone=zone, link="http://city/")
    text = text_of(name, body)
    for said in (
        "[紧急] g1 告警",
        "甲烷 30 %LEL",
        "2026-11-23 12:00:00",
        "Futian",
        "gas.methane",
        "http://city/alerts/a1",
    ):
        assert said in text
    _, english = compose(name, Letter("m", (notice(status=Status.ACKNOWLEDGED),)), language="en")
    assert "[Major] g1 acknowledged" in text_of(name, english)


@pytest.mark.parametrize("name", ROBOTS)
def test_a_robots_digest_is_short_and_has_the_worst_first(name: str) -> None:
    request, body = compose(name, digest(1000), link="http://city")
    said = text_of(name, body)
    assert "1000 条告警消息" in said
    assert "紧急 250, 重要 250, 一般 250, 提示 250" in said
    assert said.index("[紧急] g2 ") < said.index("http://city/alerts")
    assert len(said.encode()) <= (2048 if name == "wecom" else 20_000)
    assert len(request.body) < 20_000


def test_a_digest_names_a_subject_once() -> None:
    told = {"zh-CN": "g7 甲烷 30 %LEL", "en": "g7: methane 30 %LEL"}
    over = notice(status=Status.RESOLVED, resolved_ms=NOW_MS, id="a8", subject="g7", summary=told)
    letter = Letter("m", (notice("major", id="a7", subject="g7", summary=told), over), digest=True)
    said = text_of("wecom", compose("wecom", letter)[1])
    assert "- [重要] g7 甲烷 30 %LEL\n- [重要] g7 已恢复 g7 甲烷 30 %LEL" in said


def test_robots_sign_their_way() -> None:
    known = Target("r", "http://127.0.0.1/", "SECabc")
    ding = FORMATS["dingtalk"].compose(Letter("m", (notice(),)), known, NOW_MS)
    mac = hmac.new(b"SECabc", f"{NOW_MS}\nSECabc".encode(), hashlib.sha256).digest()
    assert ding.query == {"timestamp": str(NOW_MS), "sign": base64.b64encode(mac).decode()}
    fei = orjson.loads(FORMATS["feishu"].compose(Letter("m", (notice(),)), known, NOW_MS).body)
    mac = hmac.new(f"{NOW_MS // 1000}\nSECabc".encode(), b"", hashlib.sha256).digest()
    assert (fei["timestamp"], fei["sign"]) == (str(NOW_MS // 1000), base64.b64encode(mac).decode())
    assert FORMATS["dingtalk"].compose(Letter("m", (notice(),)), Target("r", ""), NOW_MS).query == {}


ROBOT_ANSWERS = [
    ("wecom", b'{"errcode":0,"errmsg":"ok"}', Verdict.DELIVERED, None),
    ("wecom", b'{"errcode":45009,"errmsg":"api freq out of limit"}', Verdict.THROTTLED, 60.0),
    ("wecom", b'{"errcode":93000,"errmsg":"invalid webhook url"}', Verdict.RETRY, None),
    ("wecom", b'{"errcode":40008,"errmsg":"invalid message type"}', Verdict.REFUSED, None),
    ("dingtalk", b'{"errcode":0,"errmsg":"ok"}', Verdict.DELIVERED, None),
    ("dingtalk", b'{"errcode":130101,"errmsg":"send too fast"}', Verdict.THROTTLED, 600.0),
    ("dingtalk", b'{"errcode":310000,"errmsg":"sign not match"}', Verdict.RETRY, None),
    ("feishu", b'{"code":0,"msg":"success"}', Verdict.DELIVERED, None),
    ("feishu", b'{"StatusCode":0,"StatusMessage":"success"}', Verdict.DELIVERED, None),
    ("feishu", b'{"code":11232,"msg":"frequency limited"}', Verdict.THROTTLED, 60.0),
    ("feishu", b'{"code":9499,"msg":"Bad Request"}', Verdict.REFUSED, None),
    ("feishu", b'{"code":19021,"msg":"sign match fail"}', Verdict.RETRY, None),
    ("wecom", b"<html>hello</html>", Verdict.RETRY, None),
    ("wecom", b"[]", Verdict.RETRY, None),
    ("dingtalk", b'{"errcode":"zero"}', Verdict.RETRY, None),
]


@pytest.mark.parametrize(("name", "body", "verdict", "hold_s"), ROBOT_ANSWERS)
def test_robots_are_judged_by_their_body(name: str, body: bytes, verdict: Verdict, hold_s: float | None) -> None:
    judgement = FORMATS[name].judge(Answer(200, {}, body), NOW_MS)
    assert (judgement.verdict, judgement.hold_s) == (verdict, hold_s)
    assert FORMATS[name].judge(Answer(502, {}, body), NOW_MS).verdict is Verdict.THROTTLED


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (200, Verdict.DELIVERED),
        (204, Verdict.DELIVERED),
        (299, Verdict.DELIVERED),
        (301, Verdict.RETRY),
        (307, Verdict.RETRY),
        (400, Verdict.REFUSED),
        (401, Verdict.RETRY),
        (403, Verdict.RETRY),
        (404, Verdict.RETRY),
        (408, Verdict.RETRY),
        (410, Verdict.GONE),
        (413, Verdict.REFUSED),
        (415, Verdict.REFUSED),
        (422, Verdict.REFUSED),
        (425, Verdict.RETRY),
        (429, Verdict.THROTTLED),
        (499, Verdict.REFUSED),
        (500, Verdict.RETRY),
        (502, Verdict.THROTTLED),
        (503, Verdict.THROTTLED),
        (504, Verdict.THROTTLED),
        (599, Verdict.RETRY),
    ],
)
def test_what_a_status_means(code: int, verdict: Verdict) -> None:
    assert judge_http(Answer(code, {}, b""), NOW_MS).verdict is verdict


def test_every_status_has_a_row_and_no_row_is_idle() -> None:
    firsts = {next(i for i, (low, high, *_) in enumerate(CODES) if low <= code <= high) for code in range(1000)}
    assert firsts == set(range(len(CODES)))


def test_retry_after_in_seconds_and_as_a_date() -> None:
    assert retry_after_s("120", NOW_MS) == 120.0
    assert retry_after_s("Mon, 23 Nov 2026 04:01:30 GMT", NOW_MS) == 90.0
    assert retry_after_s("Mon, 23 Nov 2026 03:00:00 GMT", NOW_MS) == 0.0
    assert retry_after_s("999999999", NOW_MS) == 86_400.0
    for unreadable in (None, "soon", "-5", "1.5", "²", ""):
        assert retry_after_s(unreadable, NOW_MS) is None
    assert judge_http(Answer(503, {"retry-after": "7"}, b""), NOW_MS).hold_s == 7.0
    assert judge_http(Answer(422, {"retry-after": "7"}, b""), NOW_MS).hold_s is None


def test_the_schedule_is_the_standards_and_never_waits_longer_than_the_dispatcher_can() -> None:
    pure = Schedule(longest_wait_s=None)
    assert [wait_ms(pure, n, 0.0) for n in (1, 2, 3, 9, 50)] == [5000, 300_000, 1_800_000, 86_400_000, 86_400_000]
    assert pure.patience_ms == ((75 * 60 + 35) * 60 + 5) * 1000
    assert [wait_ms(Schedule(), n, 0.0) for n in (1, 2, 3, 9)] == [5000, 300_000, 300_000, 300_000]
    assert 5000 < wait_ms(Schedule(), 1, 0.99) < 6000


def test_news_presses_a_receiver_that_takes_nothing_less_and_less() -> None:
    assert [probe_ms(Schedule(), n) for n in (1, 2, 3, 6, 7, 1000)] == [5000, 10_000, 20_000, 160_000, 300_000, 300_000]
    assert probe_ms(Schedule(longest_wait_s=None), 1000) == 86_400_000
    assert probe_ms(Schedule(probe_s=0.0), 9) == 0


@given(st.binary(min_size=1, max_size=64), st.text(), st.from_regex(r"msg_[a-z0-9]{1,20}", fullmatch=True))
def test_signatures_satisfy_the_standards_package(key: bytes, text: str, message_id: str) -> None:
    body = text.encode(errors="replace")
    headers = signature.headers(key, message_id, int(time.time()), body)
    Webhook(key).verify(body, headers, json_parse=False)


def test_keys_of_targets() -> None:
    assert target().key == base64.b64decode(SECRET.removeprefix("whsec_") + "==")
    assert Target("n", "u", "plain words").key == b"plain words"
    assert Target("n", "u").key is None
    assert "webhook-signature" not in signature.headers(None, "m", 1, b"")
    with pytest.raises(ValueError, match="target n: secret: expected base64"):
        _ = Target("n", "u", "whsec_!!").key


@given(st.lists(st.text()), st.integers(3, 100))
def test_clipped_text_fits_and_is_text(said: list[str], limit: int) -> None:
    said = [line.encode(errors="replace").decode() for line in said]
    clipped = clip(said, limit)
    assert len(clipped.encode()) <= limit
    assert clipped == "\n".join(said) or clipped.endswith("…")


def test_a_row_of_the_store_per_alert() -> None:
    opened = alert_point(alert())
    risen = alert_point(alert("critical", Status.RESOLVED, resolved_ms=NOW_MS + 1500, value=None))
    assert (opened.measurement, opened.ts_ms) == ("alert", NOW_MS)
    assert opened.tags == risen.tags
    assert opened.tags == {"tenant": "t", "device": "g1", "kind": "gas", "district": "Futian", "rule": "gas.methane"}
    assert (opened.fields["severity"], opened.fields["level"], opened.fields["open"]) == ("major", 3, True)
    assert (risen.fields["duration_s"], risen.fields["status"], risen.fields["value"]) == (1.5, "resolved", 0.0)
    assert opened.fields.keys() == risen.fields.keys()
    for name, value in opened.fields.items():
        assert type(value) is type(risen.fields[name])


def test_severity_words_cover_every_severity() -> None:
    for severity in Severity:
        _, body = compose("wecom", Letter("m", (notice(severity.word),)))
        assert "None" not in text_of("wecom", body)
