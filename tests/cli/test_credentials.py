"""Credentials at the command line: shown once, imported to a file, compared and repaired."""

import ast
import asyncio
import json
import shlex
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from sqlalchemy import update

from citywarden.cli import run
from citywarden.cli.running import wall_ms
from citywarden.cli.simulate import play_city
from citywarden.log.contract import Slice
from citywarden.model.credential import Credential, login_of
from citywarden.model.device import Device
from citywarden.model.kind import JsonScalar
from citywarden.model.message import RawMessage
from citywarden.provision.contract import Grant, account_of
from citywarden.provision.embedded import EmbeddedAccounts
from citywarden.provision.handout import SNIPPETS, Handout, csv_lines, qr, read_csv
from citywarden.provision.tables import accounts
from citywarden.serve.tables import open_database
from fleet.city import Size, city
from ingest.decode import Decoder
from tests.builders import KINDS
from tests.provision.sites import embedded_site

ROWS = "id,kind,profile\nL1,streetlight,interval_s=60\nL2,streetlight,\n"


@pytest.fixture
def here(tmp_path: Path) -> list[str]:
    config = tmp_path / "citywarden.toml"
    config.write_text('tenant = "t"\nlanguage = "en"\n[mqtt]\ndevices = "credentials"\n')
    return ["--config", str(config), "--data", str(tmp_path / "data")]


def lets_in(folder: Path, login: str, password: str) -> bool:
    """Whether the embedded broker takes them."""
    engine = open_database(f"sqlite:///{folder / 'data' / 'citywarden.sqlite'}")
    kept = EmbeddedAccounts(engine).find(login)
    engine.dispose()
    return kept is not None and kept.lets_in(password, login)


def test_an_open_broker_keeps_credentials_for_the_day_it_is_closed(
    here: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_to_all = ["--data", str(tmp_path / "data")]
    rows = tmp_path / "rows.csv"
    rows.write_text("id,kind,tenant\nL1,streetlight,t\nL2,streetlight,t\n")
    assert run(["device", "import", str(rows), *open_to_all]) == 0, "they may be without"
    assert run(["device", "add", "g1", "--kind", "gas", "--tenant", "t", "--json", *open_to_all]) == 0
    first = json.loads(capsys.readouterr().out.partition("\n")[2])["credentials"]["password"]
    assert run(["device", "rotate", "g1", "--tenant", "t", "--json", *open_to_all]) == 0
    shown = capsys.readouterr()
    second = json.loads(shown.out)["password"]
    assert 'everyone in until [mqtt] devices = "credentials"' in shown.err
    assert run(["device", "sync", *open_to_all]) == 0
    assert lets_in(tmp_path, "t/gas/g1", second) and not lets_in(tmp_path, "t/gas/g1", first)
    assert run(["device", "sync", *here]) == 1, "the gate would not let the lamps in"
    assert "t/streetlight/L1" in capsys.readouterr().out


def test_a_device_is_added_rotated_and_shown(
    here: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["device", "add", "g1", "--kind", "gas", "--json", *here]) == 0
    made = json.loads(capsys.readouterr().out)
    first = made["credentials"]["password"]
    assert (made["id"], made["credentials"]["username"]) == ("g1", "t/gas/g1")
    assert lets_in(tmp_path, "t/gas/g1", first)
    picture = tmp_path / "g1.svg"
    assert run(["device", "rotate", "g1", "--qr", "--qr-file", str(picture), *here]) == 0
    shown = capsys.readouterr()
    second = shown.out.split("password")[1].split()[0]
    assert "█" in shown.out and "shown this once" in shown.err
    assert lets_in(tmp_path, "t/gas/g1", second) and not lets_in(tmp_path, "t/gas/g1", first)
    assert stat.S_IMODE(picture.stat().st_mode) == 0o600 and picture.read_text().startswith("<?xml")
    assert run(["device", "rotate", "g1", "--qr-file", str(picture), *here]) == 2
    assert "exists already" in capsys.readouterr().err
    assert lets_in(tmp_path, "t/gas/g1", second), "refused before anything changed"
    assert run(["device", "show", "g1", "--json", *here]) == 0
    shown_ = capsys.readouterr().out
    assert second not in shown_ and json.loads(shown_)["credentials"]["username"] == "t/gas/g1"
    assert run(["device", "disable", "g1", *here]) == 0
    assert not lets_in(tmp_path, "t/gas/g1", second)
    assert run(["device", "enable", "g1", *here]) == 0
    assert lets_in(tmp_path, "t/gas/g1", second)
    assert run(["device", "remove", "g1", *here]) == 0
    assert not lets_in(tmp_path, "t/gas/g1", second)
    capsys.readouterr()
    assert run(["audit", "--json", *here]) == 0
    noted = capsys.readouterr().out
    assert all(f"device.{deed}" in noted for deed in ("add", "rotate", "disable", "enable", "remove"))
    assert first not in noted and second not in noted


def test_an_import_writes_passwords_once(here: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, out = tmp_path / "lamps.csv", tmp_path / "out.csv"
    rows.write_text(ROWS + "L3,boat,\n")
    assert run(["device", "import", str(rows), "--credentials", str(out), *here]) == 1
    assert "line 4: kind: 'boat'" in capsys.readouterr().err
    assert not out.exists()
    rows.write_text(ROWS)
    assert run(["device", "import", str(rows), *here]) == 2
    assert "--credentials OUT.csv" in capsys.readouterr().err
    assert run(["device", "import", str(rows), "--credentials", str(out), *here]) == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    passwords = read_csv(out.read_text().splitlines(), "out.csv")
    assert set(passwords) == {"t/streetlight/L1", "t/streetlight/L2"}
    assert all(lets_in(tmp_path, login, password) for login, password in passwords.items())
    rows.write_text("id,kind\nL9,streetlight\n")
    assert run(["device", "import", str(rows), "--credentials", str(out), *here]) == 1
    assert "exists already" in capsys.readouterr().err
    assert run(["device", "show", "L9", *here]) == 1
    assert run(["device", "import", str(rows), "--claim", *here]) == 0
    assert run(["device", "sync", *here]) == 0, "what waits for its claim is no difference"
    capsys.readouterr()
    assert run(["device", "export", *here]) == 0
    exported = capsys.readouterr().out
    assert len(exported.splitlines()) == 4


def test_sync_tells_and_mends(here: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["device", "add", "g1", "--kind", "gas", *here]) == 0
    assert run(["device", "add", "g2", "--kind", "gas", *here]) == 0
    engine = open_database(f"sqlite:///{tmp_path / 'data' / 'citywarden.sqlite'}")
    with engine.begin() as connection:
        connection.execute(update(accounts).where(accounts.c.login == "t/gas/g1").values(allowed=False))
        connection.execute(update(accounts).where(accounts.c.login == "t/gas/g2").values(removed=True))
    engine.dispose()
    capsys.readouterr()
    assert run(["doctor", "--json", *here]) == 1
    (accounts_check,) = [one for one in json.loads(capsys.readouterr().out)["checks"] if one["name"] == "accounts"]
    assert "2 accounts differ between registry and broker: t/gas/g2 (missing)" in accounts_check["found"]
    assert run(["device", "sync", "--json", *here]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [(row["login"], row["fault"]) for row in told["different"]] == [
        ("t/gas/g2", "missing"), ("t/gas/g1", "refused")
    ]  # fmt: skip
    assert run(["device", "sync", "--repair", *here]) == 0
    assert run(["device", "sync", *here]) == 0
    assert "agree" in capsys.readouterr().out


def test_claims_at_the_command_line(here: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["claim", "key", "--mode", "approval", "--json", *here]) == 0
    assert len(json.loads(capsys.readouterr().out)["key"]) == 43
    assert run(["claim", "list", "--json", *here]) == 0
    assert json.loads(capsys.readouterr().out)["items"] == []
    assert run(["claim", "approve", "S1", *here]) == 1
    assert "waits for approval" in capsys.readouterr().err
    assert run(["device", "add", "g1", "--kind", "gas", *here]) == 0
    assert run(["claim", "reset", "g1", *here]) == 0
    assert run(["claim", "key", "--drop", *here]) == 0
    assert run(["claim", "key", "--drop", *here]) == 1
    assert run(["claim", "key", "--data", here[-1]]) == 1
    assert "[provisioner] kind" in capsys.readouterr().err


@pytest.mark.parametrize("tls", [False, True])
def test_what_is_handed_out_works_as_it_stands(tls: bool) -> None:
    example: dict[str, JsonScalar] = {"methane_lel_pct": 1.2, "fault": 'it\'s "odd"'}
    handout = Handout(Credential("t/gas/g1", "a-b_C", 0), "mqtt.city.example", 8883, tls, example)
    ast.parse(handout.snippet("python"))
    for language in SNIPPETS:
        text = handout.snippet(language)
        assert "@" not in text
        assert "1.2" in text, "a reading of its kind, so that the first try is no dead letter"
        assert all(
            part in text for part in ("t/gas/g1", "a-b_C", "mqtt.city.example", "8883", "city/t/gas/g1/telemetry")
        )
        assert ("tls" in text.lower() or "Secure" in text) == tls
    uri = urlsplit(handout.uri())
    assert uri.scheme == ("mqtts" if tls else "mqtt")
    assert (unquote(uri.username or ""), uri.password, uri.hostname, uri.port) == (
        "t/gas/g1", "a-b_C", "mqtt.city.example", 8883
    )  # fmt: skip
    assert qr(handout).designator.endswith("-M")


@pytest.mark.parametrize("kind", [*KINDS])
def test_a_snippet_publishes_what_the_server_takes(
    kind: str, here: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--lat", "22.54", "--lon", "114.05"]
    assert run(["device", "add", "x1", "--kind", kind, *where, "--snippet", "mosquitto", *here]) == 0
    words = shlex.split(capsys.readouterr().out)
    known = {("t", kind, "x1"): Device("t", kind, "x1", lat=22.54, lon=114.05)}
    message = RawMessage(words[words.index("-t") + 1], words[words.index("-m") + 1].encode(), wall_ms())
    decoded = Decoder(KINDS, lambda key: known.get((key.tenant, key.kind, key.id))).decode(Slice(0, 1, (message,)))
    assert [len(columns) for columns in decoded.columns] == [1] and not decoded.dead


async def test_simulated_devices_speak_each_with_its_own_login(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    town = city(1, wall_ms(), "t", Size.of(12), with_recorded=False)
    async with embedded_site(engine) as site:
        logins = sorted(login_of(d.key) for d in town.devices)
        given = [Credential(login, f"word-of-{login.replace('/', '-')}-{'x' * 20}", 0) for login in logins]
        await site.provisioner.put([Grant(account_of(c.login), c.password) for c in given])
        passwords = read_csv(list(csv_lines(given[1:])), "out.csv")
        heard: set[str] = set()
        ready = asyncio.Event()

        async def listen() -> None:
            async with site.own() as server:
                await server.subscribe("city/#", qos=1)
                ready.set()
                async for message in server.messages:
                    heard.add("/".join(str(message.topic).split("/")[1:4]))

        listening = asyncio.create_task(listen())
        await ready.wait()
        await play_city(site.devices, town, rate=100.0, seconds=1.5, passwords=passwords)
        listening.cancel()
        await asyncio.wait({listening})
    engine.dispose()
    assert len(heard) >= 6
    assert heard <= set(passwords)
