"""The report as one self-contained page: inline style, script and drawings, nothing from any network."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files

from citywarden.model.ruling import title_in
from citywarden.model.work import MissedReason, Task, TaskReport, Verdict
from dashboards.report import words
from dashboards.report.contents import Contents
from dashboards.report.drawing import map_of, strip_of, timeline_of

_MOST_ROWS = 200
_SWITCH = (
    "document.querySelector('button').onclick=()=>{const b=document.body;"
    "b.dataset.language=b.dataset.language==='en'?'zh-CN':'en';document.documentElement.lang=b.dataset.language}"
)
_STATES: Sequence[tuple[str, words.Phrase]] = (
    ("working", ("作业中", "working")),
    ("driving", ("行驶（未作业）", "driving, not working")),
    ("idle", ("停留", "standing")),
    ("unknown", ("数据中断", "data gap")),
)


def page(contents: Contents, language: str) -> str:
    """The whole page as HTML, both languages in it, `language` shown first."""
    style = files("dashboards.report").joinpath("page.css").read_text("utf-8")
    body = "".join(
        [
            _head(contents),
            _tiles(contents),
            f"<h2>{_both('地图', 'Map')}</h2>{map_of(contents)}{_legend()}" if contents.tasks else "",
            _overview(contents),
            f"<h2>{_both('逐项任务', 'Task by task')}</h2>" if contents.tasks else "",
            *(_card(t, r, contents) for t, r in zip(contents.tasks, contents.reports, strict=True)),
            _alerts(contents),
            _rejected(contents),
        ]
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Citywarden - {escape(contents.title)}</title><style>{style}</style></head>"
        f'<body data-language="{language}">{body}<script>{_SWITCH}</script></body></html>'
    )


def _both(zh: str, en: str) -> str:
    return f'<span class="zh">{escape(zh)}</span><span class="en">{escape(en)}</span>'


def _phrase(phrase: words.Phrase) -> str:
    return _both(*phrase)


def _head(contents: Contents) -> str:
    starts = [task.start_ms for task in contents.tasks]
    ends = [task.end_ms for task in contents.tasks]
    when = f"{words.moment(min(starts), contents.zone)} - {words.moment(max(ends), contents.zone)}" if starts else ""
    return (
        f"<header><div><h1>{_both('环卫作业核查报告', 'Sanitation work report')}</h1>"
        f'<div class="soft">{escape(contents.title)} · {when} · {escape(str(contents.zone))}</div></div>'
        f"<button>{_both('English', '中文')}</button></header>"
    )


def _tiles(contents: Contents) -> str:
    reports = contents.reports
    met = sum(report.status is Verdict.MET for report in reports)
    planned, covered = sum(r.planned_m for r in reports), sum(r.covered_m for r in reports)
    driven, effective = sum(r.driven_m for r in reports), sum(r.effective_m for r in reports)
    empty = 100 * (driven - effective) / driven if driven else 0.0
    worked = sum(report.work_duration_s for report in reports)
    tiles = [
        (f"{met} / {len(reports)}", ("任务达标", "tasks met")),
        (f"{100 * covered / planned if planned else 0:.1f} %", ("覆盖率", "of planned road covered")),
        (f"{worked / 3600:.1f} h", ("作业时长", "worked")),
        (f"{empty:.0f} %", ("空驶率", "empty running")),
        (str(len(contents.alerts)), ("告警", "alerts")),
    ]
    return '<div class="tiles">' + "".join(
        f'<div class="tile"><b>{value}</b><span>{_phrase(label)}</span></div>' for value, label in tiles
    ) + "</div>"  # fmt: skip


def _legend() -> str:
    roads = [("covered", ("已作业", "covered")), *((r.value, words.MISSED[r]) for r in MissedReason)]
    items = [(name, phrase) for name, phrase in roads]
    items += [(name, phrase) for name, phrase in _STATES if name != "working"]
    return '<div class="legend">' + "".join(
        f'<span><i style="background:var(--{name})"></i>{_phrase(phrase)}</span>' for name, phrase in items
    ) + "</div>"  # fmt: skip


def _overview(contents: Contents) -> str:
    heads: Sequence[tuple[str, words.Phrase]] = (
        ("", ("任务", "Task")), ("", ("车辆", "Vehicle")), ("", ("时段", "Window")), ("", ("结论", "Result")),
        ("n", ("覆盖率", "Covered")), ("n", ("作业时长", "Worked")), ("n", ("遍数", "Passes")), ("", ("原因", "Why")),
    )  # fmt: skip
    rows = []
    for task, report in zip(contents.tasks, contents.reports, strict=True):
        rows.append(
            f"<tr><td>{escape(report.task)}</td><td>{escape(report.vehicle)}</td>"
            f"<td>{words.window(report, contents.zone)}</td><td>{_badge(report)}</td>"
            f'<td class="n">{report.coverage_pct:.1f} %</td><td class="n">{_minutes(report.work_duration_s)}</td>'
            f'<td class="n">{report.passes} / {task.passes}</td><td>{_reasons(report, task, "; ")}</td></tr>'
        )
    head = "".join(f'<th class="{css}">{_phrase(phrase)}</th>' for css, phrase in heads)
    return f"<h2>{_both('任务一览', 'Tasks')}</h2><table><tr>{head}</tr>{''.join(rows)}</table>"


def _badge(report: TaskReport) -> str:
    return f'<span class="badge {report.status.value}">{_phrase(words.STATUS[report.status])}</span>'


def _reasons(report: TaskReport, task: Task, joint: str) -> str:
    zh, en = (joint.join(words.reasons(report, task, language)) for language in words.LANGUAGES)
    return _both(zh, en)


def _minutes(seconds: float) -> str:
    return _both(words.minutes(seconds, "zh-CN"), words.minutes(seconds, "en"))


def _length(metres: float) -> str:
    return _both(words.length(metres, "zh-CN"), words.length(metres, "en"))


def _card(task: Task, report: TaskReport, contents: Contents) -> str:
    facts = [
        (("作业", "Work"), _phrase(words.OPERATION[report.operation])),
        (("依据", "Evidence"), _phrase(words.EVIDENCE[report.evidence])),
        (("计划", "Planned"), _length(report.planned_m)),
        (("已覆盖", "Covered"), _length(report.covered_m)),
        (("行驶", "Driven"), _length(report.driven_m)),
        (("空驶", "Empty"), f"{report.empty_running_pct:.0f} %"),
        (("作业中停顿", "Paused at work"), _minutes(report.idle_in_work_s)),
        (("数据中断", "Unknown"), _minutes(report.unknown_s)),
        (("超速作业", "Too fast"), _minutes(report.overspeed_s)),
    ]
    missed = "".join(
        f"<li>{run.from_m:.0f}-{run.to_m:.0f} m ({_length(run.length_m)}): {_phrase(words.MISSED[run.reason])}</li>"
        for run in (() if report.status is Verdict.NOT_JUDGED else report.missed)
    )
    notes = "".join(f"<p class='soft'>{_phrase(words.NOTES[n])}</p>" for n in report.notes if n in words.NOTES)
    timeline = timeline_of(report, contents.tracks.get(report.vehicle, ()), contents)
    why = f"<p><b>{_reasons(report, task, '; ')}</b></p>" if report.reasons else ""
    return (
        f'<section class="card"><header><h3>{escape(task.name)} · {escape(report.vehicle)}</h3>'
        f"{_badge(report)}</header>"
        f'<div class="soft">{escape(report.task)} · {words.window(report, contents.zone)}</div>{why}'
        '<div class="facts">'
        + "".join(f"<span>{_phrase(name)} <b>{value}</b></span>" for name, value in facts)
        + f"</div><p>{_both('路段（起点至终点）', 'The road, from start to end')}</p>{strip_of(report)}"
        + f"<p>{_both('时间线', 'Timeline')}</p>{timeline}"
        + (f"<ul>{missed}</ul>" if missed else "")
        + f"{notes}</section>"
    )


def _alerts(contents: Contents) -> str:
    if not contents.alerts:
        return ""
    rows = []
    for raised in contents.alerts[:_MOST_ROWS]:
        until = "" if raised.cleared_ms is None else words.clock(raised.cleared_ms, contents.zone)
        zh = raised.finding.summary.get("zh-CN", raised.finding.rule)
        en = raised.finding.summary.get("en", raised.finding.rule)
        rows.append(
            f"<tr><td>{words.moment(raised.finding.at_ms, contents.zone)}</td><td>{until}</td>"
            f"<td>{_rule(contents, raised.finding.rule)}</td><td>{_both(zh, en)}</td></tr>"
        )
    heads = "".join(f"<th>{_both(*p)}</th>" for p in (
        ("发生", "Raised"), ("解除", "Cleared"), ("规则", "Rule"), ("内容", "What")))  # fmt: skip
    return f"<h2>{_both('会产生的告警', 'Alerts')}</h2><table><tr>{heads}</tr>{''.join(rows)}</table>" + _more(
        len(contents.alerts)
    )


def _rule(contents: Contents, rule: str) -> str:
    """What a rule is called, and its id."""
    if rule not in contents.titles:
        return escape(rule)
    zh, en = (title_in(contents.titles, rule, language) for language in ("zh-CN", "en"))
    return f'{_both(zh, en)} <span class="soft">{escape(rule)}</span>'


def _rejected(contents: Contents) -> str:
    if not contents.rejected:
        return ""
    rows = "".join(
        f"<tr><td>{escape(row.file)}</td><td class='n'>{row.line}</td><td>{escape(row.reason)}</td></tr>"
        for row in contents.rejected[:_MOST_ROWS]
    )
    return f"<h2>{_both('无法使用的行', 'Rejected rows')}</h2><table>{rows}</table>{_more(len(contents.rejected))}"


def _more(count: int) -> str:
    rest = count - _MOST_ROWS
    return f"<p class='soft'>{_both(f'另有 {rest} 行', f'and {rest} more')}</p>" if rest > 0 else ""
