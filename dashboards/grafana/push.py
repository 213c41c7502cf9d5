"""Bringing boards into a running Grafana over its HTTP API: compare first, then write only what differs.

httpx and five calls: grafana-client would bring a fork of urllib3 that installs itself over the one the InfluxDB
client needs.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx

from citywarden.model.errors import CitywardenError
from dashboards.grafana.names import DATASOURCE, FOLDERS, LANGUAGES
from dashboards.grafana.panels import Json
from dashboards.grafana.render import Rendered, language_of, playlist, text_of

ANSWER_S = 20.0
DIFF_LINES = 40
"""Lines of a difference that are shown; boards are long."""

_OWN = ("id", "version", "iteration")
"""What Grafana writes into a board by itself."""


class GrafanaRefused(CitywardenError):
    """Grafana cannot be reached, or will not do what was asked; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to write. `what`: folder, board or playlist; `action`: create or update; `diff`: lines with + and -."""

    what: str
    uid: str
    action: str
    path: str
    body: Json
    diff: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The change for people."""
        return "\n".join((f"{self.action} {self.what} {self.uid}", *(f"  {line}" for line in self.diff)))


class Grafana:
    """HTTP to one Grafana, as a context manager. `token`: of a service account; "" asks as nobody."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=self.url, headers=headers, timeout=ANSWER_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str) -> object | None:
        """The answer, or None where there is nothing. Raises GrafanaRefused."""
        answer = self._ask("GET", path, None)
        return None if answer.status_code == 404 else answer.json()

    def send(self, method: str, path: str, body: Json) -> None:
        """Write. Raises GrafanaRefused."""
        answer = self._ask(method, path, body)
        if answer.status_code == 404:
            raise GrafanaRefused(f"{self.url}{path}: not found")

    def _ask(self, method: str, path: str, body: Json | None) -> httpx.Response:
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise GrafanaRefused(
                f"Grafana at {self.url} cannot be reached: {str(error) or type(error).__name__}"
            ) from error
        if answer.status_code in (401, 403):
            what = "set [grafana] token to that of a service account with the role Editor"
            raise GrafanaRefused(f"Grafana at {self.url} answers {answer.status_code}: {what}")
        if not answer.is_success and answer.status_code != 404:
            raise GrafanaRefused(f"Grafana at {self.url} answers {answer.status_code} to {path}: {answer.text[:300]}")
        return answer


def examine(grafana: Grafana) -> str:
    """Grafana's words about the boards' data source when it reaches it. Raises GrafanaRefused when it does not."""
    answer = grafana.get(f"/api/datasources/uid/{DATASOURCE}/health")
    if answer is None:
        what = "provision deploy/grafana/provisioning/datasources/influxdb.yaml"
        raise GrafanaRefused(f"Grafana at {grafana.url} has no data source {DATASOURCE}: {what}")
    message = answer.get("message") if isinstance(answer, dict) else None
    return str(message or "the data source answers")


def compare(grafana: Grafana, boards: Rendered) -> list[Change]:
    """What has to be written so that Grafana has these boards, their folders and the playlists of the wall."""
    changes: list[Change] = []
    for language in LANGUAGES:
        uid, title = FOLDERS[language]
        folder = grafana.get(f"/api/folders/{uid}")
        if folder is None:
            changes.append(Change("folder", uid, "create", "/api/folders", {"uid": uid, "title": title}))
    for path, board in boards.items():
        folder_uid = FOLDERS[language_of(path)][0]
        if change := _board(grafana, folder_uid, board):
            changes.append(change)
    return changes + _playlists(grafana)


def apply(grafana: Grafana, changes: Sequence[Change]) -> None:
    """Write the changes in their order. Raises GrafanaRefused at the first that is refused."""
    for change in changes:
        grafana.send(
            "PUT" if change.what == "playlist" and change.action == "update" else "POST", change.path, change.body
        )


def _board(grafana: Grafana, folder: str, board: Json) -> Change | None:
    uid = str(board["uid"])
    answer = grafana.get(f"/api/dashboards/uid/{uid}")
    body: Json = {"dashboard": board, "folderUid": folder, "overwrite": True, "message": "citywarden dashboards push"}
    if answer is None:
        return Change("board", uid, "create", "/api/dashboards/db", body)
    found, meta = _part(answer, "dashboard"), _part(answer, "meta")
    if meta.get("provisioned"):
        raise GrafanaRefused(f"board {uid} is provisioned from a file, which wins: change the file instead of pushing")
    diff = _diff(_without(found), _without(board))
    if meta.get("folderUid") != folder:
        diff = (f"- folder {meta.get('folderUid')}", f"+ folder {folder}", *diff)
    return Change("board", uid, "update", "/api/dashboards/db", body, diff) if diff else None


def _playlists(grafana: Grafana) -> list[Change]:
    """Grafana names a playlist's uid itself, so ours are known by their names."""
    answer = grafana.get("/api/playlists")
    known = {str(_text(one, "name")): str(_text(one, "uid")) for one in answer} if isinstance(answer, list) else {}
    changes = []
    for language in LANGUAGES:
        wanted = playlist(language)
        name = str(wanted["name"])
        if name not in known:
            changes.append(Change("playlist", name, "create", "/api/playlists", wanted))
            continue
        found = grafana.get(f"/api/playlists/{known[name]}")
        if diff := _diff(_playlist(found), _playlist(wanted)):
            changes.append(Change("playlist", name, "update", f"/api/playlists/{known[name]}", wanted, diff))
    return changes


def _playlist(answer: object) -> Json:
    """What we decide of a playlist."""
    found = answer if isinstance(answer, dict) else {}
    items = found.get("items") or []
    return {
        "name": found.get("name"),
        "interval": found.get("interval"),
        "items": [{"type": item.get("type"), "value": item.get("value")} for item in items if isinstance(item, dict)],
    }


def _without(board: Mapping[str, object]) -> Json:
    return {key: value for key, value in sorted(board.items()) if key not in _OWN}


def _diff(found: Json, wanted: Json) -> tuple[str, ...]:
    lines = difflib.unified_diff(text_of(found).splitlines(), text_of(wanted).splitlines(), lineterm="", n=0)
    marked = [line for line in lines if line[:3] not in ("---", "+++") and not line.startswith("@@")]
    changed = [f"{line[0]} {line[1:].strip()}" for line in marked]
    if len(changed) > DIFF_LINES:
        changed = [*changed[:DIFF_LINES], f"... {len(changed) - DIFF_LINES} more lines"]
    return tuple(changed)


def _part(answer: object, key: str) -> Json:
    found = answer.get(key) if isinstance(answer, dict) else None
    return found if isinstance(found, dict) else {}


def _text(one: object, key: str) -> object:
    return one.get(key, "") if isinstance(one, dict) else ""
