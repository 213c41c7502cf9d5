"""Commands as people and scripts call them: exit codes 0, 1, 2, one clear line for an error, JSON where asked."""

import json
from pathlib import Path

import pytest

from tests.cli.calling import call

CSV = "id,kind,lat,lon,profile\nG1,gas,22.5,114.0,\nL1,streetlight,,,nominal_power_w=120\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CITYWARDEN_DATA", str(tmp_path / "data"))
    return tmp_path


def test_wrong_use_is_one_line_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["nope"], ["device", "add"], ["device", "add", "X", "--kind", "boat"], ["demo", "--seconds", "soon"]):
        code, out, err = call(capsys, *words)
        assert (code, out, err.count("\n")) == (2, "", 1), words
        assert err.startswith("citywarden: ")


def test_devices_go_round_from_csv_to_registry_and_back(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    file = folder / "devices.csv"
    file.write_text(CSV)
    assert call(capsys, "device", "import", file)[:2] == (0, "registered 2 devices\n")
    code, _, err = call(capsys, "device", "import", file)
    assert code == 1
    assert err.splitlines() == ["line 2: id: 'G1' is registered already", "line 3: id: 'L1' is registered already"]
    exported = call(capsys, "device", "export")[1]
    call(capsys, "device", "remove", "G1")
    call(capsys, "device", "remove", "L1")
    file.write_text(exported)
    assert call(capsys, "device", "import", file)[0] == 0
    assert call(capsys, "device", "export")[1] == exported
    listed = json.loads(call(capsys, "device", "list", "--json")[1])["items"]
    assert [(d["id"], d["profile"]) for d in listed] == [("G1", {}), ("L1", {"nominal_power_w": 120.0})]


def test_one_bad_row_imports_nothing(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    file = folder / "devices.csv"
    file.write_text(CSV + "G2,boat,,,\n")
    code, _, err = call(capsys, "device", "import", file)
    assert (code, err) == (1, "line 4: kind: 'boat': expected one of gas, streetlight, vehicle, waterlogging\n")
    assert json.loads(call(capsys, "device", "list", "--json")[1])["items"] == []


def test_a_file_of_another_encoding_is_named_with_its_line(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    file = folder / "devices.csv"
    file.write_bytes("id,kind,name\nG1,gas,x\nG2,gas,燃气井\n".encode("gb18030"))
    code, out, err = call(capsys, "device", "import", file)
    assert (code, out) == (1, f"registered nothing: 1 problem in {file}\n")
    assert err.startswith("line 3: row: is not UTF-8; save the file as `CSV UTF-8`")
    file.write_text("id,kind,name\nG1,gas,x\nG2,gas,燃气井\n", encoding="utf-8-sig")
    assert call(capsys, "device", "import", file)[:2] == (0, "registered 2 devices\n")


def test_a_device_is_shown_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    profile = "nominal_power_w=150;interval_s=60"
    call(capsys, "device", "add", "L1", "--kind", "streetlight", "--district", "Futian", "--profile", profile)
    shown = dict(line.split(maxsplit=1) for line in call(capsys, "device", "show", "L1")[1].splitlines() if " " in line)
    assert (shown["profile"], shown["enabled"], shown["lat"]) == ("interval_s=60; nominal_power_w=150", "yes", "-")
    assert "1 device" in call(capsys, "device", "list", "--district", "Futian")[1]
    assert "L1" not in call(capsys, "device", "list", "--district", "Luohu")[1]


def test_a_device_is_added_switched_and_removed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "device", "add", "G1", "--kind", "gas", "--district", "Futian")[0] == 0
    assert call(capsys, "device", "add", "G1", "--kind", "gas")[::2] == (1, "citywarden: already registered: G1\n")
    call(capsys, "device", "disable", "G1")
    assert json.loads(call(capsys, "device", "show", "G1", "--json")[1])["enabled"] is False
    call(capsys, "device", "remove", "G1")
    assert call(capsys, "device", "show", "G1")[::2] == (1, "citywarden: no device G1 in tenant city\n")


def test_rules_are_checked_whole_and_tested(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    bad = folder / "bad.yaml"
    bad.write_text(
        "rules:\n  - id: a\n    kind: boat\n  - id: a\n    kind: gas\n    levels: {major: {when: 'co > 1'}}\n"
    )
    code, _, err = call(capsys, "rules", "check", bad)
    assert code == 1
    assert all(line.startswith(f"{bad}:") for line in err.splitlines())
    assert len(err.splitlines()) >= 3
    assert call(capsys, "rules", "test", Path(__file__).parents[2] / "rules" / "default.yaml")[0] == 0


def test_dead_letters_are_listed_and_replayed(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    from citywarden.model.message import DeadLetter, Reject
    from citywarden.serve.tables import open_database
    from ingest.deadletters import DeadLetters

    engine = open_database(f"sqlite:///{folder / 'data' / 'citywarden.sqlite'}")
    letter = DeadLetter(
        0, 5, -1, "city/t/gas/G1/telemetry", b'{"co_ppm": 1}', 1_790_000_000_000, Reject.UNKNOWN_DEVICE, "G1"
    )
    DeadLetters(engine, 1000).add([letter])
    engine.dispose()
    (item,) = json.loads(call(capsys, "deadletters", "list", "--json")[1])["items"]
    assert (item["reason"], item["topic"]) == ("unknown_device", "city/t/gas/G1/telemetry")
    assert call(capsys, "deadletters", "replay")[0] == 2
    assert call(capsys, "deadletters", "replay", "--all")[:2] == (0, "1 messages are in the log again\n")
    assert json.loads(call(capsys, "deadletters", "list", "--json")[1])["items"] == []
    assert call(capsys, "deadletters", "replay", "--all")[1] == "0 messages are in the log again\n"


def test_the_doctor_says_what_is_in_force_and_what_is_wrong(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    file = folder / "citywarden.toml"
    file.write_text('[mqtt]\nurl = "mqtt://u:hush@127.0.0.1:1"\n[api]\nlisten = "127.0.0.1:0"\n')
    code, out, _ = call(capsys, "doctor", "--json", "--config", file)
    found = json.loads(out)
    assert code == 1
    assert [check["name"] for check in found["checks"] if not check["ok"]] == ["mqtt"]
    assert found["settings"]["mqtt"]["url"] == "mqtt://u:***@127.0.0.1:1"
    assert "hush" not in out
    assert {c["name"]: c["found"] for c in found["checks"]}["database"] == "will be made at first start"
    assert not list((folder / "data").glob("*")), "a look at it makes nothing"


def test_kinds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = json.loads(call(capsys, "kinds", "--json")[1])
    assert [kind["kind"] for kind in kinds] == ["gas", "streetlight", "vehicle", "waterlogging"]
    assert "积水深度" in call(capsys, "kinds")[1]
