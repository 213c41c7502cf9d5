"""Flood risk: a map of water depths, and how they rise."""

from dashboards.grafana import flux, records
from dashboards.grafana.board import Board
from dashboards.grafana.boards.shared import (
    alert_list,
    district,
    district_column,
    extreme,
    open_by_severity,
    reporting,
    seen_column,
    tenant,
)
from dashboards.grafana.colours import WATER, plain
from dashboards.grafana.maps import Layer, city_map
from dashboards.grafana.panels import Look, Panel, Series, column, graph, grid, ranking
from dashboards.grafana.scene import Scene

KIND = "waterlogging"


def board(scene: Scene) -> Board:
    """The flood map."""
    say = scene.say
    depth = scene.look(KIND, "depth_cm", WATER)
    points = Layer(
        say("内涝点", "Flood points"),
        flux.placed(KIND, ("depth_cm", "rain_mm_h"), "1h"),
        "depth_cm",
        scene.label(KIND, "depth_cm"),
        depth,
        size=8,
    )
    return Board(
        "flood",
        "内涝风险图",
        "Flood risk",
        [
            *open_by_severity(scene, (KIND,)),
            reporting(scene, KIND).sized(4, 4),
            extreme(scene, KIND, "depth_cm", "max", "最大积水", "Deepest water", "flood"),
            extreme(scene, KIND, "rain_mm_h", "max", "最大雨强", "Heaviest rain", "flood"),
            city_map(say("积水深度", "Water depth"), [points], scene.material.view).sized(14, 18),
            ranking(
                say("积水最深", "Deepest water"),
                flux.worst(KIND, "depth_cm", "1h", 10),
                Look(depth.unit, depth.steps, decimals=1, low=0),
                "device",
            ).sized(10, 9),
            graph(
                say("各区最大积水", "Deepest water by district"),
                [Series(scene.of_districts(flux.city_trend(KIND, "depth_cm", "max", "district")))],
                Look(depth.unit, depth.steps, decimals=1, low=0),
                label="district",
            ).sized(10, 9),
            graph(
                say("各区最大雨强", "Heaviest rain by district"),
                [Series(scene.of_districts(flux.city_trend(KIND, "rain_mm_h", "max", "district")))],
                Look("mm/h", plain(), decimals=1, low=0),
                label="district",
            ),
            _points(scene).sized(12, 8),
            alert_list(scene, only_open=False, kinds=(KIND,)),
        ],
        [tenant(KIND), district(KIND)],
        marks=records.marks((KIND,), scene.summary),
    )


def _points(scene: Scene) -> Panel:
    fields = ("depth_cm", "rain_mm_h", "battery_v")
    columns = [
        ("device", column(scene.say("内涝点", "Flood point"))),
        district_column(scene),
        *((field, column(scene.label(KIND, field), scene.look(KIND, field))) for field in fields),
        seen_column(scene),
    ]
    return grid(scene.say("内涝点（24 小时内）", "Flood points, last 24 h"), flux.table(KIND, fields, "24h"), columns)
