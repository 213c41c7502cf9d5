"""`citywarden cases` on a database that a server might be using."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from citywarden.cli import run
from citywarden.serve.alerting import desk_of
from citywarden.settings import load
from tests.alerts.alert_builders import finding
from tests.cli import calling


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "citywarden.toml").write_text('tenant = "t"\n')
    monkeypatch.setenv("CITYWARDEN_CONFIG", str(tmp_path / "citywarden.toml"))
    monkeypatch.setenv("CITYWARDEN_DATA", str(tmp_path / "data"))
    return tmp_path


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    return calling.call(capsys, "cases", *words)


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    return calling.answer(capsys, "cases", *words)


def test_a_case_from_opening_to_closing_and_its_rates(capsys: pytest.CaptureFixture[str]) -> None:
    number = answer(capsys, "open", "--category", "gas_leak", "--title", "燃气味", "--district", "Futian",
                    "--lat", "22.5", "--lon", "114", "--by", "Li")["number"]  # fmt: skip
    for step, more in (("accept", ()), ("file", ()), ("dispatch", ("--unit", "抢险队")), ("begin", ()), ("finish", ()),
                       ("rework", ("--why", "incomplete")), ("finish", ()), ("pass", ()), ("close", ())):  # fmt: skip
        assert answer(capsys, "step", number, step, *more, "--by", "Li")["number"] == number
    shown = answer(capsys, "show", number)
    assert (shown["stage"], shown["reworks"], len(shown["history"])) == ("closed", 1, 10)
    assert answer(capsys, "list")["items"] == []
    assert [case["number"] for case in answer(capsys, "list", "--all")["items"]] == [number]
    (row,) = answer(capsys, "rates", "--by", "unit", "--to", "2099-01-01")
    assert (row["group"], row["closing_pct"], row["rework_pct"]) == ("抢险队", 100.0, 100.0)
    assert "抢险队" in call(capsys, "rates", "--by", "unit", "--to", "2099-01-01")[1]


def test_what_is_done_here_is_in_the_record_by_who_sits_here(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    number = answer(capsys, "open", "--category", "gas_leak", "--title", "燃气味", "--by", "Li")["number"]
    for step in ("accept", "file"):
        answer(capsys, "step", number, step, "--by", "Li")
    dispatched = answer(capsys, "step", number, "dispatch", "--unit", "燃气集团抢险队", "--note", "急", "--by", "Chen")
    assert dispatched["unit"] == "燃气集团抢险队 / Gas emergency team", "by its whole name"
    assert call(capsys, "step", number, "close")[0] == 1, "what is refused is no change"
    assert call(capsys, "export", str(folder / "cases.json"))[0] == 0
    assert call(capsys, "import", str(folder / "cases.json"), "--data", str(folder / "other"))[0] == 0
    entries = recorded(capsys)
    assert {entry["by"].partition(":")[0] for entry in entries} == {"cli"}
    assert [(entry["action"], entry["subject"], entry["detail"]) for entry in entries] == [
        ("case.dispatch", number, "by Chen: 燃气集团抢险队 / Gas emergency team 急"),
        ("case.file", number, "by Li"),
        ("case.accept", number, "by Li"),
        ("case.open", number, "by Li: gas_leak 燃气味"),
    ]
    (imported,) = recorded(capsys, "--data", str(folder / "other"))
    assert (imported["action"], imported["subject"], imported["detail"]) == ("case.import", "1 cases", "cases.json")


def recorded(capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, str]]:
    """The audit, newest first."""
    assert run(["audit", "--json", *more]) == 0
    return list(json.loads(capsys.readouterr().out)["items"])


def test_what_a_person_reads(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "open", "--category", "missed_road", "--title", "漏扫")
    assert (code, "missed_road 漏扫: reported, due " in out) == (0, True)
    number = out.split()[0]
    assert number in call(capsys, "list")[1]
    assert "opened" in call(capsys, "show", number)[1]
    assert "4 business h" in call(capsys, "categories")[1]
    assert "排水抢险队 / Drainage team" in answer(capsys, "units")
    assert "排水抢险队 / Drainage team" in call(capsys, "units")[1].splitlines()


def test_a_case_out_of_an_alert(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    now_ms = time.time_ns() // 1_000_000
    desk = desk_of(load(folder / "citywarden.toml", {}, folder / "data"))
    (alert,) = desk.apply([finding("major", now_ms, "g1")], now_ms, {})
    assert answer(capsys, "open", "--alert", alert.id[:8])["alert"]["subject"] == "g1"
    code, _, err = call(capsys, "open", "--alert", alert.id)
    assert (code, "is open for this alert already" in err) == (1, True)
    desk.engine.dispose()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["show", "20991122-0001"], 1, "no case"),
        (["open", "--title", "x"], 2, "--category and --title"),
        (["open", "--category", "none", "--title", "x"], 1, "no category 'none', expected one of gas_leak"),
        (["step", "x", "explode"], 2, "explode"),
        (["step", "x", "ask_extension", "--longer", "soon"], 2, "expected a length such as"),
        (["rates", "--from", "2026-02-01", "--to", "2026-01-01"], 2, "--from is after --to"),
        (["import", "none.json"], 1, "none.json: "),
    ],
)
def test_wrong_use(capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str) -> None:
    found, _, err = call(capsys, *words)
    assert (found, said in err, err.count("\n")) == (code, True, 1), err


def test_a_step_that_is_not_possible(capsys: pytest.CaptureFixture[str]) -> None:
    number = answer(capsys, "open", "--category", "other", "--title", "x")["number"]
    code, _, err = call(capsys, "step", number, "close")
    assert (code, "wrong_stage" in err) == (1, True)


def test_export_and_import(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    number = answer(capsys, "open", "--category", "other", "--title", "x")["number"]
    assert call(capsys, "export", str(folder / "cases.json"), "--evidence")[0] == 0
    code, _, err = call(capsys, "import", str(folder / "cases.json"))
    assert (code, f"cases[0]: {number} of t is there already" in err) == (1, True)
    assert call(capsys, "import", str(folder / "cases.json"), "--data", str(folder / "other"))[:2] == (
        0, f"{folder / 'cases.json'}: 1 cases\n")  # fmt: skip
    assert answer(capsys, "show", number, "--data", str(folder / "other"))["title"] == "x"


def test_a_table_is_checked(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    table = folder / "cases.yaml"
    table.write_text("categories:\n  - {id: a, name: {zh-CN: 甲, en: A}, handle: soon, handel: 1 h}\n")
    code, _, err = call(capsys, "check", str(table))
    assert code == 1
    assert f"{table}:2: categories[0].handel: unknown key" in err
    assert f"{table}:2: categories[0].handle: `soon`, expected a length" in err


def test_a_table_of_another_encoding_is_named(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    table = folder / "table.yaml"
    table.write_bytes("categories: 燃气".encode("gbk"))
    assert call(capsys, "check", str(table))[::2] == (1, f"{table}: is not UTF-8: invalid continuation byte\n")
