"""A whole server whose devices have credentials: the API gives them, the gate demands them, a command takes them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
import pytest

from citywarden.cli import run as cli
from citywarden.cli.running import wall_ms
from citywarden.model.errors import ConfigurationError
from citywarden.provision import claimant
from citywarden.sections import MqttSettings, ProvisionerSettings, Settings
from citywarden.serve.brokers import check
from citywarden.serve.prepare import prepare
from citywarden.serve.server import Options, Running, running
from tests.brokers import is_cut

DEVICES = "/api/v1/devices"


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Running, httpx.AsyncClient]]:
    settings = Settings(tenant="t", language="en", data=folder, mqtt=MqttSettings(devices="credentials"))
    async with (
        running(prepare(settings), Options(port=0), wall_ms) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        yield server, client


def device(server: Running, credentials: dict[str, Any], client_id: str | None = None) -> aiomqtt.Client:
    return aiomqtt.Client(
        server.broker.host, server.broker.port, username=credentials["username"], password=credentials["password"],
        identifier=client_id or credentials["client_id"], timeout=5,
    )  # fmt: skip


async def _until_stored(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    async with asyncio.timeout(15):
        while True:
            found: list[dict[str, Any]] = (await client.get(path)).json().get("items", [])
            if found:
                return found
            await asyncio.sleep(0.1)


async def test_a_device_is_registered_speaks_is_rotated_disabled_and_removed(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, api):
        given = {"tenant": "t", "kind": "gas", "id": "g1", "lat": 22.5, "lon": 114.0, "profile": {"interval_s": 60}}
        made = await api.post(DEVICES, json=given)
        assert made.status_code == 201, made.text
        first = made.json()["credentials"]
        assert first["broker"] == f"mqtt://127.0.0.1:{server.broker.port}"
        assert (await api.post(DEVICES, json=given)).status_code == 409
        with pytest.raises(aiomqtt.MqttError):
            await device(server, {"username": "t/gas/g1", "password": "guess", "client_id": "t/gas/g1"}).__aenter__()
        lamp = device(server, first)
        await lamp.__aenter__()
        await lamp.publish("city/t/gas/g2/telemetry", b'{"methane_lel_pct": 99}', qos=1)
        await lamp.publish("city/t/gas/g1/telemetry", b'{"methane_lel_pct": 7}', qos=1)
        (reading,) = await _until_stored(api, "/api/v1/readings/gas/g1")
        assert reading["methane_lel_pct"] == 7
        assert (await api.get("/api/v1/deadletters")).json()["items"] == []

        rotated = await api.post(f"{DEVICES}/t/gas/g1/rotate")
        second = rotated.json()["credentials"]
        assert await is_cut(lamp)
        with pytest.raises(aiomqtt.MqttError):
            await device(server, first).__aenter__()
        lamp = device(server, second)
        await lamp.__aenter__()
        assert await asyncio.to_thread(cli, ["device", "disable", "g1", *_on(tmp_path)]) == 0
        assert await is_cut(lamp), "a command of another process ends the session, too"
        with pytest.raises(aiomqtt.MqttError):
            await device(server, second).__aenter__()
        enabled = await api.post(f"{DEVICES}/t/gas/g1/enable")
        assert enabled.json()["enabled"]
        async with device(server, second):
            changed = await api.patch(f"{DEVICES}/t/gas/g1", json={"name": "Pit 1", "lat": None, "lon": None})
            assert (changed.json()["name"], changed.json()["lat"]) == ("Pit 1", None)
            assert changed.json()["profile"] == {"interval_s": 60}
        assert (await api.delete(f"{DEVICES}/t/gas/g1")).status_code == 204
        with pytest.raises(aiomqtt.MqttError):
            await device(server, second).__aenter__()
        assert (await api.post(f"{DEVICES}/t/gas/g1/rotate")).status_code == 404
        noted = (await api.get("/api/v1/audit")).json()["items"]
        assert {"device.add", "device.rotate", "device.disable", "device.enable", "device.change", "device.remove"} <= {
            note["action"] for note in noted
        }
        assert second["password"] not in str(noted)


def _on(folder: Path) -> list[str]:
    config = folder / "citywarden.toml"
    config.write_text('tenant = "t"\n[mqtt]\ndevices = "credentials"\n')
    return ["--config", str(config), "--data", str(folder)]


async def test_a_device_claims_and_speaks(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, api):
        key = (await api.post("/api/v1/claims/keys", json={"tenant": "t", "mode": "approval"})).json()["key"]
        assert (await api.get("/api/v1/claims/keys")).json()["items"][0]["key"] is None
        place = claimant.Place(server.broker.host, server.broker.port)
        async with asyncio.timeout(20):
            waiting = await claimant.claim(place, "t", "gas", "S1", key, wall_ms)
            assert waiting.status == "waiting"
            assert [one["serial"] for one in (await api.get("/api/v1/claims?state=waiting")).json()["items"]] == ["S1"]
            approved = await api.post("/api/v1/claims/t/gas/S1/approve", json={"name": "Pit 9"})
            assert approved.json()["name"] == "Pit 9"
            issued = await claimant.claim(place, "t", "gas", "S1", key, wall_ms)
        assert issued.credentials is not None
        async with device(server, issued.credentials) as pit:
            await pit.publish("city/t/gas/S1/telemetry", b'{"methane_lel_pct": 3}', qos=1)
            assert (await _until_stored(api, "/api/v1/readings/gas/S1"))[0]["methane_lel_pct"] == 3
        assert (await api.get("/api/v1/deadletters")).json()["items"] == [], "claims are no dead letters"
        assert (await api.delete("/api/v1/claims/keys/t")).status_code == 204
        assert (await api.delete("/api/v1/claims/keys/t")).status_code == 404


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"tenant": "t", "kind": "boat", "id": "x"}, "body.kind"),
    ({"tenant": "t", "kind": "gas", "id": "a/b"}, "body.id"),
    ({"tenant": "t", "kind": "gas", "id": "x", "lat": 1}, "body.lat"),
    ({"tenant": "t", "kind": "gas", "id": "x", "profile": {"input": "colour:c"}}, "body.profile.input"),
    ({"tenant": "t", "kind": "gas", "id": "x", "profile": {"interval_s": 0}}, "body.profile.interval_s"),
    ({"tenant": "t", "kind": "gas", "id": "x", "colour": "red"}, "body.colour"),
]


async def test_what_is_wrong_with_a_device_is_said(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, api):
        for given, where in WRONG:
            answer = await api.post(DEVICES, json=given)
            assert answer.status_code == 422
            assert [mistake["where"] for mistake in answer.json()["errors"]] == [where]
        assert list(server.registry.all()) == []


@pytest.mark.parametrize(
    ("mqtt", "provisioner", "key"),
    [
        ({"devices": "credentials", "url": "mqtt://b"}, {}, "mqtt.devices"),
        ({"devices": "credentials"}, {"kind": "dynsec", "username": "a", "password": "b"}, "provisioner.kind"),
        ({"url": "mqtt://127.0.0.1:1883"}, {"kind": "embedded"}, "provisioner.kind"),
        ({"listen_host": "0.0.0.0"}, {}, "mqtt.devices"),
        ({"listen_host": "0.0.0.0", "devices": "credentials"}, {}, "mqtt.cert_file"),
        ({}, {"kind": "emqx", "username": "a", "password": "b"}, "provisioner.url"),
        ({}, {"kind": "dynsec", "username": "a", "password": "b"}, "provisioner.url"),
        ({"url": "mqtt://b"}, {"kind": "dynsec"}, "provisioner.username"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_said(mqtt: dict[str, Any], provisioner: dict[str, Any], key: str) -> None:
    settings = Settings(mqtt=MqttSettings(**mqtt), provisioner=ProvisionerSettings(**provisioner))
    with pytest.raises(ConfigurationError) as told:
        check(settings)
    assert key in {problem.key for problem in told.value.problems}
