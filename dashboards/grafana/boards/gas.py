"""Gas safety: where gas is, how much, since when; and which detectors cannot be trusted."""

from dashboards.grafana import flux, records
from dashboards.grafana.board import Board, Variable
from dashboards.grafana.boards.shared import (
    DEVICE_LINK,
    alert_list,
    alerts_over_time,
    district,
    district_column,
    extreme,
    open_by_severity,
    reporting,
    seen_column,
    tenant,
)
from dashboards.grafana.maps import Layer, city_map
from dashboards.grafana.panels import Look, Panel, Series, column, graph, grid
from dashboards.grafana.scene import Scene

KIND = "gas"
MEASURED = ("methane_lel_pct", "h2s_ppm", "co_ppm", "o2_pct")


def board(scene: Scene) -> Board:
    """Fifth page, with the gas map."""
    say = scene.say
    where = Layer(
        say("燃气探测器", "Gas detectors"),
        flux.placed(KIND, MEASURED, "1h"),
        "methane_lel_pct",
        scene.label(KIND, "methane_lel_pct"),
        scene.look(KIND, "methane_lel_pct"),
        size=8,
        link=(say("查看曲线", "Show its course"), scene.link("gas", device=DEVICE_LINK)),
    )
    return Board(
        "gas",
        "燃气安全",
        "Gas safety",
        [
            *open_by_severity(scene, (KIND,)),
            reporting(scene, KIND).sized(3, 4),
            extreme(scene, KIND, "methane_lel_pct", "max", "最高甲烷", "Highest methane", "gas").sized(3, 4),
            extreme(scene, KIND, "h2s_ppm", "max", "最高硫化氢", "Highest H2S", "gas").sized(3, 4),
            extreme(scene, KIND, "o2_pct", "min", "最低氧气", "Lowest oxygen", "gas").sized(3, 4),
            city_map(say("燃气一张图", "Gas map"), [where], scene.material.view).sized(12, 16),
            *(_course(scene, field).sized(12, 8) for field in MEASURED),
            alerts_over_time(scene, (KIND,)),
            _detectors(scene).sized(12, 8),
            alert_list(scene, only_open=False, kinds=(KIND,)),
        ],
        [tenant(KIND), district(KIND), Variable("device", "探测器", "Detector", (KIND,))],
        marks=records.marks((KIND,), scene.summary),
    )


def _course(scene: Scene, field: str) -> Panel:
    """Highest value (oxygen: the lowest) of the chosen detectors."""
    fold, said = ("min", scene.say("最低", "lowest")) if field == "o2_pct" else ("max", scene.say("最高", "highest"))
    title = scene.say(f"{scene.label(KIND, field)}（{said}）", f"{scene.label(KIND, field)} ({said})")
    look = scene.look(KIND, field)
    return graph(
        title,
        [Series(flux.extremes(KIND, field, (*flux.PLACE, "device"), fold))],
        Look(look.unit, look.steps, decimals=1, name=title),
    )


def _detectors(scene: Scene) -> Panel:
    columns = [
        ("device", column(scene.say("探测器", "Detector"), width=90)),
        district_column(scene),
        *((field, column(scene.label(KIND, field), scene.look(KIND, field))) for field in MEASURED),
        ("battery_v", column(scene.label(KIND, "battery_v"), scene.look(KIND, "battery_v"), width=90)),
        seen_column(scene),
    ]
    query = flux.table(KIND, (*MEASURED, "battery_v"), "24h")
    return grid(scene.say("探测器（24 小时内）", "Detectors, last 24 h"), query, columns)
