"""The parts of the pages that live in the browser, as elements: each class is one Vue component beside it."""

from collections.abc import Mapping
from pathlib import Path

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.leaflet import Leaflet  # noqa: F401 (city_map.js imports the Leaflet that this registers)

from dashboards.console import palette
from dashboards.console.words import words

__all__ = [
    "AlertList", "AlertSheet", "CityMap", "DeliveryBook", "DeviceList", "FigureStrip", "InboxList", "Part",
    "SilenceBook", "TopBar", "style_pages",
]  # fmt: skip

_HERE = Path(__file__).parent
SHEETS = ("console", "dispatch", "access", "case", "command", "rule")


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


class Acting(Part):
    """A part with the dialog for what people do. Emits act({what, ids, by, note, to, span_ms, scope})."""

    def answered(self, ok: bool, changed: list[dict[str, object]], failed: int = 0, why: str = "") -> None:
        """What came of an act: the alerts as they are now, how many could not be done, and why (a word, or text)."""
        self.run_method("answered", {"ok": ok, "changed": changed, "failed": failed, "why": why})

    def working(self, done: int, everything: int) -> None:
        """How far a long act is."""
        self.run_method("working", done, everything)


class AlertList(Acting, component="alert_list.js"):
    """The open alerts of the wall."""


class InboxList(Acting, component="inbox.js"):
    """The inbox. Emits query({severity, status, ..., limit}); ids of an act may be "all": all that match."""

    def rows(self, listed: Mapping[str, object]) -> None:
        """The list: `order` of ids, `views` of those that are new or changed, `counts`, `total`, `more`, `facets`."""
        self.run_method("rows", listed)


class AlertSheet(Acting, component="alert_sheet.js"):
    """Everything said of one alert. Props `alert`, `life`, `sent`, `similar`. Emits replay(message id)."""


class SilenceBook(Part, component="silence_book.js"):
    """The silences. Prop `silences`. Emits preview(form), begin(form), end(id), ended(bool)."""

    def fitting(self, total: int, views: list[dict[str, object]]) -> None:
        """The alerts a silence would be about."""
        self.run_method("fitting", total, views)

    def answered(self, ok: bool, why: str = "") -> None:
        self.run_method("answered", {"ok": ok, "why": why})


class DeliveryBook(Part, component="delivery_book.js"):
    """Targets and messages. Props `targets`, `sent`, `more`. Emits query, inspect(id), replay(id), enable(name)."""

    def inspected(self, message: dict[str, object]) -> None:
        self.run_method("inspected", message)

    def said(self, key: str) -> None:
        """Tell whoever looks that something was done, or why not."""
        self.run_method("tell", key)


class DeviceList(Part, component="device_list.js"):
    """The devices. Emits query({q, kind, state, limit})."""

    def rows(self, listed: Mapping[str, object]) -> None:
        self.run_method("rows", listed)


def style_pages() -> None:
    """Give every page the console's colours and style sheet."""
    sheets = [(_HERE / f"{name}.css").read_text("utf-8") for name in SHEETS]
    ui.add_css("\n".join([palette.variables(), *sheets]), shared=True)
