"""One function a sort of panel: what it shows in, a panel of Grafana's classic JSON out (without id and place)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dashboards.grafana.colours import GOOD, GREY, Step, plain
from dashboards.grafana.flux import Query
from dashboards.grafana.names import DATASOURCE

Json = dict[str, object]

SOURCE: Json = {"type": "influxdb", "uid": DATASOURCE}
CITY_POINTS = 120
"""Points a trend of many devices is asked for: enough for the eye, and quick over a month."""

RANKS = 10
"""Bars a ranking has room for."""

SILENT_MS = 2 * 3_600_000
"""A lane of states ends so long after the last reading; longer than a point of a month's lane."""

ROWS = 5000
"""What tables and maps ask for: Grafana refuses an answer with more than ten times as many rows."""

_UNITS = {
    "%": "percent", "ppm": "ppm", "°C": "celsius", "V": "volt", "W": "watt", "A": "amp", "kWh": "kwatth",
    "km/h": "velocitykmh", "°": "degree", "s": "dthms", "ms": "ms", "share": "percentunit", "": "short",
    "time": "time:MM-DD HH:mm:ss",
}  # fmt: skip
"""Where Grafana has a unit that stays what it is: its lengths and weights turn 36,600 km into 36.6 Mm."""


def unit(name: str) -> str:
    """Grafana's name of one of our units; one it does not know is written behind the number."""
    return _UNITS.get(name) or f"suffix:{name}"


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel and its size on the grid, which is 24 wide. `queries`: what it asks, for the tests."""

    body: Json
    width: int
    height: int
    queries: tuple[Query, ...] = ()

    def sized(self, width: int, height: int) -> "Panel":
        return replace(self, width=width, height=height)


@dataclass(frozen=True, slots=True)
class Look:
    """How values look. `words`: what is shown in place of a value, with its colour ("" leaves it as it is)."""

    unit: str = ""
    steps: Sequence[Step] = field(default_factory=plain)
    decimals: int | None = None
    low: float | None = None
    high: float | None = None
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    name: str = ""
    empty: str = "-"

    def defaults(self, **custom: object) -> Json:
        """`fieldConfig.defaults`."""
        found: Json = {
            "unit": unit(self.unit),
            "color": {"mode": "thresholds"},
            "thresholds": {"mode": "absolute", "steps": list(self.steps)},
            "mappings": words(self.words),
            "noValue": self.empty,
        }
        optional = {"decimals": self.decimals, "min": self.low, "max": self.high, "displayName": self.name or None}
        return found | {k: v for k, v in optional.items() if v is not None} | ({"custom": custom} if custom else {})


def words(shown: Mapping[str, tuple[str, str]]) -> list[Json]:
    """Value mappings: value -> (text, colour)."""
    if not shown:
        return []
    options = {
        value: {"text": text, "index": i} | ({"color": colour} if colour else {})
        for i, (value, (text, colour)) in enumerate(shown.items())
    }
    return [{"type": "value", "options": options}]


def stat(title: str, query: Query, look: Look, link: str = "", background: bool = True) -> Panel:
    """One big number, its tile in the colour of the threshold."""
    options: Json = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background" if background else "value",
        "graphMode": "none", "justifyMode": "center", "orientation": "auto", "textMode": "value", "wideLayout": True,
        "showPercentChange": False, "percentChangeColorMode": "standard",
    }  # fmt: skip
    links = [{"title": title, "url": link, "targetBlank": False}] if link else []
    nothing: Json = {
        "type": "special",
        "options": {"match": "null+nan", "result": {"text": look.empty, "color": GREY, "index": len(look.words)}},
    }
    shown = look.defaults() | {"links": links, "mappings": [*words(look.words), nothing]}
    return Panel(_panel("stat", title, [query], options, shown), 4, 4, (query,))


def gauge(title: str, query: Query, look: Look) -> Panel:
    """A share on an arc."""
    options: Json = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "auto", "showThresholdLabels": False, "showThresholdMarkers": True, "sizing": "auto",
        "minVizHeight": 75, "minVizWidth": 75,
    }  # fmt: skip
    return Panel(_panel("gauge", title, [query], options, look.defaults()), 4, 6, (query,))


@dataclass(frozen=True, slots=True)
class Series:
    """A query of a chart. `name`: what its one line is called; without, `label` of the chart names its lines."""

    query: Query
    name: str = ""
    colour: str = ""


def _named(series: Sequence[Series]) -> list[Json]:
    """Overrides that name and colour what each query gives."""
    found: list[Json] = []
    for i, one in enumerate(series):
        facts: list[Json] = [{"id": "displayName", "value": one.name}] if one.name else []
        if one.colour:
            facts.append({"id": "color", "value": {"mode": "fixed", "fixedColor": one.colour}})
        if facts:
            found.append({"matcher": {"id": "byFrameRefID", "options": _ref(i)}, "properties": facts})
    return found


def graph(title: str, series: Sequence[Series], look: Look, *, bars: bool = False, label: str = "") -> Panel:
    """Lines or stacked bars over time; thresholds as lines. `label`: the tag (or `_field`) that names a line."""
    limits = len(look.steps) > 1
    look = replace(look, low=0.0) if bars and look.low is None else look
    custom: Json = {
        "drawStyle": "bars" if bars else "line",
        "lineWidth": 0 if bars else 2,
        "fillOpacity": 80 if bars else 10,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if bars else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if limits else "off"},
    }
    defaults = look.defaults(**custom) | {"color": {"mode": "palette-classic"}}
    if label:
        defaults["displayName"] = f"${{__field.labels.{label}}}"
    options: Json = {
        "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    queries = [one.query for one in series]
    body = _panel("timeseries", title, queries, options, defaults, _named(series))
    body["maxDataPoints"] = CITY_POINTS // 2 if bars else CITY_POINTS
    return Panel(body, 12, 8, tuple(queries))


def timeline(title: str, series: Sequence[Series], look: Look, label: str = "") -> Panel:
    """States over time, one lane a series: for on and off. What says nothing for SILENT_MS has no state."""
    defaults = look.defaults(fillOpacity=80, lineWidth=0, spanNulls=False, insertNulls=SILENT_MS)
    if label:
        defaults["displayName"] = f"${{__field.labels.{label}}}"
    options: Json = {
        "mergeValues": True, "showValue": "never", "alignValue": "left", "rowHeight": 0.9,
        "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "single", "sort": "none"},
    }  # fmt: skip
    queries = [one.query for one in series]
    body = _panel("state-timeline", title, queries, options, defaults, _named(series)) | {"maxDataPoints": 400}
    return Panel(body, 24, 8, tuple(queries))


def ranking(title: str, query: Query, look: Look, column: str) -> Panel:
    """Bars of one row each, from 0; `column`, which is put first, names the row."""
    options: Json = {
        "reduceOptions": {"calcs": [], "fields": "", "values": True, "limit": RANKS},
        "text": {"titleSize": 12, "valueSize": 14},
        "displayMode": "basic", "orientation": "horizontal", "showUnfilled": True, "valueMode": "color",
        "sizing": "manual", "namePlacement": "left", "minVizHeight": 14, "minVizWidth": 8, "maxVizHeight": 40,
        "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom", "calcs": []},
    }  # fmt: skip
    shown = {"min": 0} | look.defaults() | {"displayName": "${__cell_0}"}
    body = _panel("bargauge", title, [query], options, shown)
    body["transformations"] = [{"id": "organize", "options": {"indexByName": {column: 0, "_value": 1}}}]
    return Panel(body, 8, 8, (query,))


def grid(title: str, query: Query, columns: Sequence[tuple[str, Json]]) -> Panel:
    """A table: its columns in this order, each with what `column` made of it. Columns that are not named come last."""
    order = {name: i for i, (name, _) in enumerate(columns)}
    overrides: list[Json] = [
        {"matcher": {"id": "byName", "options": name},
         "properties": [{"id": key, "value": value} for key, value in facts.items()]}
        for name, facts in columns
    ]  # fmt: skip
    options: Json = {
        "showHeader": True, "cellHeight": "sm",
        "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": ""},
    }  # fmt: skip
    defaults: Json = {
        "custom": {"align": "auto", "filterable": False, "minWidth": 60, "cellOptions": {"type": "auto"}},
        "mappings": [], "noValue": "-",
        "color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": plain(GOOD)},
    }  # fmt: skip
    body = _panel("table", title, [query], options, defaults, overrides)
    body["transformations"] = [{"id": "organize", "options": {"indexByName": order}}]
    body["maxDataPoints"] = ROWS
    return Panel(body, 24, 9, (query,))


def column(label: str, look: Look | None = None, *, link: tuple[str, str] | None = None, width: int = 0) -> Json:
    """Properties of a table's column; `link`: title and address. With `look` steps or words the cell is coloured."""
    found: Json = {"displayName": label}
    if look is not None:
        coloured = len(look.steps) > 1 or any(colour for _, colour in look.words.values())
        found |= {"unit": unit(look.unit), "mappings": words(look.words)}
        found |= {"decimals": look.decimals} if look.decimals is not None else {}
        if coloured:
            found |= {
                "thresholds": {"mode": "absolute", "steps": list(look.steps)},
                "custom.cellOptions": {"type": "color-text"},
            }
    if link is not None:
        found["links"] = [{"title": link[0], "url": link[1], "targetBlank": False}]
    return found | ({"custom.width": width} if width else {})


def notice(title: str, markdown: str, width: int = 24, height: int = 4) -> Panel:
    """A text."""
    options: Json = {"mode": "markdown", "content": markdown, "code": _CODE}
    return Panel({"type": "text", "title": title, "options": options, "transparent": False}, width, height)


_CODE: Json = {"language": "plaintext", "showLineNumbers": False, "showMiniMap": False}


def _panel(
    kind: str, title: str, queries: Sequence[Query], options: Json, defaults: Json, overrides: Sequence[Json] = ()
) -> Json:
    targets = [{"refId": _ref(i), "datasource": SOURCE, "query": query.flux} for i, query in enumerate(queries)]
    return {
        "type": kind,
        "title": title,
        "datasource": SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
        "options": options,
    }


def flags(true: str, false: str, true_colour: str = GOOD, false_colour: str = GREY) -> dict[str, tuple[str, str]]:
    """Words for a flag, which is true and false in raw readings and 1 and 0 where it was counted."""
    yes, no = (true, true_colour), (false, false_colour)
    return {"true": yes, "false": no, "1": yes, "0": no}


def _ref(i: int) -> str:
    return chr(ord("A") + i)
