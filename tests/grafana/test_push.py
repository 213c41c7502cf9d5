"""Pushing boards to a fake Grafana that keeps what it is given: compared first, only differences written."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from citywarden.cli.dashboards import command
from citywarden.sections import GrafanaSettings, Settings
from citywarden.serve.examination import examine as doctor
from dashboards.grafana.door import Grafana, GrafanaRefused
from dashboards.grafana.push import apply, compare
from tests.grafana.material import default_boards

BOARDS = default_boards()
TOKEN = "glsa_test"


@dataclass(slots=True)
class Kept:
    """What the fake Grafana has: answers are shaped as Grafana's HTTP API documents them."""

    folders: dict[str, dict[str, Any]] = field(default_factory=dict)
    boards: dict[str, tuple[dict[str, Any], str]] = field(default_factory=dict)
    playlists: dict[str, dict[str, Any]] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    provisioned: set[str] = field(default_factory=set)
    health: tuple[int, Any] = (200, {"status": "OK", "message": "datasource is working. 4 buckets found"})

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        path, _, asked = path.partition("?")
        *_, place, last = path.split("/")
        if method != "GET":
            self.writes.append(f"{method} {path}")
        if last == "health":
            return self.health
        if path == "/api/search":
            assert {"type=dash-db", "tag=citywarden"} <= set(asked.split("&"))
            return 200, [{"uid": uid, "type": "dash-db"} for uid in self.boards]
        if path == "/api/folders" and method == "GET":
            return 200, list(self.folders.values())
        if path == "/api/folders":
            self.folders[body["uid"]] = body
            return 200, body
        if place == "folders":
            return (200, self.folders[last]) if last in self.folders else (403, {"message": "Access denied"})
        if path == "/api/dashboards/db":
            if body["folderUid"] not in self.folders:
                return 400, {"message": "folder not found"}
            uid = body["dashboard"]["uid"]
            version = self.boards[uid][0]["version"] + 1 if uid in self.boards else 1
            self.boards[uid] = ({**body["dashboard"], "id": 7, "version": version}, body["folderUid"])
            return 200, {"uid": uid, "status": "success", "version": version}
        if place == "uid":
            if last not in self.boards:
                return 403, {"message": "Access denied"}
            board, folder = self.boards[last]
            return 200, {"dashboard": board, "meta": {"folderUid": folder, "provisioned": last in self.provisioned}}
        if path == "/api/playlists" and method == "GET":
            return 200, [
                {"uid": uid, "name": one["name"], "interval": one["interval"]} for uid, one in self.playlists.items()
            ]
        uid = f"p{len(self.playlists)}" if path == "/api/playlists" else last
        if method != "GET":
            self.playlists[uid] = body | {"uid": uid}
        return 200, self.playlists[uid]


@pytest.fixture
def grafana() -> Iterator[tuple[str, Kept]]:
    kept = Kept()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            code, found = kept.answer(self.command, self.path, body) if known else (401, {"message": "Unauthorized"})
            text = json.dumps(found, sort_keys=True).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 (names the base class looks for)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def push(url: str) -> list[str]:
    with Grafana(url, TOKEN) as client:
        changes = compare(client, BOARDS)
        apply(client, changes)
        return [change.text for change in changes]


def test_everything_is_made_once_and_then_left_alone(grafana: tuple[str, Kept]) -> None:
    url, kept = grafana
    first = push(url)
    assert len(first) == 2 + 22 + 2
    assert first[:2] == ["create folder citywarden-zh", "create folder citywarden-en"]
    assert kept.boards["cw-home-zh"][1] == "citywarden-zh" and kept.boards["cw-gas-en"][1] == "citywarden-en"
    assert {one["name"] for one in kept.playlists.values()} == {"城市指挥中心", "City Command"}
    kept.writes.clear()
    assert push(url) == []
    assert kept.writes == []


def test_only_what_differs_is_written_and_the_difference_is_said(grafana: tuple[str, Kept]) -> None:
    url, kept = grafana
    push(url)
    kept.boards["cw-home-en"][0]["title"] = "Mine"
    kept.boards["cw-gas-en"] = (kept.boards["cw-gas-en"][0], "elsewhere")
    uid = next(uid for uid, one in kept.playlists.items() if one["name"] == "City Command")
    kept.playlists[uid]["interval"] = "5m"
    kept.writes.clear()
    assert push(url) == [
        'update board cw-home-en\n  - "title": "Mine",\n  + "title": "Overview",',
        "update board cw-gas-en\n  - folder elsewhere\n  + folder citywarden-en",
        'update playlist City Command\n  - "interval": "5m",\n  + "interval": "45s",',
    ]
    assert kept.writes == ["POST /api/dashboards/db", "POST /api/dashboards/db", f"PUT /api/playlists/{uid}"]
    assert push(url) == []


def test_the_command_compares_without_writing_and_then_writes(grafana: tuple[str, Kept]) -> None:
    url, kept = grafana
    environment = {"CITYWARDEN__GRAFANA__TOKEN": TOKEN, "CITYWARDEN__GRAFANA__URL": url}
    dry = CliRunner().invoke(command, ["push", "--dry-run"], env=environment)
    assert dry.exit_code == 0 and dry.stdout.endswith(f"{url}: 26 would change\n") and kept.writes == []
    wet = CliRunner().invoke(command, ["push", "--json"], env=environment)
    assert {one["action"] for one in json.loads(wet.stdout)} == {"create"} and len(kept.writes) == 26
    again = CliRunner().invoke(command, ["push"], env=environment)
    assert again.stdout == f"{url}: nothing to change\n"


def test_a_refusal_says_what_to_do(grafana: tuple[str, Kept]) -> None:
    url, kept = grafana
    with Grafana(url, "wrong") as client, pytest.raises(GrafanaRefused, match=r"answers 401: set .grafana. token"):
        compare(client, BOARDS)
    push(url)
    kept.provisioned.add("cw-home-zh")
    with pytest.raises(GrafanaRefused, match="board cw-home-zh is provisioned from a file"):
        push(url)


def test_a_grafana_that_is_away_is_one_clear_line() -> None:
    with Grafana("http://127.0.0.1:9", TOKEN) as client, pytest.raises(GrafanaRefused, match="cannot be reached"):
        compare(client, BOARDS)


def test_the_data_source_is_examined_in_grafanas_own_words(grafana: tuple[str, Kept]) -> None:
    url, kept = grafana
    with Grafana(url, TOKEN) as door:
        assert door.health() == "datasource is working. 4 buckets found"
        kept.health = (400, {"status": "ERROR", "message": "unauthorized access"})
        with pytest.raises(GrafanaRefused, match="unauthorized access"):
            door.health()
        kept.health = (404, {"message": "data source not found"})
        with pytest.raises(GrafanaRefused, match="no data source citywarden-influxdb"):
            door.health()


def test_the_doctor_shows_a_data_source_that_does_not_answer(grafana: tuple[str, Kept], tmp_path: Path) -> None:
    url, kept = grafana
    settings = Settings(data=tmp_path, grafana=GrafanaSettings(url=url, token=SecretStr(TOKEN)))
    checks = {check.name: check for check in asyncio.run(doctor(settings))}
    assert checks["grafana"].ok
    kept.health = (400, {"status": "ERROR", "message": "unauthorized access"})
    check = {check.name: check for check in asyncio.run(doctor(settings))}["grafana"]
    assert not check.ok
    assert "unauthorized access" in check.found
    assert "grafana" not in {check.name for check in asyncio.run(doctor(Settings(data=tmp_path)))}
