"""Secrets stay out of texts, by their shape and by their value."""

import io
import json
import logging
import string
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from citywarden.alerts.target import Target
from citywarden.cli.running import log_handler
from citywarden.model.errors import CitywardenError, ConfigurationError, Problem, Unavailable
from citywarden.model.redaction import HIDDEN, keep_secret, redact, redact_tree
from citywarden.sections import AlertsSettings, DatabaseSettings, MqttSettings, Settings, StoreSettings, TargetSettings
from citywarden.settings import describe

secrets = st.text(string.ascii_letters + string.digits + "+/=!$%&*-_. 密码", min_size=8, max_size=40).filter(
    lambda s: any(c.isdigit() for c in s) and any(c.isalpha() for c in s) and s.strip() == s and len(set(s)) > 3
)
tokens = st.text(string.ascii_letters + string.digits + "-_", min_size=8, max_size=40).filter(
    lambda s: any(c.isdigit() for c in s) and any(c.isalpha() for c in s)
)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("mqtt://me:hunter2@broker:1883 is away", "mqtt://me:***@broker:1883 is away"),
        ("https://x.example/send?key=abc-1&to=li", "https://x.example/send?key=***&to=li"),
        ("https://oapi.dingtalk.com/r?access_token=77 took", "https://oapi.dingtalk.com/r?access_token=*** took"),
        ("postgresql://me@db/x?password=abc", "postgresql://me@db/x?password=***"),
        ("https://open.feishu.cn/open-apis/bot/v2/hook/0f7a-12ab-99cc", "https://open.feishu.cn/open-apis/bot/v2/hook/***"),
        ("https://hooks.slack.com/services/T00/B00/XXXXXXXX1", "https://hooks.slack.com/services/***"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: ***"),
        ("{'authorization': 'Token s3cretvalue'}", "{'authorization': '***'}"),
        ("signed with whsec_bm90IGEgc2VjcmV0", "signed with ***"),
        ("timestamp=12&sign=a%2Fb%3D&x=1", "timestamp=12&sign=***&x=1"),
    ],
)  # fmt: skip
def test_by_shape(text: str, left: str) -> None:
    assert redact(text) == left


@pytest.mark.parametrize(
    "text",
    ["no answer within 10 s", "HTTP 404: no such address: correct the target's url", "depth_cm: 700, expected a number",
     "city/t/gas/G1/telemetry", "mqtt://broker:1883: connection refused", "2026-11-22T06:00:00+08:00", "monkey=1",
     "https://dispatch.example/hook", "secret: expected base64 after whsec_"],
)  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@settings(max_examples=40, deadline=None)
@given(secrets, st.text(max_size=30), st.text(max_size=30))
def test_by_value_however_it_is_spelt(secret: str, before: str, after: str) -> None:
    keep_secret(secret)
    for spelt in (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret), repr(secret)):
        assert secret not in redact(f"{before}{spelt}{after}")
    assert quote(secret, safe="") not in redact(quote(secret, safe=""))


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing_and_never_fails(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@settings(max_examples=40, deadline=None)
@given(secrets, tokens, tokens)
def test_no_secret_of_the_settings_is_in_what_is_in_force(secret: str, token: str, password: str) -> None:
    configured = Settings(
        mqtt=MqttSettings(url=f"mqtts://me:{password}@broker:8883", password=SecretStr(secret)),
        store=StoreSettings(url="influxdb://host:8086/o/b", token=SecretStr(token)),
        database=DatabaseSettings(url=f"postgresql://me:{password}@db/x"),
        alerts=AlertsSettings(
            targets=(
                TargetSettings(name="a", url=f"https://q.example/send?access_token={token}", secret=SecretStr(secret)),
                TargetSettings(name="b", url=f"https://{password}:{password}@q.example/hook/{token}"),
            )
        ),
    )
    said = json.dumps(describe(configured), ensure_ascii=False)
    for hidden in (secret, token, password):
        assert hidden not in said.replace(f"https://{password}:", "")
    assert HIDDEN in said


@settings(max_examples=40, deadline=None)
@given(secrets)
def test_no_secret_is_in_an_error_or_a_log_line_or_its_traceback(secret: str) -> None:
    Target("dispatch", "https://dispatch.example/", secret=secret, headers={"authorization": f"Bearer {secret}x1"})
    assert secret not in str(CitywardenError(f"cannot log in as {secret}"))
    assert secret not in str(Unavailable(f"{secret!r} is wrong"))
    assert secret not in str(ConfigurationError([Problem("f", 1, "k", f"{secret!r}: expected")]))
    stream = io.StringIO()
    logger = logging.Logger("t")
    logger.addHandler(log_handler(stream))
    try:
        raise ValueError(f"asked for {secret}")
    except ValueError:
        logger.exception("failed with %s", secret)
    assert secret not in stream.getvalue()
    assert "Traceback" in stream.getvalue()


def test_a_plain_word_is_hidden_by_its_shape_only() -> None:
    keep_secret("citywarden", "short1", "", None)
    assert redact("citywarden: cannot start, short1") == "citywarden: cannot start, short1"
    assert redact("mqtt://me:citywarden@broker") == "mqtt://me:***@broker"


def test_a_tree_keeps_its_shape() -> None:
    keep_secret("tr33-of-l1fe")
    given = {"url": "x tr33-of-l1fe", "list": ["tr33-of-l1fe", 1, None, {"deep": "tr33-of-l1fe"}], "n": 1.5}
    assert redact_tree(given) == {"url": "x ***", "list": ["***", 1, None, {"deep": "***"}], "n": 1.5}


def test_what_a_stranger_said_stays_one_line_of_the_log() -> None:
    stream = io.StringIO()
    logger = logging.getLogger("citywarden.test_one_line")
    logger.propagate = False
    logger.addHandler(log_handler(stream))
    forged = "x\r\n2026-11-22 ERROR citywarden: all is lost\x1b[2J\u2028\u202e\x85"
    logger.warning("MQTT gate: refused connection by %s", forged)
    try:
        raise ValueError(forged)
    except ValueError:
        logger.exception("failed")
    lines = stream.getvalue().splitlines()
    assert "\\r\\n2026-11-22 ERROR" in lines[0]
    assert "failed" in lines[1]
    assert all(line.startswith("  ") for line in lines[2:])
    assert not set(stream.getvalue()) & set("\r\x1b\u2028\u202e\x85")
