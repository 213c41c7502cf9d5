"""Panels and choices that several boards have."""

from collections.abc import Sequence

from dashboards.grafana import flux, records
from dashboards.grafana.board import Variable
from dashboards.grafana.colours import GREY, plain, target_steps
from dashboards.grafana.names import ALERT, DEVICE, WORK
from dashboards.grafana.panels import Json, Look, Panel, Series, column, graph, grid, stat
from dashboards.grafana.scene import Scene
from dashboards.grafana.words import severity_words, status_words

DEVICE_LINK = "${__data.fields.device}"


def tenant(*measurements: str) -> Variable:
    return Variable("tenant", "租户", "Tenant", measurements or (DEVICE, ALERT, WORK))


def district(*measurements: str) -> Variable:
    return Variable("district", "区", "District", measurements)


def open_by_severity(scene: Scene, kinds: Sequence[str] = (), rules: str = "") -> list[Panel]:
    """A tile for each severity, the worst first: how many alerts are open."""
    tiles = []
    for word, (said, colour) in severity_words(scene).items():
        look = Look(steps=[*plain(GREY), {"color": colour, "value": 1}], empty="0")
        query = records.open_alerts(word, kinds=kinds, rules=rules)
        tiles.append(stat(scene.say(f"{said}告警", f"Open, {said}"), query, look, scene.link("cases")).sized(3, 4))
    return tiles


def reporting(scene: Scene, kind: str) -> Panel:
    """How many devices of a kind have sent something lately."""
    found = scene.kind(kind)
    query = flux.how_many(kind, "received_ms", scene.since(kind))
    title = scene.say(f"在线{found.zh}", "Vehicles online" if kind == "vehicle" else f"{found.en}s online")
    return stat(title, query, Look(empty="0")).sized(4, 4)


def lit_share(scene: Scene, filters: flux.Filters = flux.TENANT) -> Panel:
    """Share of lamps that are lit, of those that report and are told to be: the lighting rate of this moment."""
    query = lighting_rate(scene.since("streetlight"), filters)
    look = Look("share", target_steps(warning=0.96, good=0.98), decimals=1, low=0, high=1)
    return stat(scene.say("亮灯率（应亮）", "Lighting rate"), query, look, scene.link("lights")).sized(4, 4)


def lighting_rate(since: str, filters: flux.Filters) -> flux.Query:
    """Lit lamps over lamps commanded on; lamps that are silent are in neither."""
    fields = ("on", "commanded_on")
    body = (
        f"{flux.now('streetlight', fields, since, filters)}{flux.BY_FIELD}"
        '  |> pivot(rowKey: ["tenant", "device"], columnKey: ["_field"], valueColumn: "_value")\n'
        "  |> filter(fn: (r) => r.commanded_on)\n"
        '  |> rename(columns: {on: "_value"})\n  |> toFloat()\n  |> mean()\n  |> keep(columns: ["_value"])'
    )
    return flux.Query(body, "streetlight", fields)


def met_share(scene: Scene) -> Panel:
    """Share of judged tasks in the range that met every demand."""
    look = Look("share", target_steps(warning=0.85, good=0.95), decimals=1, low=0, high=1)
    query = records.tasks_folded("met", "mean")
    return stat(scene.say("作业达标率", "Work that met its plan"), query, look, scene.link("sanitation")).sized(4, 4)


def extreme(scene: Scene, kind: str, field: str, fold: str, zh: str, en: str, board: str) -> Panel:
    """The highest (lowest) newest value of all devices of a kind."""
    query = flux.one_number(kind, field, scene.since(kind), fold)
    return stat(scene.say(zh, en), query, scene.look(kind, field), scene.link(board)).sized(4, 4)


def alert_list(
    scene: Scene, *, only_open: bool, kinds: Sequence[str] = (), rules: str = "", title: tuple[str, str] = ("", "")
) -> Panel:
    """A table of alerts with their state."""
    if not title[0]:
        title = ("未恢复的告警", "Open alerts") if only_open else ("告警记录", "Alerts")
    query = records.alert_table(scene.summary, only_open=only_open, kinds=kinds, rules=rules)
    columns = [
        ("_time", column(scene.say("时间", "Raised"), Look("time"), width=130)),
        ("severity", column(scene.say("等级", "Severity"), Look(words=severity_words(scene)), width=90)),
        ("status", column(scene.say("状态", "Status"), Look(words=status_words(scene)), width=110)),
        (scene.summary, column(scene.say("内容", "What"))),
        ("device", column(scene.say("对象", "Subject"), width=130)),
        district_column(scene),
        ("rule", column(scene.say("规则", "Rule"), width=170)),
        ("value", column(scene.say("数值", "Value"), Look(decimals=1), width=80)),
        ("duration_s", column(scene.say("持续", "Lasted"), Look("s"), width=100)),
        ("acknowledged_by", column(scene.say("确认人", "Taken by"), width=110)),
    ]
    return grid(scene.say(*title), query, columns)


def district_column(scene: Scene) -> tuple[str, Json]:
    """The column of a table with the district, in the reader's language."""
    return "district", column(scene.say("区", "District"), Look(words=scene.district_words), width=100)


def seen_column(scene: Scene) -> tuple[str, Json]:
    """The column with the time a device was heard of last."""
    return "_time", column(scene.say("最近上报", "Last seen"), Look("time"), width=130)


def alerts_over_time(scene: Scene, kinds: Sequence[str] = (), rules: str = "") -> Panel:
    """Alerts raised per window, stacked by severity."""
    series = [
        Series(records.alerts_raised(word, kinds=kinds, rules=rules), said, colour)
        for word, (said, colour) in reversed(severity_words(scene).items())
    ]
    return graph(scene.say("新增告警", "Alerts raised"), series, Look(), bars=True)
