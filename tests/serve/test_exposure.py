"""What is not started because others could read it, HTTPS, and what the doctor says of certificates."""

import asyncio
import shutil
import ssl
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from citywarden.certs.authority import DAY_MS
from citywarden.cli.running import wall_ms
from citywarden.model.errors import CitywardenError, ConfigurationError
from citywarden.sections import (
    AlertsSettings,
    ApiSettings,
    GrafanaSettings,
    MqttSettings,
    ProvisionerSettings,
    Settings,
    StoreSettings,
    TargetSettings,
)
from citywarden.serve.alerting import targets_of
from citywarden.serve.certificates import examine_certificates
from citywarden.serve.examination import examine
from citywarden.serve.exposure import exposures, warnings
from citywarden.serve.http import Certificate, renew
from citywarden.serve.prepare import prepare
from citywarden.serve.server import Options, running
from tests.certs.certificates import Papers


@pytest.mark.parametrize(
    ("url", "refused"),
    [("embedded", False), ("mqtt://127.0.0.1:1883", False), ("mqtt://localhost", False), ("mqtt://[::1]:1883", False),
     ("mqtts://broker:8883", False), ("mqtt://broker:1883", True), ("mqtt://10.0.0.5", True), ("mqtt://0.0.0.0", True)],
)  # fmt: skip
def test_plain_mqtt_to_another_machine_is_refused(url: str, refused: bool) -> None:
    found = [problem.key for problem in exposures(Settings(mqtt=MqttSettings(url=url)))]
    assert found == (["mqtt.url"] if refused else [])
    assert exposures(Settings(mqtt=MqttSettings(url=url, allow_plain=True))) == []


def test_so_is_the_brokers_administrator_over_it() -> None:
    settings = Settings(provisioner=ProvisionerSettings(kind="dynsec", url="mqtt://broker:1883"))
    assert [problem.key for problem in exposures(settings)] == ["provisioner.url"]


@pytest.mark.parametrize(("listen", "refused"), [("127.0.0.1:80", False), ("localhost:80", False), ("[::1]:80", False),
                                                 ("0.0.0.0:80", True), ("[::]:80", True), ("10.0.0.1:80", True),
                                                 ("city.example:80", True)])  # fmt: skip
def test_plain_http_beyond_this_machine_is_refused(listen: str, refused: bool, tmp_path: Path) -> None:
    assert bool(exposures(Settings(api=ApiSettings(listen=listen)))) is refused
    assert exposures(Settings(api=ApiSettings(listen=listen, allow_plain=True))) == []
    files = ApiSettings(listen=listen, cert_file=tmp_path / "c", key_file=tmp_path / "k")
    assert exposures(Settings(api=files)) == []


def test_half_a_certificate_is_none() -> None:
    (problem,) = exposures(Settings(api=ApiSettings(cert_file=Path("c"))))
    assert problem.key == "api.key_file"


def test_nothing_is_started_so() -> None:
    with pytest.raises(ConfigurationError) as refused:
        prepare(Settings(mqtt=MqttSettings(url="mqtt://broker"), api=ApiSettings(listen="0.0.0.0:8080")))
    assert [problem.key for problem in refused.value.problems] == ["mqtt.url", "api.listen"]


def test_what_is_only_warned_of() -> None:
    settings = Settings(
        store=StoreSettings(url="influxdb://influx.example:8086/o/b"), grafana=GrafanaSettings(token=SecretStr("t"))
    )
    assert ["influx.example" in line for line in warnings(settings, ())] == [True]
    assert warnings(Settings(store=StoreSettings(url="influxdbs://influx.example/o/b")), ()) == []


async def test_console_and_api_speak_https_and_the_certificate_is_the_hosts(tmp_path: Path) -> None:
    papers = Papers(tmp_path / "certs")
    made = papers.server.folder
    settings = Settings(
        tenant="t", data=tmp_path / "data",
        api=ApiSettings(listen="127.0.0.1:0", cert_file=made / "cert.pem", key_file=made / "key.pem"),
    )  # fmt: skip
    trusting = ssl.create_default_context(cafile=papers.ca)
    async with running(prepare(settings), Options(port=0), wall_ms) as server:
        assert server.url.startswith("https://127.0.0.1:")
        async with httpx.AsyncClient(verify=trusting, timeout=60) as http:
            assert (await http.get(f"{server.url}/healthz")).status_code == 200
        async with httpx.AsyncClient() as http:
            with pytest.raises(httpx.ConnectError, match="certificate"):
                await http.get(f"{server.url}/healthz")
        async with httpx.AsyncClient() as http:
            with pytest.raises(httpx.HTTPError):
                await http.get(f"{server.url.replace('https', 'http')}/healthz")


async def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("no certificate")
    api = ApiSettings(listen="127.0.0.1:0", cert_file=tmp_path / "cert.pem", key_file=tmp_path / "key.pem")
    with pytest.raises(CitywardenError, match=r"certificate cannot be used: .*cert\.pem"):
        async with running(prepare(Settings(data=tmp_path / "data", api=api)), Options(port=0), wall_ms):
            pass


async def test_a_renewed_certificate_is_taken_without_a_restart(tmp_path: Path) -> None:
    papers = Papers(tmp_path / "certs")
    live = tmp_path / "live"
    shutil.copytree(papers.server.folder, live)
    files = Certificate(live / "cert.pem", live / "key.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert_file, files.key_file)
    shown: list[bytes | None] = []

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context)
    trusting = ssl.create_default_context(cafile=papers.ca)
    watch = asyncio.create_task(renew(files, context, every_s=0.01))
    async with server, asyncio.timeout(60):
        while len(set(shown)) < 2:
            port = server.sockets[0].getsockname()[1]
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
            shown.append(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
            writer.close()
            if len(shown) == 1:
                renewed = papers.authority.issue_server(["127.0.0.1"], papers.now_ms).folder
                for name in ("key.pem", "cert.pem"):
                    shutil.copy(renewed / name, live / f".{name}")
                    (live / f".{name}").replace(live / name)
            await asyncio.sleep(0.02)
    watch.cancel()
    await asyncio.wait({watch})
    assert watch.cancelled()


async def test_the_doctor_shows_when_certificates_expire_and_what_goes_in_the_clear(tmp_path: Path) -> None:
    data = tmp_path / "data"
    papers = Papers(data / "certs")
    made = papers.server.folder
    settings = Settings(
        data=data, api=ApiSettings(listen="127.0.0.1:0", cert_file=made / "cert.pem", key_file=made / "key.pem")
    )
    checks = {check.name: check for check in await examine(settings)}
    assert checks["certificates"].ok
    assert "[api] cert_file: 82" in checks["certificates"].found
    assert checks["encryption"].found.startswith("nothing leaves")
    checks = {check.name: check for check in await examine(settings, now_ms=papers.now_ms + 800 * DAY_MS)}
    assert not checks["certificates"].ok
    assert "[api] cert_file expires in 2" in checks["certificates"].found
    assert "list of revocations of the private authority has expired" in checks["certificates"].found
    assert "certs crl" in checks["certificates"].advice


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    api = ApiSettings(cert_file=tmp_path / "gone.pem", key_file=tmp_path / "gone.key")
    with pytest.raises(CitywardenError, match=r"\[api\] cert_file: .*gone\.pem"):
        examine_certificates(Settings(data=tmp_path, api=api), 0)


def test_targets_over_plain_http_are_named() -> None:
    alerts = AlertsSettings(targets=(TargetSettings(name="dispatch", url="http://dispatch.example/"),
                                     TargetSettings(name="here", url="http://127.0.0.1:9/")))  # fmt: skip
    settings = Settings(alerts=alerts)
    assert warnings(settings, targets_of(settings)) == ["alerts go to dispatch in the clear, https:// has TLS"]
