"""The boards as Grafana's classic JSON: whole, laid out without overlap, and saying only what the store can answer."""

import json
import re
import warnings
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from citywarden.alerts.point import alert_point
from citywarden.cli.dashboards import command, limits_of, view_of
from citywarden.model.alert import Alert, Severity, Status
from citywarden.serve.inventory import device_point
from citywarden.store.influx.downsampling import DISTRICT, KEPT
from dashboards.console import palette
from dashboards.grafana import colours, flux, names
from dashboards.grafana.boards import DETAILS, PAGES
from dashboards.grafana.render import playlist
from rules.rulefile import parse
from tests.builders import KINDS, NOON_MS, device
from tests.grafana.material import COMMITTED, boards, default_boards

RENDERED = default_boards()
every_board = pytest.mark.parametrize("board", RENDERED.values(), ids=RENDERED)

Node = dict[str, Any]


def nodes(value: object) -> Iterator[Node]:
    """Every object in a JSON document."""
    if isinstance(value, dict):
        yield value
        for below in value.values():
            yield from nodes(below)
    elif isinstance(value, list):
        for below in value:
            yield from nodes(below)


def test_seven_pages_and_the_boards_they_lead_to_in_two_languages() -> None:
    assert (len(PAGES), len(DETAILS)) == (7, 4)
    assert len(RENDERED) == 22
    assert len({board["uid"] for board in RENDERED.values()}) == 22
    assert all(re.fullmatch(r"cw-[a-z]+-(zh|en)", str(board["uid"])) for board in RENDERED.values())


@every_board
def test_a_board_has_what_grafana_asks_of_one(board: Node) -> None:
    assert board["schemaVersion"] == 42
    assert "id" not in board and "folderId" not in board
    assert {"uid", "title", "tags", "time", "refresh", "timezone", "templating", "annotations"} <= board.keys()
    ids = [panel["id"] for panel in board["panels"]]
    assert ids == list(range(1, len(ids) + 1))
    for panel in board["panels"]:
        assert panel["title"] and panel["type"] and panel["options"]
        refs = [target["refId"] for target in panel.get("targets", ())]
        assert len(refs) == len(set(refs))


@every_board
def test_no_two_panels_overlap_and_none_leaves_the_grid(board: Node) -> None:
    places = [panel["gridPos"] for panel in board["panels"]]
    for place in places:
        assert place["x"] >= 0 and place["x"] + place["w"] <= 24 and place["y"] >= 0 and place["h"] > 0
    for a, b in combinations(places, 2):
        apart = (
            a["x"] + a["w"] <= b["x"]
            or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"]
            or b["y"] + b["h"] <= a["y"]
        )
        assert apart, (a, b)


@every_board
def test_every_variable_that_is_used_is_defined_and_every_link_leads_somewhere(board: Node) -> None:
    text = json.dumps(board)
    defined = {variable["name"] for variable in board["templating"]["list"]}
    assert set(re.findall(r"\$\{(\w+):regex\}", text)) <= defined
    uids = {str(one["uid"]) for one in RENDERED.values()}
    assert set(re.findall(r"/d/([\w-]+)", text)) <= uids
    for uid, variable in re.findall(r"/d/([\w-]+)\?var-(\w+)", text):
        target = next(one for one in RENDERED.values() if one["uid"] == uid)
        assert variable in {v["name"] for v in target["templating"]["list"]}  # type: ignore[index]


@every_board
def test_the_one_data_source_is_ours_and_no_map_needs_the_internet(board: Node) -> None:
    for node in nodes(board):
        if node.get("type") == "influxdb":
            assert node["uid"] == names.DATASOURCE
        if "basemap" in node:
            assert node["basemap"]["type"] == "geojson"
            assert node["basemap"]["config"]["src"] == "public/citywarden/city.geojson"
    assert not re.search(r"https?://", json.dumps(board))


def schema() -> dict[str, set[str]]:
    """What the store has: fields by measurement."""
    found = {name: {q.field for q in kind.quantities} | {"received_ms"} for name, kind in KINDS.items()}
    return found | {name: set(fields) for name, fields in names.FIELDS.items()}


@pytest.mark.parametrize("board", boards("zh-CN"), ids=lambda board: str(board.name))
def test_boards_ask_only_for_what_the_store_has(board: Any) -> None:
    known = schema()
    assert board.queries
    for query in board.queries:
        for measurement, fields in ((query.measurement, query.fields), *query.also):
            assert set(fields) <= known[measurement], query.flux
            for field in fields:
                assert f'"{field}' in query.flux
    for variable in board.variables:
        assert set(variable.measurements) <= known.keys()
        assert variable.tag in ("tenant", "district", "device")


def test_the_names_are_those_the_server_writes() -> None:
    alert = Alert(
        "a", "t", "gas.co", "gas", "d1", Severity.MAJOR, Status.FIRING, "threshold", NOON_MS, NOON_MS, lat=1, lon=2
    )
    assert set(names.FIELDS["alert"]) <= alert_point(alert).fields.keys()
    place = device_point(device("gas"), NOON_MS)
    assert place is not None and place.measurement == names.DEVICE
    assert set(names.FIELDS["device"]) == place.fields.keys()
    assert {"tenant", "device", "district", "kind"} == place.tags.keys()
    assert device_point(device("gas", lat=None, lon=None), NOON_MS) is None
    assert (flux.DISTRICT, flux.KEPT) == (DISTRICT, KEPT)


def test_severities_have_the_consoles_colours() -> None:
    assert dict(colours.SEVERITY) == palette.SEVERITY


def test_limits_come_from_the_rules_and_colour_the_thresholds() -> None:
    rules = """
rules:
  - id: gas.o2
    kind: gas
    levels:
      major: {when: "o2_pct < 19.5"}
      critical: {when: "profile.floor > o2_pct"}
    profile: {floor: 18}
  - id: gas.much
    kind: gas
    levels: {minor: {when: "o2_pct > 23"}, major: {when: "o2_pct > 24 and co_ppm > 3"}}
"""
    limits = limits_of(parse(rules, "rules.yaml", KINDS))
    assert [(limit.value, limit.severity.word, limit.above) for limit in limits] == [
        (19.5, "major", False),
        (18.0, "critical", False),
        (23.0, "minor", True),
    ]
    red, orange, yellow = (colours.SEVERITY[s] for s in (Severity.CRITICAL, Severity.MAJOR, Severity.MINOR))
    assert [(step["value"], step["color"]) for step in colours.steps(limits)] == [
        (None, red),
        (18.0, orange),
        (19.5, colours.GOOD),
        (23.0, yellow),
    ]


def test_the_flood_bands_of_the_default_rules_colour_the_flood_map() -> None:
    panels: Any = RENDERED["zh/flood.json"]["panels"]
    (chart,) = (panel for panel in panels if panel["type"] == "geomap")
    (override,) = chart["fieldConfig"]["overrides"]
    thresholds = next(one["value"] for one in override["properties"] if one["id"] == "thresholds")
    assert [step["value"] for step in thresholds["steps"]] == [None, 5.0, 15.0, 25.0, 40.0]


def test_maps_look_at_the_configured_city() -> None:
    outline = {"type": "Polygon", "coordinates": [[[113.0, 23.0], [113.2, 23.0], [113.2, 23.1], [113.0, 23.0]]]}
    found = view_of({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": outline}]})
    assert found is not None and (found.lat, found.lon) == (23.05, 113.1) and 11 < found.zoom < 13


def test_landscaping_says_that_it_has_no_kind() -> None:
    assert "没有园林设备类型" in json.dumps(RENDERED["zh/landscaping.json"], ensure_ascii=False)
    assert "no device kind for landscaping" in json.dumps(RENDERED["en/landscaping.json"])


def test_the_wall_shows_the_seven_pages_in_order() -> None:
    items: Any = playlist("en")["items"]
    assert [item["value"] for item in items] == [
        f"cw-{page}-en" for page in ("home", "city", "sanitation", "landscaping", "gas", "cases", "image")
    ]


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(command, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_the_committed_boards_are_what_is_rendered() -> None:
    code, said, problems = run("check")
    assert (code, problems) == (0, "")
    assert str(COMMITTED) in said


def test_check_names_every_file_that_differs(tmp_path: Path) -> None:
    assert run("render", str(tmp_path))[0] == 0
    assert run("check", str(tmp_path))[0] == 0
    home, gas, stray = tmp_path / "zh/home.json", tmp_path / "en/gas.json", tmp_path / "en/old.json"
    home.write_text(home.read_text("utf-8").replace("总览", "总攬"), "utf-8")
    gas.unlink()
    stray.write_text("{}")
    code, _, problems = run("check", str(tmp_path))
    lines = problems.splitlines()
    assert code == 1 and len(lines) == 4
    assert lines[0].startswith(f"citywarden: {home}: differs from what is rendered, first in line ")
    assert lines[1] == f"citywarden: {gas}: is missing"
    assert lines[2] == f"citywarden: {stray}: is no board any more"
    assert "3 changed" in run("render", str(tmp_path))[1]
    assert run("check", str(tmp_path))[0] == 0


@every_board
def test_grafanas_own_schema_knows_every_key(board: Node) -> None:
    """Read and written by Grafana's generated types nothing is lost but what no schema has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from grafana_foundation_sdk.cog.encoder import JSONEncoder
        from grafana_foundation_sdk.models import (
            bargauge,
            gauge,
            geomap,
            stat,
            statetimeline,
            table,
            text,
            timeseries,
        )
        from grafana_foundation_sdk.models.dashboard import Dashboard

        def again(value: object) -> Any:
            return json.loads(json.dumps(value, cls=JSONEncoder))

        plain = {key: value for key, value in board.items() if key != "panels"}
        kept = again(Dashboard.from_json(plain | {"panels": []}).to_json())
    assert set(plain) <= set(kept) | {"panels"}
    models = {
        "stat": stat, "gauge": gauge, "timeseries": timeseries, "state-timeline": statetimeline, "bargauge": bargauge,
        "table": table, "text": text, "geomap": geomap,
    }  # fmt: skip
    for panel in board["panels"]:
        options = again(models[panel["type"]].Options.from_json(panel["options"]).to_json())
        assert set(panel["options"]) <= set(options), panel["type"]
