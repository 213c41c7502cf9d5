"""Every board in every language as the files that Grafana is given, and what differs from those that are committed."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from dashboards.grafana.board import render
from dashboards.grafana.boards import PAGES, all_boards
from dashboards.grafana.names import FOLDERS, LANGUAGES, SHORT, Language, board_uid
from dashboards.grafana.panels import Json
from dashboards.grafana.scene import Material, Scene

Rendered = Mapping[str, Json]
"""Path below the folder -> board."""


def rendered(material: Material) -> dict[str, Json]:
    """`zh/home.json`, `en/home.json` and so on."""
    return {
        f"{SHORT[language]}/{board.name}.json": render(board, scene)
        for language in LANGUAGES
        for scene in [Scene(material, language)]
        for board in all_boards(scene)
    }


def language_of(path: str) -> Language:
    """The language of a rendered file."""
    return next(language for language in LANGUAGES if path.startswith(f"{SHORT[language]}/"))


def text_of(board: Json) -> str:
    """A board as its file's text: the same board is always the same text."""
    return json.dumps(board, ensure_ascii=False, indent=1) + "\n"


def write(boards: Rendered, folder: Path) -> list[Path]:
    """Write every board below the folder; returns the files that changed. Boards that are no more are removed."""
    changed = []
    for path, board in boards.items():
        file, text = folder / path, text_of(board)
        if not file.exists() or file.read_text("utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
            changed.append(file)
    for file in _strays(boards, folder):
        file.unlink()
        changed.append(file)
    return changed


def differences(boards: Rendered, folder: Path) -> Iterator[str]:
    """One line for every file below the folder that is not what is rendered."""
    for path, board in boards.items():
        file = folder / path
        if not file.exists():
            yield f"{file}: is missing"
        elif (found := file.read_text("utf-8")) != text_of(board):
            yield f"{file}: {_first_difference(found, text_of(board))}"
    for file in _strays(boards, folder):
        yield f"{file}: is no board any more"


def _strays(boards: Rendered, folder: Path) -> list[Path]:
    known = {folder / path for path in boards}
    return sorted(file for short in SHORT.values() for file in (folder / short).glob("*.json") if file not in known)


def _first_difference(found: str, wanted: str) -> str:
    pairs = zip(found.splitlines(), wanted.splitlines(), strict=False)
    for number, (old, new) in enumerate(pairs, 1):
        if old != new:
            return f"differs from what is rendered, first in line {number}"
    return "differs from what is rendered in its length"


def playlist(language: Language) -> Json:
    """The seven pages one after the other, for a screen on the wall."""
    items = [
        {"type": "dashboard_by_uid", "value": board_uid(page.__name__.rpartition(".")[2], language)} for page in PAGES
    ]
    return {"name": FOLDERS[language][1], "interval": "45s", "items": items}
