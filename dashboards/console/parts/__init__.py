"""The parts of the pages that live in the browser, as elements: each class is one Vue component beside it."""

from collections.abc import Mapping
from pathlib import Path

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.leaflet import Leaflet  # noqa: F401 (city_map.js imports the Leaflet that this registers)

from dashboards.console import palette
from dashboards.console.words import words

__all__ = ["AlertList", "CityMap", "FigureStrip", "Part", "TopBar", "style_pages"]

_HERE = Path(__file__).parent


class Part(Element, esm={"citywarden-console": "shared"}):
    """A component that speaks; `say` changes its language where it stands."""

    def __init__(self, language: str, **props: object) -> None:
        super().__init__()
        for name, value in props.items():
            self._props[name] = value
        self.say(language)

    def say(self, language: str) -> None:
        self._props["words"] = words(language)
        self._props["lang"] = language
        self.update()


class TopBar(Part, component="top_bar.js"):
    """Clock, city, health, language; `frame` hands the page what has changed. Emits language, shown(seq)."""

    def frame(self, frame: Mapping[str, object]) -> None:
        self.run_method("frame", frame)


class FigureStrip(Part, component="figure_strip.js"):
    """The big figures."""


class CityMap(Part, component="city_map.js"):
    """The map; with the prop `day` a vehicle's day instead of the live city. Emits open({kind, id, tenant})."""

    def __init__(self, language: str, **props: object) -> None:
        severity = {level.word: colour for level, colour in palette.SEVERITY.items()}
        colours = {"state": palette.STATE, "road": palette.ROAD, "severity": severity}
        super().__init__(language, colours=colours, **props)


class AlertList(Part, component="alert_list.js"):
    """Open alerts, or the inbox. Emits act({what, ids, by, note}) and query({status, severity, cursor})."""

    def page(self, items: list[dict[str, object]], following: str | None, more: bool) -> None:
        """A page of the inbox; `more`: it comes after those already there."""
        self.run_method("page", {"items": items, "next": following, "more": more})

    def answered(self, ok: bool, changed: list[dict[str, object]]) -> None:
        """What came of an act."""
        self.run_method("answered", {"ok": ok, "changed": changed})


def style_pages() -> None:
    """Give every page the console's colours and style sheet."""
    ui.add_css(palette.variables() + (_HERE / "console.css").read_text("utf-8"), shared=True)
