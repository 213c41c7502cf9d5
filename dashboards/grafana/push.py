"""Bringing boards into a running Grafana: compare first, then write only what differs."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboards.grafana.door import Grafana, GrafanaRefused
from dashboards.grafana.names import FOLDERS, LANGUAGES, TAG
from dashboards.grafana.panels import Json
from dashboards.grafana.render import Rendered, language_of, playlist

DIFF_LINES = 40
"""Lines of a difference that are shown; boards are long."""

_OWN = ("id", "version", "iteration")
"""What Grafana writes into a board by itself."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to write. `what`: folder, board or playlist; `action`: create or update; `diff`: lines with + and -.

    `place`: the uid that Grafana gave a playlist, which is known by its name here.
    """

    what: str
    uid: str
    action: str
    body: Json
    diff: tuple[str, ...] = ()
    place: str = ""

    @property
    def text(self) -> str:
        """The change for people."""
        return "\n".join((f"{self.action} {self.what} {self.uid}", *(f"  {line}" for line in self.diff)))


def compare(grafana: Grafana, boards: Rendered) -> list[Change]:
    """What has to be written so that Grafana has these boards, their folders and the playlists of the wall."""
    changes: list[Change] = []
    folders, known = grafana.folders(), grafana.boards(TAG)
    for language in LANGUAGES:
        uid, title = FOLDERS[language]
        if uid not in folders:
            changes.append(Change("folder", uid, "create", {"title": title}))
    for path, board in boards.items():
        folder_uid = FOLDERS[language_of(path)][0]
        if change := _board(grafana, folder_uid, board, known):
            changes.append(change)
    return changes + _playlists(grafana)


def apply(grafana: Grafana, changes: Sequence[Change]) -> None:
    """Write the changes in their order. Raises GrafanaRefused at the first that is refused."""
    for change in changes:
        match change.what:
            case "folder":
                grafana.make_folder(change.uid, str(change.body["title"]))
            case "board":
                grafana.write_board(change.body)
            case _:
                grafana.write_playlist(change.body, change.place)


def _board(grafana: Grafana, folder: str, board: Json, known: frozenset[str]) -> Change | None:
    uid = str(board["uid"])
    answer = grafana.board(uid) if uid in known else None
    body: Json = {"dashboard": board, "folderUid": folder, "overwrite": True, "message": "citywarden dashboards push"}
    if answer is None:
        return Change("board", uid, "create", body)
    found, meta = _part(answer, "dashboard"), _part(answer, "meta")
    if meta.get("provisioned"):
        raise GrafanaRefused(f"board {uid} is provisioned from a file, which wins: change the file instead of pushing")
    diff = _diff(_without(found), _without(board))
    if meta.get("folderUid") != folder:
        diff = (f"- folder {meta.get('folderUid')}", f"+ folder {folder}", *diff)
    return Change("board", uid, "update", body, diff) if diff else None


def _playlists(grafana: Grafana) -> list[Change]:
    """Grafana names a playlist's uid itself, so ours are known by their names."""
    known = {str(one.get("name")): str(one.get("uid")) for one in grafana.playlists()}
    changes = []
    for language in LANGUAGES:
        wanted = playlist(language)
        name = str(wanted["name"])
        if name not in known:
            changes.append(Change("playlist", name, "create", wanted))
            continue
        found = grafana.playlist(known[name])
        if diff := _diff(_playlist(found or {}), _playlist(wanted)):
            changes.append(Change("playlist", name, "update", wanted, diff, known[name]))
    return changes


def _playlist(found: Json) -> Json:
    """What we decide of a playlist."""
    items = found.get("items")
    rows = [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []
    return {
        "name": found.get("name"),
        "interval": found.get("interval"),
        "items": [{"type": row.get("type"), "value": row.get("value")} for row in rows],
    }


def _without(board: Mapping[str, object]) -> Json:
    return {key: value for key, value in board.items() if key not in _OWN}


def _diff(found: Json, wanted: Json) -> tuple[str, ...]:
    lines = difflib.unified_diff(_sorted(found), _sorted(wanted), lineterm="", n=0)
    marked = [line for line in lines if line[:3] not in ("---", "+++") and not line.startswith("@@")]
    changed = [f"{line[0]} {line[1:].strip()}" for line in marked]
    if len(changed) > DIFF_LINES:
        changed = [*changed[:DIFF_LINES], f"... {len(changed) - DIFF_LINES} more lines"]
    return tuple(changed)


def _sorted(one: Json) -> list[str]:
    """Its lines, keys in the order of their names at every depth: Grafana gives them back so."""
    return json.dumps(one, ensure_ascii=False, indent=1, sort_keys=True).splitlines()


def _part(answer: Json, key: str) -> Json:
    found = answer.get(key)
    return found if isinstance(found, dict) else {}
