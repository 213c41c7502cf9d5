"""Routing: who hears of what, and routing files that are wrong."""

from datetime import timedelta, timezone
from pathlib import Path

import pytest

from citywarden.alerts.routefile import parse_routes
from citywarden.alerts.routes import Routes
from citywarden.alerts.target import Target
from citywarden.model.errors import ConfigurationError
from tests.alerts.alert_builders import MINUTE_MS, NOW_MS, alert, target

SHENZHEN = timezone(timedelta(hours=8))
FILE = """
targets:
  - {name: dispatch, url: "http://127.0.0.1:9/", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
  - {name: gas, url: "https://qyapi.example/send?key=1", format: wecom, min_severity: minor, language: en}
  - {name: night, url: "http://127.0.0.1:9/", rate_per_min: 6, headers: {x-city: sz}}
routes:
  - to: dispatch
    severity: major
  - {to: [gas], kind: gas, rule: "gas.*", district: [Futian, Luohu]}
  - {to: [night, gas], tenant: t, subject: "g?", hours: "22:00-06:00"}
"""


def parse(text: str) -> Routes:
    return parse_routes(text, "routes.yaml", SHENZHEN, "zh-CN", "http://city/").routes


@pytest.mark.parametrize(
    ("level", "known", "hour", "names"),
    [
        ("major", {}, 12, ["dispatch", "gas"]),
        ("minor", {}, 12, ["gas"]),
        ("info", {}, 12, []),
        ("minor", {"district": "Yantian"}, 12, []),
        ("minor", {"district": "Yantian"}, 22, ["gas", "night"]),
        ("minor", {"district": "Yantian"}, 5, ["gas", "night"]),
        ("minor", {"district": "Yantian"}, 6, []),
        ("major", {"rule": "flood.depth"}, 12, ["dispatch"]),
        ("major", {"subject": "g10", "kind": "x", "tenant": "u"}, 23, ["dispatch"]),
    ],
)
def test_who_hears_of_what(level: str, known: dict[str, object], hour: int, names: list[str]) -> None:
    noon_in_shenzhen = NOW_MS
    now_ms = noon_in_shenzhen + (hour - 12) * 60 * MINUTE_MS
    assert list(parse(FILE).of(alert(level, **known), now_ms)) == names  # type: ignore[arg-type]


def test_the_file_says_what_targets_are_like() -> None:
    dispatch, gas, night = parse(FILE).targets
    assert (dispatch.language, dispatch.link, dispatch.zone, dispatch.format) == (
        "zh-CN",
        "http://city/",
        SHENZHEN,
        "citywarden",
    )
    assert (gas.language, gas.format, night.rate_per_min, night.headers) == ("en", "wecom", 6, {"x-city": "sz"})


def test_without_routes_everybody_hears_of_everything() -> None:
    assert list(Routes([target("a"), target("b")]).of(alert("info"), NOW_MS)) == ["a", "b"]
    assert list(Routes([target("a")], []).of(alert("critical"), NOW_MS)) == []


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    return [str(problem).removeprefix("routes.yaml:") for problem in caught.value.problems]


def test_every_mistake_is_named_at_once_with_line_key_value_and_what_was_expected(tmp_path: Path) -> None:
    severities = "expected 'info', 'minor', 'major' or 'critical'"
    formats = "expected one of citywarden, alertmanager, cloudevents, wecom, dingtalk, email, feishu"
    text = f"""targets:
- name: a
  url: ftp://x
  format: fax
- {{name: b, url: "http://x/", min_severity: huge, colour: red, timeout_s: 0}}
- {{name: a, url: "smtp://mail.example/", format: email, rate_per_min: few}}
- {{name: c, url: "http://x/", secret: x, secret_file: {tmp_path / "none"}}}
- {{name: d, url: "http://x/", secret_file: {tmp_path / "none"}, headers: {{key: 5}}}}
routes:
- {{kind: gas}}
- {{to: [], hours: "25:00-06:00", district: 5, days: [sunday]}}
- {{to: nobody, after: soon, repeat: 0s}}
flapping: {{turns: 101}}
"""
    columns = "name, format, url, secret, secret_file, language, min_severity, timeout_s, headers, rate_per_min"
    assert mistakes(text) == [
        f"4: targets[0].format: `fax`, {formats}",
        "3: targets[0].url: `ftp://x`, expected an address such as https://host/path",
        f"5: targets[1].min_severity: `huge`, {severities}",
        "5: targets[1].timeout_s: `0`, expected more than 0",
        f"5: targets[1].colour: unknown key, expected one of {columns}",
        "6: targets[2].url: `smtp://mail.example/`, expected smtp://user@host:587/?from=a@b.example&to=c@d.example,"
        " or smtps://",
        "6: targets[2].rate_per_min: `few`, expected a whole number",
        "8: targets[4].headers.key: expected a text",
        "10: routes[0].to: it is missing",
        "11: routes[1].district: `5`, expected a list or one text",
        "11: routes[1].to: expected at least one",
        "11: routes[1].hours: `25:00-06:00`, expected a part of the day such as 22:00-06:00",
        "11: routes[1].days[0]: `sunday`, expected 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun'",
        "12: routes[2].after: `soon`, expected a duration such as 30s, 10m or 4h",
        "12: routes[2].repeat: `0s`, expected at least 1s",
        "13: flapping.turns: `101`, expected at most 100",
        "7: targets[3].secret_file: both `secret` and `secret_file` are given, expected one of them",
        f"8: targets[4].secret_file: `{tmp_path / 'none'}` cannot be read (No such file or directory), expected a file"
        " with the secret",
        "6: targets[2].name: `a` is there twice, expected a name of its own",
        "12: routes[2].to: no target `nobody`, expected one of a, b, c, d",
    ]


def test_a_secret_that_is_no_key_is_named_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("whsec_!!\n")
    text = f"""targets:
- {{name: a, url: "http://x/", secret: whsec_!!}}
- {{name: b, url: "http://x/", secret_file: {tmp_path / "key"}}}
"""
    expected = "it is not base64 after whsec_, expected whsec_ and base64, or any other text"
    assert mistakes(text) == [f"2: targets[0].secret: {expected}", f"3: targets[1].secret_file: {expected}"]
    assert mistakes('targets: [{name: a, url: "http://x/", secret: 12345}]') == [
        "1: targets[0].secret: expected a text"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a mapping"),
        ("routes: []", "routes.yaml:1: targets: it is missing"),
        ("targets: []", "routes.yaml:1: targets: it is empty"),
        ("targets: [", "routes.yaml:1: not YAML"),
        ("- 1", "routes.yaml:1: expected a mapping"),
        ("targets: []\ntargets: []", "routes.yaml:2: targets: the key is there twice"),
        ("targets: &a []\nroutes: *a", "aliases"),
        ("[" * 5000, "nested deeper"),
        ("a: " + "x" * 300_000, "larger"),
        ("a: 2026-99-99", "not YAML"),
    ],
)
def test_files_that_are_no_routing_files(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse(text)


@pytest.mark.parametrize("word", ["bm90IGEgc2VjcmV0", "bm90IGEgc2VjcmV0IQ", "bm90IGEgc2VjcmV0IQ=="])
def test_a_secret_counts_with_and_without_its_padding(word: str) -> None:
    key = Target("dispatch", "http://127.0.0.1/", f"whsec_{word}").key
    assert key is not None
    assert key.startswith(b"not a secret")
