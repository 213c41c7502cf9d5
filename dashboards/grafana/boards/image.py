"""City image: what a passer-by sees, as far as it is measured: light, clean roads, water, stray vehicles."""

from dashboards.grafana import flux, records
from dashboards.grafana.board import Board
from dashboards.grafana.boards import work
from dashboards.grafana.boards.shared import alert_list, alerts_over_time, extreme, lit_share, met_share, tenant
from dashboards.grafana.colours import plain, trouble_steps
from dashboards.grafana.names import ALERT, WORK
from dashboards.grafana.panels import Look, Series, graph, notice, ranking, stat
from dashboards.grafana.scene import Scene

STREET_RULES = "^(streetlight|waterlogging|route|vehicle[.]illegal)"


def board(scene: Scene) -> Board:
    """Seventh page."""
    say = scene.say
    lit = Look("share", plain(), low=0, high=1, name=say("亮灯比例", "lit"))
    return Board(
        "image",
        "市容市貌",
        "City image",
        [
            notice(
                say("本页数据范围", "What this page can show"),
                say(
                    "市容由实测数据反映：照明、道路清扫、积水、违规停车和倾倒。**没有视频识别的数据类型**，占道经营、暴露垃圾等不在本页。",
                    "The city's image as far as it is measured: light, swept roads, standing water, illegal stops and "
                    "dumping. **There is no kind for video analysis**, so street vendors or litter are not in here.",
                ),
                24,
                3,
            ),
            lit_share(scene),
            met_share(scene),
            stat(
                say("平均清扫覆盖率", "Mean coverage of roads"),
                records.tasks_folded("coverage_pct", "mean"),
                work.COVERAGE,
            ),
            stat(
                say("漏作业长度", "Missed road"),
                records.tasks_folded("missed_m", "sum"),
                Look("m", trouble_steps(warning=500, bad=5000), decimals=0, empty="0"),
            ),
            extreme(scene, "waterlogging", "depth_cm", "max", "最大积水", "Deepest water", "flood"),
            stat(
                say("违停与倾倒", "Illegal stops and dumping"),
                records.open_alerts("", rules="^vehicle[.]illegal"),
                Look(steps=trouble_steps(warning=1, bad=5), empty="0"),
                scene.link("cases"),
            ),
            graph(
                say("亮灯比例", "Share of lamps lit"),
                [Series(flux.city_trend("streetlight", "on", "mean", "", flux.TENANT))],
                lit,
            ),
            work.missed_daily(scene),
            ranking(
                say("覆盖率：各区", "Coverage by district"),
                scene.of_districts(records.tasks_by("coverage_pct", "mean", "district")),
                work.COVERAGE,
                "district",
            ).sized(12, 8),
            alerts_over_time(scene, rules=STREET_RULES),
            alert_list(scene, only_open=True, rules=STREET_RULES),
        ],
        [tenant("streetlight", "waterlogging", WORK, ALERT)],
        hours=24 * 7,
    )
