"""`citywarden certs` as people call it."""

import json
from pathlib import Path

import pytest

from tests.cli.calling import call


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CITYWARDEN_DATA", str(tmp_path / "data"))
    return tmp_path


def test_from_the_first_certificate_to_a_revoked_one(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert call(capsys, "certs", "list")[0] == 1
    code, out, _ = call(capsys, "certs", "init", "--name", "Shenzhen", "--json")
    assert (code, json.loads(out)["encrypted"]) == (0, False)
    assert call(capsys, "certs", "init")[0] == 1
    code, out, _ = call(capsys, "certs", "server", "localhost", "127.0.0.1", "--json")
    assert Path(json.loads(out)["cert"]).is_file()
    code, _, err = call(capsys, "certs", "issue", "G1")
    assert (code, "citywarden device add" in err) == (1, True)
    call(capsys, "device", "add", "G1", "--kind", "gas")
    code, out, _ = call(capsys, "certs", "issue", "G1", "--out", folder / "G1", "--json")
    issued = json.loads(out)
    assert (code, issued["name"], issued["state"]) == (0, "city/gas/G1", "good")
    assert sorted(file.name for file in (folder / "G1").iterdir()) == ["ca.pem", "cert.pem", "key.pem"]
    code, out, err = call(capsys, "certs", "list", "--json")
    assert [one["name"] for one in json.loads(out)["items"]] == ["localhost", "city/gas/G1"]
    assert err == ""
    code, out, _ = call(capsys, "certs", "revoke", "G1", "--json")
    assert [one["serial"] for one in json.loads(out)["revoked"]] == [issued["serial"]]
    assert call(capsys, "certs", "revoke", "G1")[0] == 1
    assert [one["name"] for one in json.loads(call(capsys, "certs", "list", "--json")[1])["items"]] == ["localhost"]
    assert len(json.loads(call(capsys, "certs", "list", "--all", "--json")[1])["items"]) == 2
    code, out, _ = call(capsys, "certs", "crl")
    assert (code, "good until" in out) == (0, True)


def test_what_expires_soon_is_said_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    call(capsys, "certs", "init")
    call(capsys, "certs", "issue", "citywarden", "--login", "--days", "20")
    code, out, err = call(capsys, "certs", "list")
    assert code == 0
    assert "expiring" in out
    assert "citywarden: warning: citywarden expires on" in err


def test_an_encrypted_key_wants_its_passphrase(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    secret = folder / "passphrase"
    secret.write_text("correct horse\n")
    assert call(capsys, "certs", "init", "--passphrase-file", secret)[0] == 0
    code, _, err = call(capsys, "certs", "server", "localhost")
    assert (code, err.count("\n"), "encrypted" in err) == (1, 1, True)
    assert call(capsys, "certs", "server", "localhost", "--passphrase-file", secret)[0] == 0


def test_a_name_that_several_have_is_asked_for_whole(capsys: pytest.CaptureFixture[str]) -> None:
    call(capsys, "certs", "init")
    for kind in ("gas", "waterlogging"):
        call(capsys, "device", "add", "X1", "--kind", kind)
        assert call(capsys, "certs", "issue", f"city/{kind}/X1")[0] == 0
    code, _, err = call(capsys, "certs", "issue", "X1")
    assert (code, "ambiguous" in err) == (2, True)
    code, _, err = call(capsys, "certs", "revoke", "X1")
    assert (code, "ambiguous" in err) == (2, True)
    assert call(capsys, "certs", "revoke", "city/gas/X1")[0] == 0
