"""docker-compose.yml and what it mounts: pinned, on loopback, without a password of its own."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyOptions

from dashboards.grafana.names import CITY_MAP, DATASOURCE, FOLDERS

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
ONCE = {"secrets", "read-token"}
"""Services that do one thing and end."""

every_service = pytest.mark.parametrize("name", SERVICES)


def mounts(service: dict[str, Any]) -> list[tuple[str, str]]:
    return [tuple(one.split(":")[:2]) for one in service.get("volumes", ())]


def test_the_parts_are_there() -> None:
    assert set(SERVICES) - ONCE == {"mosquitto", "influxdb", "postgres", "grafana", "citywarden"}


def test_the_file_is_what_the_compose_specification_asks_for() -> None:
    options = PyOptions()
    options.apply_merge = True
    assert options.from_yaml(TEXT).service_names() == list(SERVICES)
    for wrong, right in (("retris: 6", "retries: 6"), ("service_fine", "service_healthy"), ("often", "unless-stopped")):
        with pytest.raises(ValueError, match=wrong.partition(":")[0]):
            options.from_yaml(TEXT.replace(right, wrong, 1))


def test_nobody_is_root_but_those_who_make_secrets_and_end() -> None:
    own = {"influxdb", "postgres", "grafana", "citywarden"}
    """Their images run as a user of their own (PostgreSQL's and InfluxDB's step down to it)."""
    for name, service in SERVICES.items():
        if name in ONCE:
            assert service["user"] == "0:0"
        else:
            assert name in own or service["user"] == "1883:1883"
        assert not service.get("privileged") and not service.get("cap_add")


@every_service
def test_nobody_gains_rights_and_no_log_fills_the_disk(name: str) -> None:
    service = SERVICES[name]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    steps_down = name in {"influxdb", "postgres"} | ONCE
    """Their images begin as root, give files away and become their own user."""
    assert service.get("cap_drop") == (None if steps_down else ["ALL"])


def test_the_image_has_the_command_that_people_are_told_to_type() -> None:
    assert "exec citywarden citywarden " in (ROOT / "docs" / "deploy.md").read_text("utf-8")
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    made = re.search(r"printf '(.*?)' > (/opt/citywarden/bin/citywarden)", dockerfile)
    assert made is not None and made[1] == r'#!/bin/sh\nexec python -m citywarden "$@"\n'
    assert f"chmod 755 {made[2]}" in dockerfile
    assert f"ENV PATH={Path(made[2]).parent}:$PATH" in dockerfile
    assert 'ENTRYPOINT ["citywarden"]' in dockerfile


@every_service
def test_images_are_pinned_to_a_whole_version(name: str) -> None:
    assert re.fullmatch(r"[\w./-]+:\d+\.\d+(\.\d+)?", SERVICES[name]["image"])


def test_the_versions_are_those_the_boards_and_the_tests_are_made_for() -> None:
    go_mod = (ROOT / "tools" / "influxd" / "go.mod").read_text("utf-8")
    version = re.search(r"influxdb/v2 v([\d.]+)", go_mod)
    assert version is not None
    assert SERVICES["influxdb"]["image"] == f"influxdb:{version[1]}"
    assert SERVICES["grafana"]["image"].startswith("grafana/grafana:13.")


@every_service
def test_ports_are_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert port.startswith("127.0.0.1:")


@every_service
def test_everything_mounted_from_here_exists_and_every_volume_is_declared(name: str) -> None:
    for source, target in mounts(SERVICES[name]):
        assert target.startswith("/")
        if source.startswith("."):
            assert (ROOT / source).exists(), source
        else:
            assert source in COMPOSE["volumes"], source


@every_service
def test_nothing_is_a_password(name: str) -> None:
    for key, value in SERVICES[name].get("environment", {}).items():
        if re.search("PASSWORD|TOKEN|SECRET", key):
            assert key.endswith("_FILE") and str(value).startswith("/secrets/"), key
    assert "$" not in TEXT


def test_every_long_lived_service_is_watched_and_waits_for_what_it_needs() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    for name, service in SERVICES.items():
        waits = {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        assert set(waits) <= SERVICES.keys()
        for other, condition in waits.items():
            assert condition == ("service_completed_successfully" if other in ONCE else "service_healthy")
        if name not in ONCE:
            assert "healthcheck" in service or "HEALTHCHECK" in dockerfile
            assert service["restart"] == "unless-stopped"


def test_every_secret_that_is_read_is_one_that_is_made() -> None:
    made = set(re.findall(r'folder\.once\("(\w+)", "([\w-]+)"', (ROOT / "deploy/generate-secrets").read_text("utf-8")))
    made.add(("grafana", "influxdb-token"))
    files = [ROOT / "docker-compose.yml", *(ROOT / "deploy").glob("*.*"), *(ROOT / "deploy").rglob("*.yaml")]
    read = {pair for file in files for pair in re.findall(r"/secrets/(\w+)/([\w-]+)", file.read_text("utf-8"))}
    assert read and read <= made


def test_the_image_runs_as_nobody_special_and_copies_what_is_there() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert re.findall(r"^USER (\S+)$", dockerfile, re.M) == ["10001:10001"]
    assert "--require-hashes" in dockerfile
    for source in re.findall(r"^COPY (?!--from)(\S+) ", dockerfile, re.M):
        assert (ROOT / source).exists(), source
        assert f"!{source.split('/')[0]}" in ignored, source
    for image in re.findall(r"^FROM (\S+)", dockerfile, re.M):
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", image)


def test_grafana_finds_the_data_source_the_folders_and_the_map_the_boards_name() -> None:
    provisioning = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/influxdb.yaml").read_text("utf-8"))["datasources"]
    assert (source["uid"], source["type"], source["jsonData"]["version"]) == (DATASOURCE, "influxdb", "Flux")
    assert source["secureJsonData"] == {"token": "$__file{/secrets/grafana/influxdb-token}"}
    providers = yaml.safe_load((provisioning / "dashboards/citywarden.yaml").read_text("utf-8"))["providers"]
    assert {(one["folderUid"], one["folder"]) for one in providers} == set(FOLDERS.values())
    targets = {target: source for source, target in mounts(SERVICES["grafana"])}
    for one in providers:
        below = one["options"]["path"].removeprefix("/etc/citywarden/dashboards")
        assert (ROOT / targets["/etc/citywarden/dashboards"] / below.strip("/")).is_dir()
    outline = ROOT / targets[f"/usr/share/grafana/{CITY_MAP}"]
    assert json.loads(outline.read_text("utf-8"))["type"] == "FeatureCollection"
