"""Law enforcement and cases: what is being worked off and in what time, and the alerts that cases come of."""

from dashboards.grafana import casework, records
from dashboards.grafana.board import Board
from dashboards.grafana.boards.shared import (
    alert_list,
    alerts_over_time,
    district,
    district_column,
    open_by_severity,
    tenant,
)
from dashboards.grafana.colours import ACCENT, BAD, GREY, WARNING, plain, target_steps, trouble_steps
from dashboards.grafana.flux import PLACE, Query, said
from dashboards.grafana.names import ALERT
from dashboards.grafana.panels import Look, Panel, Series, column, flags, graph, grid, ranking, stat
from dashboards.grafana.scene import Scene
from dashboards.grafana.words import Words, severity_words, stage_words, status_words


def board(scene: Scene) -> Board:
    """Sixth page."""
    say = scene.say
    return Board(
        "cases",
        "执法与案件",
        "Law enforcement and cases",
        [
            *_cases(scene),
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


def _cases(scene: Scene) -> list[Panel]:
    """The city's cases: how many, how late, how far."""
    say = scene.say
    late = Look(steps=trouble_steps(warning=1, bad=5), empty="0")
    share = Look("share", target_steps(warning=0.85, good=0.95), decimals=1, low=0, high=1)
    return [
        stat(say("在办案件", "Open cases"), casework.cases_that("r.open", ("open",)), Look(empty="0")).sized(6, 4),
        stat(say("超期案件", "Overdue cases"), casework.cases_that("r.overdue", ("overdue",)), late).sized(6, 4),
        stat(say("临期案件", "Cases near their deadline"), casework.cases_that("r.near", ("near",)), late).sized(6, 4),
        stat(say("按期结案率", "Closed in time"), casework.in_time(), share).sized(6, 4),
        ranking(say("案件阶段", "Cases by stage"), casework.by_stage(stage_words(scene)), Look(), "stage").sized(6, 9),
        _case_list(scene).sized(18, 9),
    ]


def _case_list(scene: Scene) -> Panel:
    say = scene.say
    stages = {name: (word, "") for name, word in stage_words(scene).items()}
    none = {"0": ("-", "")}
    late = flags(say("超期", "overdue"), say("否", "no"), BAD, GREY)
    columns = [
        ("_time", column(say("上报时间", "Reported"), Look("time"), width=130)),
        ("number", column(say("案件号", "Number"), width=130)),
        ("title", column(say("案由", "What"))),
        ("stage", column(say("阶段", "Stage"), Look(words=stages), width=130)),
        district_column(scene),
        ("unit", column(say("处置单位", "Unit"), width=140)),
        ("overdue", column(say("超期", "Overdue"), Look(words=late), width=80)),
        ("running_due_ms", column(say("本环节时限", "Due"), Look("time", words=none), width=130)),
        ("duration_s", column(say("办理用时", "Took"), Look("s", words=none), width=110)),
    ]
    return grid(say("案件", "Cases"), casework.case_table(), columns)


def _counts(scene: Scene, by: str, words: Words) -> Query:
    """Alerts by severity or state, in words."""
    query = records.alert_counts(by, filters=PLACE)
    return said(query, by, {name: word for name, (word, _) in words.items()}, scene.say("未知", "unknown"))
