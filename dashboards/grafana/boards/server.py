"""Health of the server itself: does it keep up, does it lose anything, what did it refuse."""

from dashboards.grafana import records
from dashboards.grafana.board import Board
from dashboards.grafana.colours import ACCENT, BAD, GOOD, GREY, WARNING, plain, trouble_steps
from dashboards.grafana.panels import Look, Panel, Series, flags, graph, stat, timeline
from dashboards.grafana.scene import Scene

LAG_MS = 30_000
"""Rules that lag this far behind the wire are no longer live, says the server's own health."""

LAG = Look("ms", trouble_steps(warning=5000, bad=LAG_MS), decimals=0, low=0)
WAITS = Look(steps=trouble_steps(warning=10_000, bad=100_000), decimals=0)
REFUSED = Look(steps=trouble_steps(warning=1, bad=1000), decimals=0)


def board(scene: Scene) -> Board:
    """From measurement `ingest`, which the server writes about itself."""
    return Board("server", "平台运行状态", "Server health", [*_tiles(scene), *_graphs(scene)], hours=6)


def _tiles(scene: Scene) -> list[Panel]:
    say = scene.say
    figures = (
        ("每秒消息", "Messages per second", "messages_per_s", Look("/s", decimals=1)),
        ("规则滞后", "Rules behind", "ingest_lag_ms", LAG),
        ("待入库", "Waiting for the store", "backlog_store", WAITS),
        ("待判定", "Waiting for the rules", "backlog_rules", WAITS),
        ("死信", "Dead letters", "dead_letters", REFUSED),
        ("登记设备", "Devices", "devices", Look(decimals=0)),
        ("未恢复告警", "Open alerts", "open_alerts", Look(decimals=0)),
    )
    return [
        stat(say("状态", "State"), records.server_well(), _well(scene)).sized(3, 4),
        *(stat(say(zh, en), records.server_now(name), look).sized(3, 4) for zh, en, name, look in figures),
    ]


def _graphs(scene: Scene) -> list[Panel]:
    say = scene.say
    rate = Series(records.server_course("messages_per_s", "mean"), say("消息", "messages"), ACCENT)
    lag = Series(records.server_course("ingest_lag_ms"), say("规则", "rules"), WARNING)
    waiting = [
        Series(records.server_course("backlog_store"), say("入库", "store"), ACCENT),
        Series(records.server_course("backlog_rules"), say("规则", "rules"), WARNING),
    ]
    grown = [
        Series(records.server_growth("messages"), say("收到的消息", "messages received"), ACCENT),
        Series(records.server_growth("stored"), say("入库的读数", "readings stored"), GOOD),
    ]
    refused = Series(records.server_growth("dead_letters"), say("死信", "dead letters"), BAD)
    states = Series(records.server_states(), say("平台", "server"))
    return [
        graph(say("每秒消息", "Messages per second"), [rate], Look("/s", plain(), low=0)),
        graph(say("规则滞后", "Rules behind"), [lag], LAG),
        graph(say("日志积压", "Waiting in the log"), waiting, Look(low=0)),
        graph(say("收到与入库", "Received and stored"), grown, Look(low=0)),
        graph(say("新增死信", "New dead letters"), [refused], Look(), bars=True),
        timeline(say("运行状态", "State over time"), [states], _well(scene)).sized(12, 8),
    ]


def _well(scene: Scene) -> Look:
    silent = {records.SILENT: (scene.say("无消息", "not running"), GREY)}
    return Look(words=flags(scene.say("正常", "well"), scene.say("异常", "trouble"), GOOD, BAD) | silent)
