"""The default city's boards, and what Grafana would send for a query of theirs."""

import re
from collections.abc import Mapping
from pathlib import Path

from citywarden.cli.dashboards import boards_of
from citywarden.sections import Settings
from dashboards.grafana.board import Board
from dashboards.grafana.boards import all_boards
from dashboards.grafana.colours import Limit
from dashboards.grafana.maps import View
from dashboards.grafana.names import LANGUAGES, Language
from dashboards.grafana.panels import Json
from dashboards.grafana.scene import Material, Scene
from tests.builders import KINDS

COMMITTED = Path(__file__).parent.parent.parent / "deploy" / "grafana" / "dashboards"
VIEW = View(22.6, 114.1, 9.6)


def default_boards() -> dict[str, Json]:
    """What is rendered where nothing is configured."""
    return boards_of(Settings())


def boards(language: Language, limits: tuple[Limit, ...] = ()) -> list[Board]:
    return list(all_boards(Scene(Material(KINDS, limits, VIEW, "Asia/Shanghai"), language)))


def all_flux() -> dict[str, str]:
    """Every text that any board asks, with the board's and its panel's name; a text that two panels share once."""
    found: dict[str, str] = {}
    for language in LANGUAGES:
        for board in boards(language):
            for panel in board.panels:
                for query in panel.queries:
                    found.setdefault(query.flux, f"{board.name}: {panel.body['title']}")
            for variable in board.variables:
                found.setdefault(variable.flux, f"{board.name}: ${variable.tag}")
            if board.marks:
                found.setdefault(board.marks.flux, f"{board.name}: annotations")
    return found


def as_grafana_sends(
    flux: str, bucket: str, times: tuple[str, str], window_s: int, chosen: Mapping[str, str] | None = None
) -> str:
    """The query with Grafana's macros and variables put in, as its InfluxDB data source does (by text)."""
    macros = {
        "v.timeRangeStart": times[0],
        "v.timeRangeStop": times[1],
        "v.windowPeriod": f"{window_s}s",
        "v.defaultBucket": f'"{bucket}"',
    }
    for macro, value in macros.items():
        flux = flux.replace(macro, value)
    return re.sub(r"\$\{(\w+):regex\}", lambda m: (chosen or {}).get(m[1], ".*"), flux)
