"""Smart city management: the city's things, district by district."""

from dashboards.grafana import flux
from dashboards.grafana.board import Board
from dashboards.grafana.boards.shared import alert_list, district, lit_share, reporting, tenant
from dashboards.grafana.colours import plain
from dashboards.grafana.panels import Look, Panel, Series, graph, ranking
from dashboards.grafana.scene import Scene

THINGS = ("streetlight", "waterlogging", "gas")


def board(scene: Scene) -> Board:
    """Second page."""
    say = scene.say
    lit = Look("share", plain(), low=0, high=1)
    return Board(
        "city",
        "智慧城管",
        "Smart city management",
        [
            *(reporting(scene, kind).sized(5, 4) for kind in THINGS),
            lit_share(scene, flux.PLACE).sized(9, 4),
            *(_by_district(scene, kind) for kind in THINGS),
            graph(
                say("各区亮灯比例", "Share of lamps lit, by district"),
                [Series(scene.of_districts(flux.city_trend("streetlight", "on", "mean", "district")))],
                lit,
                label="district",
            ),
            graph(
                say("各区最大积水", "Deepest water, by district"),
                [Series(scene.of_districts(flux.city_trend("waterlogging", "depth_cm", "max", "district")))],
                _unnamed(scene.look("waterlogging", "depth_cm")),
                label="district",
            ),
            graph(
                say("各区最高甲烷", "Highest methane, by district"),
                [Series(scene.of_districts(flux.city_trend("gas", "methane_lel_pct", "max", "district")))],
                _unnamed(scene.look("gas", "methane_lel_pct")),
                label="district",
            ),
            graph(
                say("各区路灯平均功率", "Mean power of a lamp, by district"),
                [Series(scene.of_districts(flux.city_trend("streetlight", "power_w", "mean", "district")))],
                Look("W", plain(), decimals=0, low=0),
                label="district",
            ),
            _battery(scene, "waterlogging"),
            _battery(scene, "gas"),
            alert_list(scene, only_open=True, kinds=THINGS),
        ],
        [tenant(*THINGS), district(*THINGS)],
        hours=12,
    )


def _by_district(scene: Scene, kind: str) -> Panel:
    found = scene.kind(kind)
    query = scene.of_districts(flux.how_many(kind, "received_ms", scene.since(kind), filters=flux.PLACE, by="district"))
    return ranking(scene.say(f"在线{found.zh}：各区", f"{found.en}s online, by district"), query, Look(), "district")


def _battery(scene: Scene, kind: str) -> Panel:
    query = flux.worst(kind, "battery_v", scene.since(kind), 10, "bottom")
    title = scene.say(f"{scene.kind(kind).zh}：电池电压最低", f"{scene.kind(kind).en}s with the lowest battery")
    return ranking(title, query, _unnamed(scene.look(kind, "battery_v")), "device").sized(12, 8)


def _unnamed(look: Look) -> Look:
    return Look(look.unit, look.steps, look.decimals, low=0)
