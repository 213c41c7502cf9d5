"""Users, tokens and the audit at the command line."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.cli.calling import call


def test_a_user_is_made_changed_and_removed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    where = ("--data", tmp_path)
    code, out, _ = call(capsys, "user", "add", "zhang", "--role", "dispatcher", "--tenant", "north", "--json", *where)
    made = json.loads(out)
    assert (code, made["role"], made["tenant"], made["must_change"]) == (0, "dispatcher", "north", True)
    assert len(made["password"]) == 24
    assert call(capsys, "user", "role", "zhang", "supervisor", "--tenant", "", *where)[0] == 0
    assert call(capsys, "user", "disable", "zhang", *where)[0] == 0
    shown = json.loads(call(capsys, "user", "show", "zhang", "--json", *where)[1])
    assert (shown["role"], shown["tenant"], shown["enabled"], shown["sessions"]) == ("supervisor", None, False, [])
    code, _, err = call(capsys, "user", "add", "zhang", *where)
    assert (code, "already" in err) == (1, True)
    assert call(capsys, "user", "remove", "zhang", *where)[0] == 0
    assert json.loads(call(capsys, "user", "list", "--json", *where)[1])["items"] == []
    record = json.loads(call(capsys, "audit", "--json", *where)[1])["items"]
    assert [entry["action"] for entry in record] == ["user.remove", "user.change", "user.change", "user.add"]
    assert record[0]["by"].startswith("cli:")
    assert made["password"] not in json.dumps(record)


def test_a_user_belongs_to_a_unit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    where = ("--data", tmp_path)
    lights, drains = "路灯管理所 / Street lighting", "排水抢险队 / Drainage team"
    added = ("user", "add", "sun", "--role", "dispatcher", "--unit", "路灯管理所", "--json", *where)
    assert json.loads(call(capsys, *added)[1])["unit"] == lights
    assert lights in json.loads(call(capsys, "cases", "units", "--json", *where)[1])
    assert json.loads(call(capsys, "user", "unit", "sun", "drainage team", "--json", *where)[1])["unit"] == drains
    assert call(capsys, "user", "unit", "sun", "", *where)[:2] == (0, "sun belongs to no unit\n")
    code, _, err = call(capsys, "user", "add", "boss", "--role", "administrator", "--unit", "路灯管理所", *where)
    assert (code, "an administrator belongs to no unit" in err) == (1, True)
    assert json.loads(call(capsys, "token", "add", "crm", "--unit", lights, "--json", *where)[1])["unit"] == lights
    record = json.loads(call(capsys, "audit", "--json", "--action", "user", *where)[1])["items"]
    assert [entry["detail"] for entry in record] == [
        "unit none", f"unit {drains}", f"role dispatcher, tenant every, unit {lights}"]  # fmt: skip


def test_a_token_is_shown_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    where = ("--data", tmp_path)
    text = json.loads(call(capsys, "token", "add", "crm", "--scope", "alerts:write", "--json", *where)[1])["token"]
    assert text.startswith("cw_")
    assert text not in call(capsys, "token", "list", "--json", *where)[1]
    assert call(capsys, "token", "add", "x", "--scope", "nonsense", *where)[0] == 1
    assert call(capsys, "token", "revoke", "crm", *where)[0] == 0
    assert json.loads(call(capsys, "token", "list", "--json", *where)[1])["items"][0]["revoked_at"] is not None


def test_a_forged_record_is_found_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    where = ("--data", tmp_path)
    for name in ("zhang", "li"):
        call(capsys, "user", "add", name, *where)
    assert call(capsys, "audit", "--verify", *where)[0] == 0
    assert call(capsys, "audit", "--csv", "--action", "user", *where)[1].count("\n") == 3
    assert call(capsys, "audit", "--since", "yesterday", *where)[0] == 2
    with sqlite3.connect(tmp_path / "citywarden.sqlite") as connection:
        connection.execute("UPDATE audit SET subject = 'wang' WHERE number = 1")
    connection.close()
    code, _, err = call(capsys, "audit", "--verify", *where)
    assert (code, "entry 1 does not follow" in err) == (1, True)


def test_an_end_that_was_cut_off_shows(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    where = ("--data", tmp_path)
    for name in ("zhang", "li", "wang"):
        call(capsys, "user", "add", name, *where)
    told = json.loads(call(capsys, "audit", "--verify", "--json", *where)[1])
    head = f"{told['number']}:{told['head']}"
    assert head in call(capsys, "audit", "--verify", *where)[1]
    assert call(capsys, "audit", "--verify", "--head", head, *where)[0] == 0
    assert call(capsys, "audit", "--head", told["head"], *where)[0] == 0
    assert call(capsys, "audit", "--verify", "--head", "abc", *where)[0] == 2
    with sqlite3.connect(tmp_path / "citywarden.sqlite") as connection:
        connection.execute("DELETE FROM audit WHERE number = 3")
    connection.close()
    assert call(capsys, "audit", "--verify", *where)[0] == 0, "nothing was noted elsewhere"
    code, _, err = call(capsys, "audit", "--verify", "--head", head, *where)
    assert (code, f"the head {head}, noted before, is not in it" in err) == (1, True)
    (tmp_path / "audit.heads").write_text(f"2026-11-22T08:00:00.000Z {head}\n")
    code, out, _ = call(capsys, "audit", "--verify", "--json", *where)
    assert (code, json.loads(out)["ok"], json.loads(out)["lost"]) == (1, False, head)
