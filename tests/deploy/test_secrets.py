"""Secrets that are made once, and who may do what with them."""

import asyncio
import re
import stat
import subprocess
import sys
from pathlib import Path

import aiomqtt
import httpx
import pytest

from citywarden.provision.contract import Grant, account_of
from citywarden.provision.dynsec import Door, DynamicSecurity
from citywarden.settings import load
from tests.brokers import needs_mosquitto
from tests.deploy.parts import DEPLOY, deployed_mosquitto, make_secrets, secret
from tests.influx import influxd


def test_secrets_are_made_once_each_a_different_one_for_its_owner_only(tmp_path: Path) -> None:
    assert len(make_secrets(tmp_path).splitlines()) == 10
    files = {str(file.relative_to(tmp_path)): file.read_text("utf-8") for file in tmp_path.rglob("*") if file.is_file()}
    assert make_secrets(tmp_path) == ""
    assert files == {name: (tmp_path / name).read_text("utf-8") for name in files}
    plain = [text for name, text in files.items() if name not in ("mosquitto/dynamic-security", "citywarden/pgpass")]
    assert all(re.fullmatch(r"[\w-]{43}", text) for text in plain)
    assert len(set(plain)) == len(plain) - 1, "only InfluxDB's token is known to two"
    assert files["citywarden/influxdb-token"] == files["influxdb/admin-token"]
    assert files["citywarden/pgpass"] == f"*:*:*:citywarden:{files['postgres/password']}\n"
    for file in tmp_path.rglob("*"):
        wanted = 0o700 if file.is_dir() else 0o600 if file.name == "dynamic-security" else 0o400
        assert stat.S_IMODE(file.stat().st_mode) == wanted, file


def test_wrong_use_is_told() -> None:
    done = subprocess.run([sys.executable, DEPLOY / "generate-secrets"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "usage: generate-secrets FOLDER\n")


def test_the_servers_configuration_is_whole(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    text = (DEPLOY / "citywarden.toml").read_text("utf-8").replace("/secrets/", f"{tmp_path}/")
    (tmp_path / "citywarden.toml").write_text(text)
    settings = load(tmp_path / "citywarden.toml", {})
    assert settings.mqtt.password is not None and settings.store.token is not None
    assert settings.mqtt.password.get_secret_value() == secret(tmp_path, "citywarden/mqtt-password")
    assert settings.store.url == "influxdb://influxdb:8086/city/city"
    assert settings.database_url.startswith("postgresql+psycopg://citywarden@postgres")


def client(port: int, user: str | None, password: str | None) -> aiomqtt.Client:
    return aiomqtt.Client("127.0.0.1", port, username=user, password=password, timeout=60)


@needs_mosquitto
async def test_mosquitto_lets_in_who_has_a_password_and_everyone_says_only_what_they_may(tmp_path: Path) -> None:
    make_secrets(tmp_path / "secrets")
    own, gateway = (secret(tmp_path / "secrets", f"citywarden/{name}-password") for name in ("mqtt", "gateway"))
    async with deployed_mosquitto(tmp_path) as port:
        with pytest.raises(aiomqtt.MqttError):
            await client(port, None, None).__aenter__()
        with pytest.raises(aiomqtt.MqttError):
            await client(port, "citywarden", gateway).__aenter__()
        async with client(port, "citywarden", own) as server, client(port, "gateway", gateway) as field:
            await server.subscribe("city/#", qos=1)
            await server.publish("city/t/gas/d1/telemetry", b"forged", qos=1)
            await field.publish("elsewhere/t/gas/d1/telemetry", b"astray", qos=1)
            await field.publish("city/t/gas/d1/telemetry", b"real", qos=1)
            async with asyncio.timeout(60):
                message = await anext(aiter(server.messages))
            assert (str(message.topic), message.payload) == ("city/t/gas/d1/telemetry", b"real")
    assert (tmp_path / "data" / "mosquitto.db").exists()


@needs_mosquitto
async def test_the_provisioner_gives_devices_their_rights_and_has_none_itself(tmp_path: Path) -> None:
    make_secrets(tmp_path / "secrets")
    word = secret(tmp_path / "secrets", "citywarden/provisioner-password")
    async with deployed_mosquitto(tmp_path) as port:
        broker = DynamicSecurity(Door("127.0.0.1", port, "provisioner", word))
        await broker.put([Grant(account_of("t/gas/g1"), "device's password")])
        assert list(await broker.list()) == [account_of("t/gas/g1")], "the server's own accounts are left alone"
        own = secret(tmp_path / "secrets", "citywarden/mqtt-password")
        device = aiomqtt.Client(
            "127.0.0.1", port, username="t/gas/g1", password="device's password", identifier="t/gas/g1"
        )
        async with client(port, "citywarden", own) as server, device, client(port, "provisioner", word) as provisioner:
            await server.subscribe("city/#", qos=1)
            for pattern in ("#", "city/#"):
                (code,) = await provisioner.subscribe(pattern, qos=1)
                assert str(code) == "128" or getattr(code, "value", 0) >= 0x80
            await device.publish("city/t/gas/g1/telemetry", b"{}", qos=1)
            async with asyncio.timeout(60):
                assert str((await anext(aiter(server.messages))).topic) == "city/t/gas/g1/telemetry"
    assert "t/gas/g1" in (tmp_path / "secrets/mosquitto/dynamic-security").read_text("utf-8")


def test_grafanas_token_reads_and_does_nothing_else(tmp_path: Path) -> None:
    with influxd(tmp_path) as server:
        bucket = server.make_bucket()
        (tmp_path / "admin").write_text(server.token)
        token = tmp_path / "grafana-token"
        script, admin = str(DEPLOY / "make-read-token"), str(tmp_path / "admin")
        command = [sys.executable, script, server.base, "city", admin, str(token)]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"made {token}\n"
        first = token.read_text("utf-8")
        subprocess.run(command, check=True)
        assert token.read_text("utf-8") == first and stat.S_IMODE(token.stat().st_mode) == 0o400
        with httpx.Client(base_url=server.base, headers={"Authorization": f"Token {first}"}, timeout=30) as client:
            flux = {"Content-Type": "application/vnd.flux"}
            asked = client.post(
                "/api/v2/query",
                params={"org": "city"},
                headers=flux,
                content=f'from(bucket:"{bucket}") |> range(start:-1h)',
            )
            written = client.post("/api/v2/write", params={"org": "city", "bucket": bucket}, content="m f=1")
            span = {"start": "1970-01-01T00:00:00Z", "stop": "2100-01-01T00:00:00Z"}
            deleted = client.post("/api/v2/delete", params={"org": "city", "bucket": bucket}, json=span)
        assert asked.status_code == 200
        assert {written.status_code, deleted.status_code} <= {401, 403, 404}
