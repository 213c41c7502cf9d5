"""Maps that need no internet: the base is the city's own outline, the markers are the devices."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.grafana.colours import ACCENT
from dashboards.grafana.flux import Query
from dashboards.grafana.names import CITY_MAP
from dashboards.grafana.panels import ROWS, SOURCE, Json, Look, Panel, unit, words

OUTLINE = "#40557a"
MAP_PX = 840
"""About how wide a map of a whole city is on a full-HD wall."""

TILE_PX = 256
"""Width of the whole world at zoom 0."""

CLOSEST = 15
"""Zoom of a map that has a single marker."""


@dataclass(frozen=True, slots=True)
class View:
    """Where a map looks at when it opens."""

    lat: float
    lon: float
    zoom: float

    @property
    def reach_deg(self) -> float:
        """Half the degrees of longitude of the city, and as much again: what lies further off is a wrong fix."""
        return 360.0 * MAP_PX / TILE_PX / 2**self.zoom


@dataclass(frozen=True, slots=True)
class Layer:
    """Markers: a row of the query each, coloured by `field` as `look` says; `pointing` by heading."""

    name: str
    query: Query
    field: str
    label: str
    look: Look
    size: int = 7
    pointing: str = ""
    text: str = ""
    link: tuple[str, str] | None = None


def city_map(title: str, layers: Sequence[Layer], view: View, *, closely: bool = True) -> Panel:
    """A map of the city with its layers of markers, the last on top. It looks at the first layer's markers `closely`,
    or at the whole city.
    """
    targets = [
        {"refId": chr(ord("A") + i), "datasource": SOURCE, "query": layer.query.flux} for i, layer in enumerate(layers)
    ]
    options: Json = {
        "basemap": _outline(),
        "layers": [_markers(layer, chr(ord("A") + i)) for i, layer in enumerate(layers)],
        "view": {"lat": view.lat, "lon": view.lon} | (_close(layers[0]) if closely else _whole(view)),
        "controls": {
            "showZoom": True, "mouseWheelZoom": True, "showAttribution": False, "showScale": True,
            "showMeasure": False, "showDebug": False,
        },
        "tooltip": {"mode": "details"},
    }  # fmt: skip
    body: Json = {
        "type": "geomap",
        "title": title,
        "datasource": SOURCE,
        "targets": targets,
        "maxDataPoints": ROWS,
        "fieldConfig": {
            "defaults": {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": []}},
            "overrides": [_override(layer) for layer in layers],
        },
        "options": options,
    }
    return Panel(body, 16, 16, tuple(layer.query for layer in layers))


def _close(layer: Layer) -> Json:
    return {"id": "fit", "allLayers": False, "layer": layer.name, "lastOnly": False, "padding": 10, "zoom": CLOSEST}


def _whole(view: View) -> Json:
    return {"id": "coords", "allLayers": True, "zoom": view.zoom}


def _outline() -> Json:
    """The city's GeoJSON as the base map: Grafana's own ones come from the internet."""
    style: Json = {
        "color": {"fixed": OUTLINE}, "opacity": 0.15, "lineWidth": 1, "size": {"fixed": 5, "min": 2, "max": 15},
        "symbol": {"mode": "fixed", "fixed": "img/icons/marker/circle.svg"},
        "rotation": {"fixed": 0, "mode": "mod", "min": -360, "max": 360},
    }  # fmt: skip
    return {"type": "geojson", "name": "city", "config": {"src": CITY_MAP, "rules": [], "style": style}}


def _markers(layer: Layer, target: str) -> Json:
    symbol = "img/icons/marker/triangle.svg" if layer.pointing else "img/icons/marker/circle.svg"
    turned: Json = {"field": layer.pointing} if layer.pointing else {}
    named: Json = {"text": {"mode": "field", "field": layer.text, "fixed": ""}} if layer.text else {}
    style: Json = {
        "color": {"field": layer.field, "fixed": ACCENT},
        "opacity": 0.9,
        "lineWidth": 1,
        "size": {"fixed": layer.size, "min": 2, "max": 15},
        "symbol": {"mode": "fixed", "fixed": symbol},
        "symbolAlign": {"horizontal": "center", "vertical": "center"},
        "rotation": {"fixed": 0, "mode": "mod", "min": -360, "max": 360} | turned,
        "textConfig": {"fontSize": 11, "textAlign": "left", "textBaseline": "middle", "offsetX": 10, "offsetY": 0},
    }
    return {
        "type": "markers",
        "name": layer.name,
        "config": {"showLegend": True, "style": style | named},
        "location": {"mode": "coords", "latitude": "lat", "longitude": "lon"},
        "filterData": {"id": "byRefId", "options": target},
        "tooltip": True,
    }


def _override(layer: Layer) -> Json:
    look = layer.look
    facts: Json = {
        "displayName": layer.label,
        "unit": unit(look.unit),
        "mappings": words(look.words),
        "color": {"mode": "thresholds"},
        "thresholds": {"mode": "absolute", "steps": list(look.steps)},
    }
    if layer.link is not None:
        facts["links"] = [{"title": layer.link[0], "url": layer.link[1], "targetBlank": False}]
    return {
        "matcher": {"id": "byName", "options": layer.field},
        "properties": [{"id": key, "value": value} for key, value in facts.items()],
    }
