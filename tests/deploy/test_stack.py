"""The whole stack, natively: the server with deploy/citywarden.toml before Mosquitto, InfluxDB and PostgreSQL."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from citywarden.alerts.receiver import Receiver
from ingest.endpoint import parse_url
from ingest.publisher import Publisher
from tests.brokers import free_port, needs_mosquitto
from tests.deploy.parts import DEPLOY, deployed_mosquitto, deployed_postgres, make_secrets, secret
from tests.influx import influxd

SECRET = "whsec_bm90IGEgc2VjcmV0IGF0IGFsbA=="
PATIENCE_S = 180
"""It takes seconds; a busy machine may take longer."""

CITYWARDEN = (sys.executable, "-m", "citywarden")


async def citywarden(environment: Mapping[str, str], *arguments: str) -> tuple[int, str]:
    """A command to its end; gives its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *CITYWARDEN, *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(PATIENCE_S):
        said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


@asynccontextmanager
async def served(environment: Mapping[str, str], output: Path, url: str) -> AsyncIterator[httpx.AsyncClient]:
    """`citywarden serve` until the block ends; SIGTERM has to end it in good order."""
    with output.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(*CITYWARDEN, "serve", env=environment, stdout=sink, stderr=sink)
    try:
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            said, deadline_s = "", time.monotonic() + PATIENCE_S
            while process.returncode is None and said != "200" and time.monotonic() < deadline_s:
                await asyncio.sleep(0.1)
                said = await health(client)
            assert said == "200", f"{said} {words(output)}"
            yield client
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()
    assert process.returncode == 0, words(output)


def words(output: Path) -> str:
    return output.read_text("utf-8", "replace")[-4000:]


async def health(client: httpx.AsyncClient) -> str:
    """ "200", or what is not well."""
    try:
        answer = await client.get("/healthz")
    except httpx.TransportError as error:
        return str(error)
    return "200" if answer.is_success else answer.text


def substituted(folder: Path, ports: Mapping[str, int], webhook: str) -> dict[str, str]:
    """The environment in place of the container network's names: nothing else is changed of deploy/citywarden.toml."""
    routes = folder / "routes.yaml"
    target = {"name": "dispatch", "url": webhook, "secret": SECRET, "language": "en"}
    routes.write_text(json.dumps({"targets": [target], "routes": [{"to": ["dispatch"]}]}))
    own = folder / "secrets" / "citywarden"
    database = f"citywarden@127.0.0.1:{ports['postgres']}/citywarden?passfile={own / 'pgpass'}"
    changed = {
        "MQTT__URL": f"mqtt://127.0.0.1:{ports['mosquitto']}",
        "MQTT__PASSWORD_FILE": str(own / "mqtt-password"),
        "PROVISIONER__PASSWORD_FILE": str(own / "provisioner-password"),
        "STORE__URL": f"influxdb://127.0.0.1:{ports['influxdb']}/city/city",
        "STORE__TOKEN_FILE": str(own / "influxdb-token"),
        "DATABASE__URL": f"postgresql+psycopg://{database}",
        "FLEET__DISTRICTS": str(DEPLOY.parent / "fleet" / "demo" / "shenzhen_districts.geojson"),
        "ALERTS__ROUTES": str(routes),
        "API__LISTEN": f"127.0.0.1:{ports['api']}",
    }
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CITYWARDEN")}
    return plain | {f"CITYWARDEN__{key}": value for key, value in changed.items()} | {
        "CITYWARDEN_CONFIG": str(DEPLOY / "citywarden.toml"), "CITYWARDEN_DATA": str(folder / "data"),
        "PYTHONPATH": str(DEPLOY.parent),
    }  # fmt: skip


@needs_mosquitto
async def test_published_stored_alerted_told_and_the_doctor_is_content(tmp_path: Path) -> None:
    make_secrets(tmp_path / "secrets")
    token, password = (
        secret(tmp_path / "secrets", "influxdb/admin-token"),
        secret(tmp_path / "secrets", "postgres/password"),
    )
    receiver = Receiver(SECRET, lambda: time.time_ns() // 1_000_000)
    (tmp_path / "influxd").mkdir()
    async with deployed_mosquitto(tmp_path) as broker, receiver.listen() as webhook:
        with (
            influxd(tmp_path / "influxd", bucket="city", token=token) as influx,
            deployed_postgres(password) as postgres,
        ):
            ports = {"mosquitto": broker, "influxdb": influx.port, "postgres": postgres, "api": free_port()}
            environment = substituted(tmp_path, ports, webhook)
            added = await citywarden(environment, "device", "add", "G1", "--kind", "gas", "--district", "Futian",
                                     "--lat", "22.54", "--lon", "114.05")  # fmt: skip
            assert added[0] == 0, added[1]
            gateway = f"mqtt://gateway:{secret(tmp_path / 'secrets', 'citywarden/gateway-password')}@127.0.0.1:{broker}"
            async with served(environment, tmp_path / "output", f"http://127.0.0.1:{ports['api']}"):
                async with Publisher(parse_url(gateway)) as publisher:
                    await publisher.publish("city/city/gas/G1/telemetry", b'{"methane_lel_pct": 60.5, "o2_pct": 20.9}')
                async with asyncio.timeout(PATIENCE_S):
                    while not receiver.count:
                        await asyncio.sleep(0.05)
                    while (stored := rows(influx.base, token, "city", "methane_lel_pct")) != ["60.5"]:
                        await asyncio.sleep(0.2)
                    while "critical" not in rows(influx.base, token, "city_records", "severity"):
                        await asyncio.sleep(0.2)
                    while len(places := rows(influx.base, token, "city_records", "lat")) < 2:
                        await asyncio.sleep(0.2)
            (message,) = receiver.messages
            assert (message.body["rule"], message.body["subject"], message.body["severity"]) == (
                "gas.methane",
                "G1",
                "critical",
            )
            assert stored == ["60.5"] and places == ["22.54", "22.54"]
            code, said = await citywarden(environment, "doctor", "--json")
            checks = {check["name"]: check for check in json.loads(said)["checks"]}
            assert code == 0, [check for check in checks.values() if not check["ok"]]
            assert checks["database"]["found"].startswith("postgresql") and "lets us in" in checks["mqtt"]["found"]
            assert checks["store"]["found"] == "1 readings"


def rows(base: str, token: str, bucket: str, field: str) -> list[str]:
    """The values of a field in a bucket."""
    flux = f'from(bucket: "{bucket}") |> range(start: -2d) |> filter(fn: (r) => r._field == "{field}") |> group()'
    answer = httpx.post(
        f"{base}/api/v2/query", params={"org": "city"}, content=f'{flux} |> keep(columns: ["_value"])',
        headers={"Authorization": f"Token {token}", "Content-Type": "application/vnd.flux"}, timeout=30,
    )  # fmt: skip
    return [line.split(",")[-1] for line in answer.text.split("\r\n")[1:] if line.count(",") >= 2]


def test_postgresql_takes_its_configuration_from_the_file_and_wants_the_password() -> None:
    import psycopg

    with deployed_postgres("Sesame-1") as port:
        where = f"host=127.0.0.1 port={port} user=citywarden dbname=citywarden"
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"{where} password=wrong")
        with psycopg.connect(f"{where} password=Sesame-1") as connection:
            wanted = {
                "max_connections": "60", "TimeZone": "UTC", "data_checksums": "on", "synchronous_commit": "on",
                "idle_in_transaction_session_timeout": "5min", "password_encryption": "scram-sha-256",
            }  # fmt: skip
            asked = "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)"
            assert dict(connection.execute(asked, (list(wanted),)).fetchall()) == wanted
