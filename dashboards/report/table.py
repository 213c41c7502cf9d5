"""The report for a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from citywarden.model.alert import Severity
from citywarden.model.wire import phrase
from citywarden.model.work import Verdict
from dashboards.report import words
from dashboards.report.contents import Contents

_COLOUR = {Verdict.MET: "green", Verdict.NOT_MET: "bold red", Verdict.NOT_JUDGED: "yellow", Verdict.OPEN: "cyan"}
_GRAVE = {Severity.CRITICAL: "bold red", Severity.MAJOR: "red", Severity.MINOR: "yellow", Severity.INFO: "cyan"}
_HEADS: Sequence[words.Phrase] = (
    ("任务", "Task"),
    ("车辆", "Vehicle"),
    ("作业", "Work"),
    ("时段", "Window"),
    ("结论", "Result"),
    ("覆盖", "Covered"),
    ("作业时长", "Worked"),
    ("遍数", "Passes"),
    ("空驶", "Empty"),
    ("依据", "Evidence"),
    ("原因", "Why"),
)
_MOST_ROWS = 20


def print_report(contents: Contents, language: str, console: Console) -> None:
    """Tasks, missed stretches, alerts and rejected rows, for a supervisor to read."""

    def say(zh: str, en: str) -> str:
        return words.say((zh, en), language)

    table = Table(title=contents.title, title_justify="left", header_style="bold")
    for head in _HEADS:
        table.add_column(words.say(head, language), overflow="fold")
    for task, report in zip(contents.tasks, contents.reports, strict=True):
        colour = _COLOUR[report.status]
        table.add_row(
            report.task,
            report.vehicle,
            words.say(words.OPERATION[report.operation], language),
            words.window(report, contents.zone),
            f"[{colour}]{words.say(words.STATUS[report.status], language)}[/]",
            f"{report.coverage_pct:.1f} % ({report.covered_m:.0f}/{words.length(report.planned_m, language)})",
            words.minutes(report.work_duration_s, language),
            str(report.passes),
            f"{report.empty_running_pct:.0f} %",
            words.say(words.EVIDENCE[report.evidence], language),
            "\n".join(words.reasons(report, task, language)),
        )
    console.print(table)
    missed = [(report.task, run) for report in contents.reports for run in report.missed]
    if missed:
        console.print(f"\n[bold]{say('未作业路段', 'Missed stretches')}[/]")
        for name, run in missed:
            where = f"{run.from_m:.0f}-{run.to_m:.0f} m ({words.length(run.length_m, language)})"
            console.print(f"  {name}: {where}  {words.say(words.MISSED[run.reason], language)}", highlight=False)
    if contents.alerts:
        console.print(f"\n[bold]{say('会产生的告警', 'Alerts that would have been raised')}[/]")
    for raised in contents.alerts:
        until = "" if raised.cleared_ms is None else words.clock(raised.cleared_ms, contents.zone)
        colour = _GRAVE[raised.finding.severity or Severity.INFO]
        text = phrase(raised.finding.summary, language) or raised.finding.rule
        when = f"{words.moment(raised.finding.at_ms, contents.zone)}-{until}"
        console.print(f"  [{colour}]{raised.finding.rule:<24}[/] {when}  {text}", highlight=False)
    if contents.rejected:
        console.print(f"\n[bold]{say('无法使用的行', 'Rejected rows')}[/] ({len(contents.rejected)})")
    for row in contents.rejected[:_MOST_ROWS]:
        console.print(f"  {row.file}:{row.line}: {row.reason}", highlight=False, markup=False)
    if len(contents.rejected) > _MOST_ROWS:
        more = len(contents.rejected) - _MOST_ROWS
        console.print(f"  {say(f'另有 {more} 行', f'and {more} more')}")
    notes = sorted({note for report in contents.reports for note in report.notes})
    if notes:
        console.print("\n" + "；".join(words.say(words.NOTES[n], language) for n in notes if n in words.NOTES))
