"""Reading a plan file: GeoJSON text checked whole, every problem named by feature, key, value and expectation."""

import json
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

from citywarden.coordinates import CRS
from citywarden.model.errors import ConfigurationError, Problem
from citywarden.model.work import Zone
from fleet.features import open_collection
from fleet.lines import Shapes, check_neighbours
from fleet.properties import Common, Findings, read_task, read_zone
from fleet.schedule import Plan, TaskTemplate

__all__ = ["Plan", "parse_plan"]

SHANGHAI = ZoneInfo("Asia/Shanghai")
_MAX_PROBLEMS = 200
_FEATURES = "expected a GeoJSON FeatureCollection with features"
_EMPTY: Mapping[str, object] = {}


def parse_plan(text: str, file: str, timezone: ZoneInfo = SHANGHAI, tenant: str = "") -> Plan:
    """A plan from GeoJSON text; `timezone` is that of daily windows that name none, and of the plan's days.

    `tenant` is whose vehicles the tasks name. Raises ConfigurationError with every problem of the file.
    """
    document, features = _load(text, file)
    problems: list[Problem] = []
    crs = document.get("crs_name", "wgs84")
    if crs not in CRS:
        problems.append(Problem(file, None, "crs_name", f"{crs!r} is unknown, expected one of {', '.join(CRS)}"))
        crs = "wgs84"
    if document.get("type") != "FeatureCollection":
        raise ConfigurationError([Problem(file, None, "type", _FEATURES)])
    shapes, common = Shapes(str(crs)), Common(tenant, str(crs), timezone)
    templates: dict[str, tuple[int, TaskTemplate]] = {}
    zones: list[Zone] = []
    warnings: list[Problem] = []
    for i, feature in enumerate(features):
        found = Findings(file, f"features[{i}]", problems, warnings)
        made = _feature(feature, found, shapes, common)
        if isinstance(made, Zone):
            zones.append(made)
        elif made is not None:
            if (twin := templates.get(made.task.id)) is not None:
                found.wrong("task", made.task.id, f"a task of its own; features[{twin[0]}] has it already")
            else:
                templates[made.task.id] = (i, made)
    check_neighbours({i: t.task.lines for i, t in templates.values()}, file, problems)
    if problems:
        more = len(problems) - _MAX_PROBLEMS
        tail = [Problem(file, None, "", f"and {more} more problems")] if more > 0 else []
        raise ConfigurationError(problems[:_MAX_PROBLEMS] + tail)
    return Plan(tuple(t for _, t in templates.values()), tuple(zones), timezone, tuple(warnings))


def _load(text: str, file: str) -> tuple[Mapping[str, object], Iterator[object]]:
    try:
        found = open_collection(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError([Problem(file, error.lineno, "", f"not JSON: {error.msg}")]) from None
    except RecursionError:
        raise ConfigurationError([Problem(file, None, "", "nested too deeply")]) from None
    if found is None:
        raise ConfigurationError([Problem(file, None, "type", _FEATURES)])
    return found


def _feature(feature: object, found: Findings, shapes: Shapes, common: Common) -> TaskTemplate | Zone | None:
    if not isinstance(feature, dict) or not isinstance(geometry := feature.get("geometry"), dict):
        found.wrong("geometry", None, "a feature with a geometry")
        return None
    properties = feature.get("properties")
    if not isinstance(properties, dict):
        properties = _EMPTY
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind in ("LineString", "MultiLineString"):
        parts = [coordinates] if kind == "LineString" else coordinates
        lines = shapes.lines(parts, found)
        return read_task(properties, lines, common, found)
    if kind in ("Polygon", "MultiPolygon"):
        if kind == "MultiPolygon":
            found.wrong("geometry.type", kind, "one Polygon per feature")
            return None
        return read_zone(properties, shapes.rings(coordinates, found), found)
    found.wrong("geometry.type", kind, "LineString or MultiLineString (a planned road) or Polygon (a zone)")
    return None
