"""Environment and sanitation: where the vehicles are, and whether the work was really done."""

from dashboards.grafana import flux, records
from dashboards.grafana.board import Board, Variable
from dashboards.grafana.boards.shared import DEVICE_LINK, alert_list, met_share, reporting, tenant, verdict_words
from dashboards.grafana.colours import ACCENT, BAD, GOOD, GREY, plain, target_steps, trouble_steps
from dashboards.grafana.maps import Layer, city_map
from dashboards.grafana.names import WORK
from dashboards.grafana.panels import Look, Panel, Series, column, flags, graph, grid, ranking, stat
from dashboards.grafana.scene import Scene

WORK_RULES = "^(route|work|vehicle)[.]"


def board(scene: Scene) -> Board:
    """Third page."""
    say, hdr = scene.say, scene.since("vehicle")
    at_work = flags(say("作业", "working"), say("未作业", "not working"), GOOD, GREY)
    vehicles = Layer(
        say("车辆", "Vehicles"),
        flux.moving(("speed_kmh", "heading_deg", "brush", "pump", "lift"), hdr, flux.TENANT),
        "brush",
        say("扫刷", "Brush"),
        Look(words=at_work),
        size=8,
        text="device",
        link=(say("查看车辆", "Show vehicle"), scene.link("vehicle", device=DEVICE_LINK)),
    )
    return Board(
        "sanitation",
        "环境卫生",
        "Environment and sanitation",
        [
            reporting(scene, "vehicle").sized(3, 4),
            *(_equipment(scene, field).sized(3, 4) for field in ("brush", "pump", "lift")),
            *(_verdicts(scene)),
            met_share(scene).sized(3, 4),
            city_map(say("车辆位置", "Where the vehicles are"), [vehicles], scene.material.view).sized(12, 16),
            graph(
                say("每日达标率", "Share of tasks that met their plan, by day"),
                [Series(records.tasks_daily(scene.material.timezone), say("达标率", "met"), GOOD)],
                Look("share", plain(), low=0, high=1),
                bars=True,
            ),
            graph(
                say("每日平均覆盖率（按作业）", "Mean coverage by day and operation"),
                [Series(records.tasks_daily(scene.material.timezone, "operation", "coverage_pct"))],
                Look("%", plain(), low=0, high=100),
                label="operation",
            ),
            ranking(
                say("达标率：作业单位", "Met, by contractor"),
                records.tasks_by("met", "mean", "owner"),
                Look("share", target_steps(warning=0.85, good=0.95), low=0, high=1),
                "owner",
            ),
            ranking(
                say("平均覆盖率：车辆", "Coverage, by vehicle"),
                records.tasks_by("coverage_pct", "mean", "device"),
                Look("%", target_steps(warning=85, good=95), low=0, high=100),
                "device",
            ),
            ranking(
                say("空驶率：车辆", "Empty running, by vehicle"),
                records.tasks_by("empty_running_pct", "mean", "device"),
                Look("%", trouble_steps(warning=30, bad=50), low=0, high=100),
                "device",
            ),
            graph(
                say("每日作业时长", "Hours of work by day"),
                [Series(records.tasks_daily(scene.material.timezone, "operation", "work_duration_s", "sum"))],
                Look("s", plain()),
                bars=True,
                label="operation",
            ),
            graph(
                say("每日漏扫长度", "Missed road by day"),
                [
                    Series(
                        records.tasks_daily(scene.material.timezone, "", "missed_m", "sum"), say("漏扫", "missed"), BAD
                    )
                ],
                Look("m", plain()),
                bars=True,
            ),
            task_list(scene),
            alert_list(scene, only_open=True, rules=WORK_RULES),
        ],
        [tenant("vehicle", WORK)],
        hours=24 * 7,
    )


def _equipment(scene: Scene, field: str) -> Panel:
    query = flux.how_many("vehicle", field, scene.since("vehicle"), "r._value")
    return stat(
        scene.say(f"{scene.label('vehicle', field)}开启", f"{scene.label('vehicle', field)} on"), query, Look(empty="0")
    )


def _verdicts(scene: Scene) -> list[Panel]:
    colours = {"met": GOOD, "not_met": BAD, "not_judged": GREY}
    return [
        stat(
            scene.say(f"{said}任务", f"Tasks {said}"),
            records.tasks(status),
            Look(steps=plain(colours[status]), empty="0"),
        ).sized(3, 4)
        for status, (said, _) in verdict_words(scene).items()
    ]


def task_list(scene: Scene, filters: flux.Filters = flux.TENANT, operation: str = "") -> Panel:
    """Judged tasks with their figures; a vehicle leads to its own board."""
    say = scene.say
    drill = (say("查看车辆", "Show vehicle"), scene.link("vehicle", device=DEVICE_LINK))
    coverage = Look("%", target_steps(warning=85, good=95), decimals=1)
    columns = [
        ("_time", column(say("时段结束", "Window's end"), width=170)),
        ("task", column(say("任务", "Task"))),
        ("device", column(say("车辆", "Vehicle"), link=drill)),
        ("owner", column(say("作业单位", "Contractor"))),
        ("operation", column(say("作业", "Operation"), Look(words=operation_words(scene)))),
        ("status", column(say("结论", "Verdict"), Look(words=verdict_words(scene)))),
        ("coverage_pct", column(say("覆盖率", "Coverage"), coverage)),
        ("work_duration_s", column(say("作业时长", "Work"), Look("s"))),
        ("passes", column(say("遍数", "Passes"), Look(decimals=0))),
        ("missed_m", column(say("漏扫", "Missed"), Look("m", decimals=0))),
        ("overspeed_s", column(say("超速", "Overspeed"), Look("s"))),
        ("empty_running_pct", column(say("空驶率", "Empty running"), Look("%", decimals=0))),
        ("reasons", column(say("原因", "Reasons"))),
        ("evidence", column(say("依据", "Evidence"))),
    ]
    return grid(say("作业任务", "Tasks"), records.task_table(filters, operation), columns)


def operation_words(scene: Scene) -> dict[str, tuple[str, str]]:
    """The plan's operations in the reader's language."""
    said = {
        "sweep": scene.say("清扫", "sweep"),
        "wash": scene.say("冲洗", "wash"),
        "sprinkle": scene.say("洒水", "sprinkle"),
        "collect": scene.say("收运", "collect"),
    }
    return {operation: (text, ACCENT) for operation, text in said.items()}


def vehicle_choice() -> Variable:
    """Exactly one vehicle."""
    return Variable("device", "车辆", "Vehicle", ("vehicle",), every=False)
