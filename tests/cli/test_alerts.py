"""`citywarden alerts` and `citywarden deliveries` on a database that a server has filled."""

import time
from pathlib import Path

import pytest

from citywarden.alerts import outbox
from citywarden.serve.alerting import desk_of
from citywarden.settings import load
from tests.alerts.alert_builders import finding
from tests.cli.calling import answer, call

ROUTES = """
targets: [{name: team, url: "http://127.0.0.1:9/"}]
flapping: {turns: 0}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "routes.yaml").write_text(ROUTES)
    (tmp_path / "citywarden.toml").write_text('[alerts]\nroutes = "routes.yaml"\n')
    monkeypatch.setenv("CITYWARDEN_CONFIG", str(tmp_path / "citywarden.toml"))
    monkeypatch.setenv("CITYWARDEN_DATA", str(tmp_path / "data"))
    return tmp_path


def raise_alerts(folder: Path, *subjects: str) -> list[str]:
    """Ids of alerts that have just been raised."""
    now_ms = time.time_ns() // 1_000_000
    front = desk_of(load(folder / "citywarden.toml", {}, folder / "data"))
    return [a.id for a in front.apply([finding("major", now_ms, subject) for subject in subjects], now_ms, {})]


def test_an_alert_is_worked_off(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    first, second = raise_alerts(folder, "g1", "g2")
    assert [a["subject"] for a in answer(capsys, "alerts", "list")["items"]] in (["g1", "g2"], ["g2", "g1"])
    assert answer(capsys, "alerts", "ack", first[:10], "--by", "Li")["status"] == "acknowledged"
    assert answer(capsys, "alerts", "assign", first, "Wang", "--by", "Li", "--note", "look")["assigned_to"] == "Wang"
    assert answer(capsys, "alerts", "resolve", first, "--by", "Wang")["status"] == "resolved"
    assert answer(capsys, "alerts", "close", first, "--by", "Li")["closed_by"] == "Li"
    shown = answer(capsys, "alerts", "show", first)
    assert [line["change"] for line in shown["history"]] == ["opened", "acknowledged", "assigned", "resolved", "closed"]
    assert [line["to"] for line in shown["history"]] == [None, None, "Wang", None, None]
    assert [m["change"] for m in shown["deliveries"]] == ["opened", "acknowledged", "assigned", "resolved"]
    assert [a["id"] for a in answer(capsys, "alerts", "list", "--status", "resolved")["items"]] == [first]
    assert [a["id"] for a in answer(capsys, "alerts", "list")["items"]] == [second]
    measured = answer(capsys, "alerts", "measures")
    assert (measured["raised"], measured["open_by_age"]["15m"], measured["to_resolve"]["count"]) == (2, 1, 1)
    assert measured["noisiest"] == [["gas.methane", 2]]


def test_many_are_worked_off_at_once_or_none(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    ids = raise_alerts(folder, "g1", "g2", "g3")
    code, _, err = call(capsys, "alerts", "acknowledge", *ids, "none", "--by", "Li")
    assert (code, err) == (1, "citywarden: no alert 'none'\n")
    assert {a["status"] for a in answer(capsys, "alerts", "list")["items"]} == {"firing"}
    done = answer(capsys, "alerts", "acknowledge", *(one[:12] for one in ids), ids[0], "--by", "Li", "--note", "seen")
    assert [(a["id"], a["acknowledged_by"]) for a in done["items"]] == [(one, "Li") for one in ids]
    noted = answer(capsys, "audit")["items"][0]
    assert (noted["action"], noted["subject"]) == ("alert.acknowledge", " ".join(ids))
    code, out, _ = call(capsys, "alerts", "close", *ids[:2])
    assert code == 0 and [line.split(": ")[1] for line in out.splitlines()] == ["resolved", "resolved"]


def test_silences_come_and_go(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    raise_alerts(folder, "g1")
    made = answer(capsys, "alerts", "silence", "--subject", "g*", "--for", "2h", "--why", "works", "--by", "Li")
    assert answer(capsys, "alerts", "list")["items"][0]["hold"] == "silenced"
    [listed] = answer(capsys, "alerts", "silences")["items"]
    assert (listed["id"], listed["subject"], listed["why"]) == (made["id"], ["g*"], "works")
    assert call(capsys, "alerts", "unsilence", made["id"][:8])[0] == 0
    assert answer(capsys, "alerts", "list")["items"][0]["hold"] == ""
    assert answer(capsys, "alerts", "silences")["items"] == []
    assert len(answer(capsys, "alerts", "silences", "--ended")["items"]) == 1


def test_deliveries_are_listed_shown_and_repeated(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    raise_alerts(folder, "g1")
    listed = answer(capsys, "deliveries", "list", "--state", "waiting")
    assert listed["waiting"] == {"team": 1}
    [message] = listed["items"]
    assert answer(capsys, "deliveries", "show", message["id"]) == message
    assert answer(capsys, "deliveries", "replay", message["id"]) == {"replayed": 1}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("alerts", "ack", "none"), 1, "no alert 'none'"),
        (("alerts", "silence", "--for", "soon", "--why", "x", "--kind", "gas"), 2, "expected such as 30m"),
        (("alerts", "silence", "--for", "1h", "--why", "x"), 2, "say what is silenced"),
        (("alerts", "unsilence", "none"), 1, "no silence 'none'"),
        (("deliveries", "show", "none"), 1, "no delivery 'none'"),
        (("deliveries", "replay"), 2, "name messages by id"),
    ],
)
def test_mistakes_are_one_line(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    found, out, err = call(capsys, *words)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert said in err


def test_people_read_tables(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    [raised] = raise_alerts(folder, "g1")
    for words in (("alerts", "list"), ("alerts", "show", raised), ("alerts", "measures"), ("deliveries", "list")):
        code, out, _ = call(capsys, *words)
        assert code == 0
        assert "gas.methane" in out


def test_a_note_and_a_silence_of_the_lesser(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    [first] = raise_alerts(folder, "g1")
    noted = answer(capsys, "alerts", "note", first, "it smells", "--by", "Li")
    assert (noted["status"], noted["note"]) == ("firing", "it smells")
    made = answer(capsys, "alerts", "silence", "--rule", "gas.*", "--up-to", "minor", "--for", "1h", "--why", "x")
    assert (made["severity"], made["up_to"]) == ("info", "minor")
    assert answer(capsys, "alerts", "list")["items"][0]["hold"] == ""
    assert "severity<=minor" in call(capsys, "alerts", "silences")[1]


def test_a_target_that_wanted_no_more_is_enabled(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    raise_alerts(folder, "g1")
    front = desk_of(load(folder / "citywarden.toml", {}, folder / "data"))
    gone = outbox.TargetState(disabled_ms=1000, detail="HTTP 410: gone")
    front.write(lambda connection: outbox.write_state(connection, "team", gone))
    [team] = answer(capsys, "deliveries", "targets")["items"]
    assert (team["state"], team["waiting"], team["error"]) == ("disabled", 1, "HTTP 410: gone")
    assert "disabled" in call(capsys, "deliveries", "targets")[1]
    assert answer(capsys, "deliveries", "enable", "team") == {"target": "team", "was_disabled": True}
    assert answer(capsys, "deliveries", "targets")["items"][0]["state"] == "ok"
    code, _, err = call(capsys, "deliveries", "enable", "tema")
    assert (code, err.count("\n")) == (1, 1) and "there are: team" in err
