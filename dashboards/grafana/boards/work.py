"""Judged work as panels: what sanitation, landscaping and a vehicle's own board have of it."""

from dashboards.grafana import flux, records
from dashboards.grafana.boards.shared import DEVICE_LINK
from dashboards.grafana.colours import BAD, GOOD, GREY, plain, target_steps, trouble_steps
from dashboards.grafana.panels import Look, Panel, Series, column, graph, grid, ranking, stat
from dashboards.grafana.scene import Scene
from dashboards.grafana.words import evidence_words, operation_words, reason_words, verdict_words

HOUR_S = 3600.0
COVERAGE = Look("%", target_steps(warning=85, good=95), decimals=1, low=0, high=100)


def verdicts(scene: Scene) -> list[Panel]:
    """A tile each: how many tasks met their plan, did not, could not be judged."""
    colours = {"met": GOOD, "not_met": BAD, "not_judged": GREY}
    return [
        stat(
            scene.say(f"{said}任务", f"Tasks {said}"),
            records.tasks(status),
            Look(steps=[*plain(GREY), {"color": colours[status], "value": 1}], empty="0"),
        ).sized(3, 4)
        for status, (said, _) in verdict_words(scene).items()
    ]


def met_daily(scene: Scene) -> Panel:
    """Share of tasks that met their plan."""
    series = Series(records.tasks_daily(scene.material.timezone), scene.say("达标率", "met"), GOOD)
    look = Look("share", plain(), low=0, high=1)
    return graph(scene.say("每日达标率", "Tasks that met their plan, by day"), [series], look, bars=True)


def coverage_daily(scene: Scene) -> Panel:
    """Mean coverage, a line each operation."""
    query = _by_operation(scene, records.tasks_daily(scene.material.timezone, "operation", "coverage_pct"))
    title = scene.say("每日平均覆盖率（按作业）", "Mean coverage by day and operation")
    return graph(title, [Series(query)], Look("%", plain(), low=0, high=100), label="operation")


def hours_daily(scene: Scene) -> Panel:
    """Hours of work, stacked by operation."""
    query = records.tasks_daily(scene.material.timezone, "operation", "work_duration_s", "sum", per=HOUR_S)
    title = scene.say("每日作业时长", "Hours of work by day")
    series = Series(_by_operation(scene, query))
    return graph(title, [series], Look("h", plain(), decimals=1), bars=True, label="operation")


def missed_daily(scene: Scene) -> Panel:
    """Metres of planned road that nobody worked on."""
    query = records.tasks_daily(scene.material.timezone, "", "missed_m", "sum")
    series = Series(query, scene.say("漏作业", "missed"), BAD)
    return graph(scene.say("每日漏作业长度", "Missed road by day"), [series], Look("m", plain(), decimals=0), bars=True)


def rankings(scene: Scene) -> list[Panel]:
    """Who does well and who does not: contractors, vehicles by coverage and by empty running."""
    met = Look("share", target_steps(warning=0.85, good=0.95), decimals=1, low=0, high=1)
    empty = Look("%", trouble_steps(warning=30, bad=50), decimals=1, low=0, high=100)
    return [
        ranking(
            scene.say("达标率：作业单位", "Tasks met, by contractor"),
            records.tasks_by("met", "mean", "owner"), met, "owner",
        ),
        ranking(
            scene.say("平均覆盖率最低的车辆", "Vehicles with the lowest coverage"),
            records.tasks_by("coverage_pct", "mean", "device"), COVERAGE, "device",
        ),
        ranking(
            scene.say("空驶率最高的车辆", "Vehicles that run empty most"),
            records.tasks_by("empty_running_pct", "mean", "device", highest=True), empty, "device",
        ),
    ]  # fmt: skip


def task_list(scene: Scene, filters: flux.Filters = flux.TENANT, operation: str = "") -> Panel:
    """Judged tasks with their figures; a vehicle leads to its own board."""
    say = scene.say
    drill = (say("查看车辆", "Show vehicle"), scene.link("vehicle", device=DEVICE_LINK))
    operations = {name: (said, "") for name, said in operation_words(scene).items()}
    columns = [
        ("_time", column(say("时段结束", "Window's end"), Look("time"), width=130)),
        ("task", column(say("任务", "Task"), width=150)),
        ("device", column(say("车辆", "Vehicle"), link=drill, width=80)),
        ("owner", column(say("作业单位", "Contractor"))),
        ("operation", column(say("作业", "Operation"), Look(words=operations), width=90)),
        ("status", column(say("结论", "Verdict"), Look(words=verdict_words(scene)), width=100)),
        ("coverage_pct", column(say("覆盖率", "Coverage"), COVERAGE, width=90)),
        ("work_duration_s", column(say("作业时长", "Worked"), Look("s"), width=100)),
        ("passes", column(say("遍数", "Passes"), Look(decimals=0), width=75)),
        ("missed_m", column(say("漏作业", "Missed"), Look("m", decimals=0), width=90)),
        ("overspeed_s", column(say("超速时长", "Too fast"), Look("s"), width=100)),
        ("empty_running_pct", column(say("空驶率", "Empty"), Look("%", decimals=0), width=80)),
        ("evidence", column(say("依据", "Evidence"), Look(words=evidence_words(scene)), width=100)),
        ("reasons", column(say("原因", "Reasons"))),
    ]
    return grid(say("作业任务", "Tasks"), records.task_table(reason_words(scene), filters, operation), columns)


def _by_operation(scene: Scene, query: flux.Query) -> flux.Query:
    return flux.said(query, "operation", operation_words(scene), scene.say("其他", "other"))
