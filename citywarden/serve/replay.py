"""Judging a recording with the rules of the live server, whole and at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from citywarden.columns import Columns
from citywarden.model.alert import Finding
from citywarden.model.kind import Kind
from citywarden.model.ruling import titles_of
from citywarden.model.work import Task
from dashboards.report.contents import Contents, Raised, RejectedRow
from fleet.plan import Plan
from fleet.tracks import Track
from rules import thresholds, work
from rules.rulebook import RuleBook
from rules.vehicleday import track as vehicle_track
from rules.workrules import work_cards
from rules.worksettings import WorkSettings

_OFFLINE = "vehicle.offline"


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What to judge: a recording against a plan, and the rule file's rules (None: only those of work)."""

    title: str
    track: Track
    plan: Plan
    kind: Kind
    zone: ZoneInfo
    crs: str = "wgs84"
    rules: RuleBook | None = None
    settings: WorkSettings | None = None


def judge_recording(request: Request) -> Contents:
    """Reports of all tasks of the recording's time and the alerts it would have raised."""
    columns = request.track.columns(request.kind, "", request.crs)
    tasks = tasks_of(request)
    settings = replace(request.settings or WorkSettings(), timezone=request.zone)
    ends = [int(columns.ts_ms.max())] if len(columns) else []
    last_ms = max(ends, default=0)
    state = work.start(tasks, request.plan.zones, replace(settings, retention_s=1e10), 0)
    state = work.step(state, columns, last_ms).state
    closed_ms = max([last_ms, *(task.end_ms + round(settings.grace_s * 1000) + 60_000 for task in tasks)])
    state = work.step(state, None, closed_ms).state
    raised = [
        Raised(episode.finding, episode.finding.subject.split("/")[0], episode.task, episode.cleared_ms)
        for episode in state.alerts
        if not (episode.finding.rule == _OFFLINE and episode.cleared_ms is None and episode.finding.at_ms > last_ms)
    ]
    if request.rules is not None:
        raised.extend(_by_rule_file(request.rules, request, columns, last_ms))
    titles = {rule.id: rule.title for rule in (request.rules.rules if request.rules else ()) if rule.title}
    vehicles = dict.fromkeys([*(task.vehicle for task in tasks), *request.track.devices])
    return Contents(
        title=request.title,
        zone=request.zone,
        tasks=tasks,
        reports=work.reports(state, closed_ms),
        zones=request.plan.zones,
        alerts=sorted(raised, key=lambda one: (one.finding.at_ms, one.finding.rule, one.vehicle)),
        rejected=[RejectedRow(row.file, row.line, row.reason) for row in request.track.rejected],
        tracks={name: vehicle_track(state, name, 0, closed_ms + 1) for name in vehicles},
        titles=titles_of(work_cards(settings)) | titles,
    )


def tasks_of(request: Request) -> Sequence[Task]:
    """Tasks to judge, by start: those of their own date on a day of the recording, whoever should do them, and daily
    ones whose window the recording touches, of the vehicles that are in it.
    """
    ts_ms = request.track.ts_ms
    if not len(ts_ms):
        return request.plan.fixed
    first_ms, last_ms = int(ts_ms.min()), int(ts_ms.max())
    spanned = request.plan.tasks_between(first_ms, last_ms + 1)
    recorded = set(request.track.devices)
    dated = {task.id for task in request.plan.fixed}
    days = {_day(first_ms, request.zone), _day(last_ms, request.zone), *(task.day for task in spanned)}
    same_days = [task for task in request.plan.fixed if task.day in days]
    every = {task.id: task for task in (*same_days, *spanned) if task.vehicle in recorded or task.id in dated}
    return sorted(every.values(), key=lambda task: (task.start_ms, task.id))


def _day(at_ms: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).date()


def _by_rule_file(book: RuleBook, request: Request, columns: Columns, last_ms: int) -> list[Raised]:
    """Alerts of the rule file's rules for vehicles, each from its first level to its end."""
    first_ms = int(columns.ts_ms.min()) if len(columns) else 0
    state = thresholds.start(book, {request.kind.name: request.kind}, request.zone, first_ms)
    _, findings = thresholds.step(state, columns, last_ms)
    raised: list[Raised] = []
    open_: dict[tuple[str, str, str], Finding] = {}
    for finding in findings:
        if finding.severity is None:
            if (begun := open_.pop(finding.key, None)) is not None:
                raised.append(Raised(begun, begun.subject, "", finding.at_ms))
        elif not finding.pending:
            begun = open_.setdefault(finding.key, finding)
            if begun.severity is not None and finding.severity > begun.severity:
                open_[finding.key] = replace(begun, severity=finding.severity, summary=finding.summary)
    raised.extend(Raised(begun, begun.subject, "", None) for begun in open_.values())
    return raised
