"""Every command that changes something leaves its entry in the record, by whoever sits at the command line."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from sqlalchemy import delete, insert

from citywarden.cli import citywarden
from citywarden.cli.running import wall_ms
from citywarden.model.claim import State
from citywarden.model.message import DeadLetter, Reject
from citywarden.provision import tables
from citywarden.serve.alerting import desk_of
from citywarden.serve.tables import open_database
from citywarden.settings import load
from ingest.deadletters import DeadLetters
from tests.alerts.alert_builders import finding
from tests.cli.calling import call

CONFIG = """tenant = "t"
language = "en"
[mqtt]
devices = "credentials"
[[alerts.targets]]
name = "dispatch"
url = "http://127.0.0.1:1/"
"""
ROWS = "id,kind\nL9,streetlight\n"
CHANGES = (
    ("device add G1 --kind gas", "device.add"), ("device add L1 --kind streetlight", "device.add"),
    ("device rotate G1", "device.rotate"), ("device disable G1", "device.disable"),
    ("device enable G1", "device.enable"), ("device import {folder}/rows.csv --claim", "device.import"),
    ("device sync --repair", "device.sync"),
    ("command L1 off --id mine", "command.send"), ("commands cancel mine", "command.cancel"),
    ("claim key", "claim.key"), ("claim approve W1", "claim.approve"), ("claim reject W2", "claim.reject"),
    ("claim reset G1", "claim.reset"),
    ("alerts ack {alert}", "alert.acknowledge"), ("alerts acknowledge {alert}", "alert.acknowledge"),
    ("alerts assign {alert} Wang", "alert.assign"), ("alerts note {alert} wet", "alert.note"),
    ("alerts resolve {alert}", "alert.resolve"), ("alerts close {alert}", "alert.close"),
    ("alerts silence --for 1h --rule gas.* --why works", "silence.begin"), ("alerts unsilence {made}", "silence.end"),
    ("deliveries replay {message}", "delivery.replay"), ("deliveries enable dispatch", "target.enable"),
    ("deadletters replay --all", "deadletter.replay"),
    ("cases open --category other --title lid", "case.open"), ("cases step {made} accept", "case.accept"),
    ("cases import {folder}/cases.json", "case.import"),
    ("certs init", "cert.init"), ("certs server localhost", "cert.issue"), ("certs issue G1", "cert.issue"),
    ("certs revoke G1", "cert.revoke"), ("certs crl", "cert.crl"),
    ("user add sun", "user.add"), ("user role sun dispatcher", "user.change"), ("user unit sun A", "user.change"),
    ("user password sun", "user.password"), ("user disable sun", "user.change"), ("user enable sun", "user.change"),
    ("user remove sun", "user.remove"), ("token add crm", "token.add"), ("token revoke crm", "token.revoke"),
    ("device remove G1", "device.remove"), ("backup {folder}/b.tar.gz", "backup.take"),
    ("restore {folder}/b.tar.gz --force", "backup.restore"),
)  # fmt: skip
READS = {
    "device list", "device show", "device export", "claim list", "alerts list", "alerts show", "alerts silences",
    "alerts measures", "alerts check", "alerts test", "cases list", "cases show", "cases rates", "cases categories",
    "cases units", "cases check", "cases export", "deliveries list", "deliveries show", "deliveries targets",
    "deadletters list", "dashboards check", "dashboards render", "certs list", "commands list", "commands show",
    "user list", "user show", "token list", "audit", "kinds", "rules check", "rules test", "replay",
}  # fmt: skip
ELSEWHERE = {"demo", "serve", "simulate", "claim ask", "dashboards push", "doctor"}
"""They run the server, play a device, or set up another program: Grafana, InfluxDB."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "citywarden.toml").write_text(CONFIG)
    (tmp_path / "rows.csv").write_text(ROWS)
    (tmp_path / "cases.json").write_text(
        '{"format": "citywarden.cases", "version": 1, "exported_at": "2026-11-22T00:00:00.000Z", "cases": []}'
    )
    monkeypatch.setenv("CITYWARDEN_CONFIG", str(tmp_path / "citywarden.toml"))
    monkeypatch.setenv("CITYWARDEN_DATA", str(tmp_path / "data"))
    return tmp_path


def filled(folder: Path) -> dict[str, str]:
    """An alert with its message, a letter, two devices that ask; returns what the commands may name."""
    now_ms = wall_ms()
    desk = desk_of(load(folder / "citywarden.toml", {}, folder / "data"))
    (alert,) = desk.apply([finding("major", now_ms, "g1")], now_ms, {})
    letter = DeadLetter(0, 1, -1, "city/t/gas/g9/status", b"{}", now_ms, Reject.BAD_TOPIC, "")
    DeadLetters(desk.engine, 100).add([letter])
    with desk.engine.begin() as connection:
        for serial in ("W1", "W2"):
            asked = {"tenant": "t", "kind": "gas", "serial": serial, "state": State.WAITING, "asked_ms": now_ms}
            connection.execute(insert(tables.claims).values(asked))
        claimed = {"tenant": "t", "kind": "gas", "serial": "G1", "state": State.CLAIMED, "asked_ms": now_ms}
        connection.execute(insert(tables.claims).values(claimed))
    desk.engine.dispose()
    return {"alert": alert.id, "folder": str(folder)}


def lose_an_account(folder: Path) -> None:
    """Something to repair: the broker knows L1 no more."""
    engine = open_database(f"sqlite:///{folder / 'data' / 'citywarden.sqlite'}")
    with engine.begin() as connection:
        connection.execute(delete(tables.accounts).where(tables.accounts.c.login == "t/streetlight/L1"))
    engine.dispose()


def recorded(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return list(json.loads(call(capsys, "audit", "--json", "--limit", "1000")[1])["items"])


def test_every_change_is_recorded(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    names = filled(folder)
    names["message"] = json.loads(call(capsys, "deliveries", "list", "--json")[1])["items"][0]["id"]
    before: list[dict[str, str]] = []
    for words, action in CHANGES:
        if words.startswith("device sync"):
            lose_an_account(folder)
        wanted = [word.format(**names) for word in words.split()]
        code, out, err = call(capsys, *wanted)
        assert code == 0, f"{words}: {out} {err}"
        if made := re.search(r"\b(sil_)?[0-9a-f]{32}\b|\d{8}-\d{4}", out):
            names["made"] = made[0]
        now = recorded(capsys)
        fresh = [one for one in now if one not in before]
        assert [(one["action"], one["by"][:4], one["source"]) for one in fresh] == [
            (action, "cli:", "command line")], words  # fmt: skip
        assert fresh[0]["subject"], words
        before = now
    assert call(capsys, "audit", "--verify")[0] == 0


def test_an_authority_on_a_machine_of_its_own_makes_no_database(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    assert call(capsys, "certs", "init")[0] == 0
    assert not (folder / "data" / "citywarden.sqlite").exists()


def leaves(command: click.Command, name: str = "") -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield name
        return
    context = click.Context(command)
    for word in command.list_commands(context):
        below = command.get_command(context, word)
        assert below is not None
        yield from leaves(below, f"{name} {word}".strip())


def test_no_command_is_left_out() -> None:
    there = set(leaves(citywarden))
    changing = {name for name in there if any(words.startswith(f"{name} ") or words == name for words, _ in CHANGES)}
    assert there - changing == READS | ELSEWHERE
    assert not changing & (READS | ELSEWHERE)
