"""Landscaping: no device kind measures plants or soil yet, so only what bears on them is shown."""

from dashboards.grafana import flux, records
from dashboards.grafana.board import Board
from dashboards.grafana.boards.shared import tenant
from dashboards.grafana.boards.work import HOUR_S, task_list
from dashboards.grafana.colours import ACCENT, GOOD, plain
from dashboards.grafana.names import WORK
from dashboards.grafana.panels import Look, Panel, Series, graph, notice, stat
from dashboards.grafana.scene import Scene

SPRINKLE = "sprinkle"


def board(scene: Scene) -> Board:
    """Fourth page."""
    say, timezone = scene.say, scene.material.timezone
    rain = flux.city_trend("waterlogging", "rain_mm_h", "max", "district", flux.TENANT)
    return Board(
        "landscaping",
        "园林绿化",
        "Landscaping",
        [
            _scope(scene),
            stat(
                say("当前最大雨强", "Heaviest rain now"),
                flux.one_number("waterlogging", "rain_mm_h", scene.since("waterlogging"), "max"),
                Look("mm/h", plain(), decimals=1),
            ).sized(6, 5),
            stat(say("洒水任务", "Sprinkling tasks"), records.tasks("", operation=SPRINKLE), Look(empty="0")).sized(
                6, 5
            ),
            stat(
                say("洒水达标", "Sprinkling tasks met"),
                records.tasks("met", operation=SPRINKLE),
                Look(steps=plain(GOOD), empty="0"),
            ).sized(6, 5),
            stat(
                say("洒水平均覆盖率", "Mean coverage of sprinkling"),
                records.tasks_folded("coverage_pct", "mean", operation=SPRINKLE),
                Look("%", plain(), decimals=1),
            ).sized(6, 5),
            graph(
                say("各区最大雨强", "Heaviest rain by district"),
                [Series(scene.of_districts(rain))],
                Look("mm/h", plain(), decimals=1, low=0),
                label="district",
            ),
            graph(
                say("每日洒水时长", "Hours of sprinkling by day"),
                [
                    Series(
                        records.tasks_daily(timezone, "", "work_duration_s", "sum", SPRINKLE, per=HOUR_S),
                        say("洒水", "sprinkling"),
                        ACCENT,
                    )
                ],
                Look("h", plain(), decimals=1),
                bars=True,
            ),
            task_list(scene, operation=SPRINKLE),
        ],
        [tenant("waterlogging", WORK)],
        hours=24 * 7,
    )


def _scope(scene: Scene) -> Panel:
    """What the page has no data for, said plainly."""
    return notice(
        scene.say("本页数据范围", "What this page can show"),
        scene.say(
            "**目前没有园林设备类型**：没有土壤湿度、灌溉阀门、古树名木等数据，本页不编造数据。"
            "下面只有与绿化有关的两项实测：内涝点的雨强，洒水作业的判定结果。",
            "**There is no device kind for landscaping yet**: no soil moisture, valves or trees, and nothing "
            "is made up here. Below are the two measured things that bear on green areas: rain at the flood "
            "points, and sprinkling as it was judged.",
        ),
        height=3,
    )
