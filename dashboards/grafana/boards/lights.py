"""Streetlights: a map of lamps, the lighting rate, and who does not obey."""

from dashboards.grafana import flux
from dashboards.grafana.board import Board
from dashboards.grafana.boards.shared import (
    alert_list,
    district,
    district_column,
    lit_share,
    open_by_severity,
    reporting,
    tenant,
)
from dashboards.grafana.colours import GREY, LAMP, plain
from dashboards.grafana.maps import Layer, city_map
from dashboards.grafana.panels import Look, Panel, Series, column, flags, graph, grid, timeline
from dashboards.grafana.scene import Scene

KIND = "streetlight"


def board(scene: Scene) -> Board:
    """The streetlight map."""
    say = scene.say
    lit = Look(words=flags(say("亮", "lit"), say("灭", "off"), LAMP, GREY))
    lamps = Layer(
        say("路灯", "Lamps"),
        flux.placed(KIND, ("on",), "1h", named=False),
        "on",
        scene.label(KIND, "on"),
        lit,
        size=5,
    )
    return Board(
        "lights",
        "路灯一张图",
        "Streetlights",
        [
            *open_by_severity(scene, (KIND,)),
            reporting(scene, KIND).sized(6, 4),
            lit_share(scene, flux.PLACE).sized(6, 4),
            city_map(say("路灯状态", "Lamps"), [lamps], scene.material.view).sized(14, 18),
            graph(
                say("各区亮灯比例", "Share of lamps lit, by district"),
                [Series(scene.of_districts(flux.city_trend(KIND, "on", "mean", "district")))],
                Look("share", plain(), low=0, high=1),
                label="district",
            ).sized(10, 9),
            graph(
                say("各区平均功率", "Mean power by district"),
                [Series(scene.of_districts(flux.city_trend(KIND, "power_w", "mean", "district")))],
                Look("W", plain(), decimals=0, low=0),
                label="district",
            ).sized(10, 9),
            timeline(
                say("开关状态（编号最前的 20 盏）", "On and off, the first 20 lamps"),
                [Series(flux.states(KIND, "on", 20))],
                lit,
                label="device",
            ).sized(24, 12),
            _faulty(scene).sized(24, 7),
            alert_list(scene, only_open=False, kinds=(KIND,)),
        ],
        [tenant(KIND), district(KIND)],
        hours=12,
    )


def _faulty(scene: Scene) -> Panel:
    columns = [
        ("device", column(scene.say("路灯", "Lamp"))),
        district_column(scene),
        ("_value", column(scene.label(KIND, "fault"))),
        ("_time", column(scene.say("上报时间", "Said at"), Look("time"), width=130)),
    ]
    title = scene.say("自报故障的路灯（1 小时内）", "Lamps that report a fault, last hour")
    return grid(title, flux.saying(KIND, "fault", "1h"), columns)
