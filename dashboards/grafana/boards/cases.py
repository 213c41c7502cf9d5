"""Law enforcement and cases: alerts are the first form of a case, from raised to resolved."""

from dashboards.grafana import records
from dashboards.grafana.board import Board
from dashboards.grafana.boards.shared import (
    alert_list,
    alerts_over_time,
    district,
    open_by_severity,
    tenant,
)
from dashboards.grafana.colours import ACCENT, WARNING, plain
from dashboards.grafana.flux import PLACE, Query, said
from dashboards.grafana.names import ALERT
from dashboards.grafana.panels import Look, Series, graph, ranking, stat
from dashboards.grafana.scene import Scene
from dashboards.grafana.words import Words, severity_words, status_words


def board(scene: Scene) -> Board:
    """Sixth page."""
    say = scene.say
    return Board(
        "cases",
        "执法与案件",
        "Law enforcement and cases",
        [
            *open_by_severity(scene),
            stat(say("未恢复告警", "Open alerts"), records.open_alerts(""), Look(empty="0")).sized(6, 4),
            stat(say("平均恢复用时", "Mean time to resolve"), records.resolved_in("mean"), Look("s", plain())).sized(
                6, 4
            ),
            alerts_over_time(scene),
            graph(
                say("恢复用时", "Time to resolve"),
                [
                    Series(records.resolving("mean"), say("平均", "mean"), ACCENT),
                    Series(records.resolving("max"), say("最长", "longest"), WARNING),
                ],
                Look("s", plain()),
            ),
            ranking(say("按状态", "By state"), _counts(scene, "status", status_words(scene)), Look(), "status").sized(
                6, 8
            ),
            ranking(
                say("按等级", "By severity"), _counts(scene, "severity", severity_words(scene)), Look(), "severity"
            ).sized(6, 8),
            ranking(say("按规则", "By rule"), records.alert_counts("rule", filters=PLACE), Look(), "rule").sized(6, 8),
            ranking(
                say("按区", "By district"),
                scene.of_districts(records.alert_counts("district", filters=PLACE)),
                Look(),
                "district",
            ).sized(6, 8),
            alert_list(scene, only_open=False),
        ],
        [tenant(ALERT), district(ALERT)],
        hours=24 * 7,
    )


def _counts(scene: Scene, by: str, words: Words) -> Query:
    """Alerts by severity or state, in words."""
    query = records.alert_counts(by, filters=PLACE)
    return said(query, by, {name: word for name, (word, _) in words.items()}, scene.say("未知", "unknown"))
