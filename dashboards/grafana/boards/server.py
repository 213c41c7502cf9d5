"""Health of the server itself: does it keep up, does it lose anything, what did it refuse."""

from dashboards.grafana import records
from dashboards.grafana.board import Board
from dashboards.grafana.colours import ACCENT, BAD, GOOD, WARNING, plain, trouble_steps
from dashboards.grafana.panels import Look, Series, flags, graph, stat, timeline
from dashboards.grafana.scene import Scene

LAG_MS = 30_000
"""Rules that lag this far behind the wire are no longer live, says the server's own health."""


def board(scene: Scene) -> Board:
    """From measurement `ingest`, which the server writes about itself."""
    say = scene.say
    well = Look(words=flags(say("正常", "well"), say("异常", "trouble"), GOOD, BAD))
    lag = Look("ms", trouble_steps(warning=5000, bad=LAG_MS), decimals=0)
    waits = Look(steps=trouble_steps(warning=10_000, bad=100_000), decimals=0)
    return Board(
        "server",
        "平台运行状态",
        "Server health",
        [
            stat(say("状态", "State"), records.server_well(), well).sized(3, 4),
            stat(
                say("每秒消息", "Messages per second"), records.server_now("messages_per_s"), Look("/s", decimals=1)
            ).sized(3, 4),
            stat(say("规则滞后", "Rules behind"), records.server_now("ingest_lag_ms"), lag).sized(3, 4),
            stat(say("待入库", "Waiting for the store"), records.server_now("backlog_store"), waits).sized(3, 4),
            stat(say("待判定", "Waiting for the rules"), records.server_now("backlog_rules"), waits).sized(3, 4),
            stat(
                say("死信", "Dead letters"),
                records.server_now("dead_letters"),
                Look(steps=trouble_steps(warning=1, bad=1000), decimals=0),
            ).sized(3, 4),
            stat(say("登记设备", "Devices"), records.server_now("devices"), Look(decimals=0)).sized(3, 4),
            stat(say("未恢复告警", "Open alerts"), records.server_now("open_alerts"), Look(decimals=0)).sized(3, 4),
            graph(
                say("每秒消息", "Messages per second"),
                [Series(records.server_course("messages_per_s", "mean"), say("消息", "messages"), ACCENT)],
                Look("/s", plain()),
            ),
            graph(
                say("滞后", "Lag"), [Series(records.server_course("ingest_lag_ms"), say("规则", "rules"), WARNING)], lag
            ),
            graph(
                say("积压", "Waiting in the log"),
                [
                    Series(records.server_course("backlog_store"), say("入库", "store"), ACCENT),
                    Series(records.server_course("backlog_rules"), say("规则", "rules"), WARNING),
                ],
                Look(decimals=0),
            ),
            graph(
                say("收到与入库", "Received and stored"),
                [
                    Series(records.server_growth("messages"), say("收到的消息", "messages received"), ACCENT),
                    Series(records.server_growth("stored"), say("入库的读数", "readings stored"), GOOD),
                ],
                Look(decimals=0),
                bars=True,
            ),
            graph(
                say("新增死信", "New dead letters"),
                [Series(records.server_growth("dead_letters"), say("死信", "dead letters"), BAD)],
                Look(decimals=0),
                bars=True,
            ),
            timeline(
                say("状态", "State over time"), [Series(records.server_states(), say("平台", "server"))], well
            ).sized(12, 8),
        ],
        hours=6,
    )
