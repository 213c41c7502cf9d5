"""Overview: how the city is at this moment."""

from dashboards.grafana import flux, records
from dashboards.grafana.board import Board
from dashboards.grafana.boards.shared import (
    DEVICE_LINK,
    alert_list,
    alerts_over_time,
    extreme,
    lit_share,
    met_share,
    open_by_severity,
    reporting,
    tenant,
)
from dashboards.grafana.colours import GOOD, GREY
from dashboards.grafana.maps import Layer, city_map
from dashboards.grafana.panels import Look, flags, stat
from dashboards.grafana.scene import Scene
from dashboards.grafana.words import severity_words


def board(scene: Scene) -> Board:
    """First page of the wall."""
    say = scene.say
    working = stat(
        say("作业中车辆", "Vehicles at work"),
        flux.how_many_work(scene.since("vehicle")),
        Look(empty="0"),
        scene.link("sanitation"),
    )
    levels = {str(4 - i): shown for i, shown in enumerate(severity_words(scene).values())}
    where = [
        Layer(
            say("车辆", "Vehicles"),
            flux.at_work(scene.since("vehicle"), flux.TENANT),
            "working",
            say("作业状态", "At work"),
            Look(words=flags(say("作业", "working"), say("未作业", "not working"), GOOD, GREY)),
            size=5,
            link=(say("查看车辆", "Show vehicle"), scene.link("vehicle", device=DEVICE_LINK)),
        ),
        Layer(
            say("告警", "Alerts"),
            records.alert_places(scene.summary),
            "level",
            say("等级", "Severity"),
            Look(words=levels),
            size=9,
        ),
    ]
    return Board(
        "home",
        "总览",
        "Overview",
        [
            *open_by_severity(scene),
            reporting(scene, "streetlight").sized(3, 4),
            reporting(scene, "waterlogging").sized(3, 4),
            reporting(scene, "gas").sized(3, 4),
            reporting(scene, "vehicle").sized(3, 4),
            city_map(say("告警与车辆", "Alerts and vehicles"), where, scene.material.view, closely=False).sized(16, 16),
            lit_share(scene),
            met_share(scene),
            extreme(scene, "waterlogging", "depth_cm", "max", "最大积水", "Deepest water", "flood"),
            extreme(scene, "gas", "methane_lel_pct", "max", "最高甲烷", "Highest methane", "gas"),
            working.sized(8, 3),
            alerts_over_time(scene).sized(8, 5),
            alert_list(scene, only_open=True),
        ],
        [tenant()],
    )
