"""Environment and sanitation: where the vehicles are, and whether the work was really done."""

from dashboards.grafana import flux
from dashboards.grafana.board import Board
from dashboards.grafana.boards import work
from dashboards.grafana.boards.shared import DEVICE_LINK, alert_list, met_share, reporting, tenant
from dashboards.grafana.colours import GOOD, GREY
from dashboards.grafana.maps import Layer, city_map
from dashboards.grafana.names import WORK
from dashboards.grafana.panels import Look, Panel, flags, stat
from dashboards.grafana.scene import Scene

WORK_RULES = "^(route|work|vehicle)[.]"


def board(scene: Scene) -> Board:
    """Third page."""
    say = scene.say
    return Board(
        "sanitation",
        "环境卫生",
        "Environment and sanitation",
        [
            reporting(scene, "vehicle").sized(3, 4),
            *(_equipment(scene, field).sized(3, 4) for field in ("brush", "pump", "lift")),
            *work.verdicts(scene),
            met_share(scene).sized(3, 4),
            city_map(say("车辆位置", "Where the vehicles are"), [_vehicles(scene)], scene.material.view).sized(12, 16),
            work.met_daily(scene),
            work.coverage_daily(scene),
            *work.rankings(scene),
            work.hours_daily(scene),
            work.missed_daily(scene),
            work.task_list(scene),
            alert_list(scene, only_open=True, rules=WORK_RULES),
        ],
        [tenant("vehicle", WORK)],
        hours=24 * 7,
    )


def _vehicles(scene: Scene) -> Layer:
    at_work = flags(scene.say("作业", "working"), scene.say("未作业", "not working"), GOOD, GREY)
    return Layer(
        scene.say("车辆", "Vehicles"),
        scene.in_reach(flux.at_work(scene.since("vehicle"), flux.TENANT)),
        "working",
        scene.say("作业状态", "At work"),
        Look(words=at_work),
        size=8,
        text="device",
        link=(scene.say("查看车辆", "Show vehicle"), scene.link("vehicle", device=DEVICE_LINK)),
    )


def _equipment(scene: Scene, field: str) -> Panel:
    label = scene.label("vehicle", field)
    query = flux.how_many("vehicle", field, scene.since("vehicle"), "r._value")
    return stat(scene.say(f"{label}开启车辆", f"{label} on"), query, Look(empty="0"))
