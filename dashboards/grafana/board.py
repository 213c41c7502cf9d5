"""A board: its panels laid out on the grid, its variables, links and annotations, as classic dashboard JSON."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.grafana.flux import Query, either, home, now, text
from dashboards.grafana.names import SCHEMA_VERSION, SHORT, TAG, board_uid
from dashboards.grafana.panels import SOURCE, Json, Panel
from dashboards.grafana.scene import Scene

WIDTH = 24


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of a board: the values a tag has in these measurements, of a week. Not `every`: exactly one,
    and of its single measurement; those that sent something in the last day come first, so the page opens with one.
    """

    tag: str
    zh: str
    en: str
    measurements: tuple[str, ...]
    every: bool = True

    @property
    def flux(self) -> str:
        """The query that lists the values."""
        if not self.every:
            return self._recent_first()
        buckets: dict[str, list[str]] = {}
        for measurement in self.measurements:
            buckets.setdefault(home(measurement), []).append(measurement)
        found = [self._values(bucket, names) for bucket, names in buckets.items()]
        asked = found[0] if len(found) == 1 else f"union(tables: [{', '.join(found)}])\n  |> group()\n  |> distinct()"
        return f'import "influxdata/influxdb/schema"\n\n{asked}'

    def _recent_first(self) -> str:
        (measurement,) = self.measurements
        newest = now(measurement, ["received_ms"], "7d", ())
        return (
            f'import "date"\n\nyesterday = date.sub(d: 1d, from: now())\n\n{newest}\n'
            f'  |> group(columns: [{text(self.tag)}])\n  |> max(column: "_time")\n  |> group()\n'
            f"  |> map(fn: (r) => ({{_value: r.{self.tag}, turn: if r._time > yesterday then 0 else 1}}))\n"
            '  |> sort(columns: ["turn", "_value"])\n  |> keep(columns: ["_value"])'
        )

    def _values(self, bucket: str, measurements: Sequence[str]) -> str:
        which = f"predicate: (r) => {either('_measurement', measurements)}, start: -7d"
        return f"schema.tagValues(bucket: {bucket}, tag: {text(self.tag)}, {which})"


@dataclass(frozen=True, slots=True)
class Board:
    """A page. `hours`: the time range it opens with. `marks`: alerts shown on its graphs."""

    name: str
    zh: str
    en: str
    panels: Sequence[Panel]
    variables: Sequence[Variable] = ()
    hours: int = 6
    marks: Query | None = None
    refresh: str = "30s"

    @property
    def queries(self) -> list[Query]:
        """Everything the board asks, but its variables."""
        found = [query for panel in self.panels for query in panel.queries]
        return [*found, self.marks] if self.marks else found


def render(board: Board, scene: Scene) -> Json:
    """The board as Grafana reads it."""
    panels = [
        {"id": i, "gridPos": place, **panel.body}
        for i, (panel, place) in enumerate(zip(board.panels, layout(board.panels), strict=True), 1)
    ]
    return {
        "uid": board_uid(board.name, scene.language),
        "title": scene.say(board.zh, board.en),
        "tags": [TAG, SHORT[scene.language]],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": scene.material.timezone,
        "weekStart": "monday",
        "refresh": board.refresh,
        "time": {"from": f"now-{board.hours}h", "to": "now"},
        "timepicker": {"refresh_intervals": ["10s", "30s", "1m", "5m", "15m"]},
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "links": [_links(scene)],
        "annotations": {"list": [_marks(board.marks, scene)] if board.marks else []},
        "templating": {"list": [_variable(variable, scene) for variable in board.variables]},
        "panels": panels,
    }


def layout(panels: Sequence[Panel]) -> list[Json]:
    """Places on the grid: each panel as high as it fits, then as far left; no two overlap."""
    tops = [0] * WIDTH
    places: list[Json] = []
    for panel in panels:
        if not 0 < panel.width <= WIDTH:
            raise ValueError(f"a panel is 1 to {WIDTH} wide, not {panel.width}")
        starts = range(WIDTH - panel.width + 1)
        x = min(starts, key=lambda x: (max(tops[x : x + panel.width]), x))
        y = max(tops[x : x + panel.width])
        tops[x : x + panel.width] = [y + panel.height] * panel.width
        places.append({"x": x, "y": y, "w": panel.width, "h": panel.height})
    return places


def _links(scene: Scene) -> Json:
    return {
        "type": "dashboards", "title": scene.say("页面", "Pages"), "tags": [TAG, SHORT[scene.language]],
        "asDropdown": True, "includeVars": False, "keepTime": True, "targetBlank": False, "icon": "external link",
        "tooltip": "", "url": "",
    }  # fmt: skip


def _marks(query: Query | None, scene: Scene) -> Json:
    flux = query.flux if query else ""
    return {
        "name": scene.say("告警", "Alerts"), "datasource": SOURCE, "enable": True, "hide": False,
        "iconColor": "#ff4d5e", "target": {"refId": "alerts", "query": flux},
    }  # fmt: skip


def _variable(variable: Variable, scene: Scene) -> Json:
    found: Json = {
        "name": variable.tag, "label": scene.say(variable.zh, variable.en), "type": "query", "datasource": SOURCE,
        "query": variable.flux, "definition": variable.flux, "refresh": 1,
        "sort": 1 if variable.every else 0, "regex": "", "hide": 0, "skipUrlSync": False, "multi": variable.every,
        "includeAll": variable.every, "options": [],
    }  # fmt: skip
    if variable.every:
        found |= {"allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}
    return found
