"""Cases out of alerts: which alerts open one by themselves, what it says, and the alert of a case that is overdue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from citywarden.cases.timetable import Timetable
from citywarden.model.alert import CASE_KIND, Alert, Finding, Reason, Severity, Status
from citywarden.model.case import Case, Report, Source
from citywarden.model.casetime import Phase

OVERDUE = "case.overdue"
"""The rule of alerts about overdue cases."""

REPORTER = "citywarden"
"""Who reports a case that nobody opened by hand."""

PHASES: Mapping[Phase, tuple[str, str]] = {
    Phase.INTAKE: ("受理立案", "intake"),
    Phase.DISPATCH: ("派遣", "dispatch"),
    Phase.HANDLE: ("处置", "handling"),
    Phase.CHECK: ("核查结案", "check"),
    Phase.WHOLE: ("结案", "closing"),
}


@dataclass(frozen=True, slots=True)
class Openings:
    """Alerts whose rule fits one of the patterns and that are severe enough open a case."""

    patterns: Sequence[str] = ()
    severity: Severity = Severity.MAJOR

    def fits(self, alert: Alert) -> bool:
        """Not those nobody is told of: late news, silenced, inhibited or flapping ones, and those about cases."""
        told = alert.open and alert.status is not Status.PENDING and not alert.stale and not alert.hold
        severe = alert.severity >= self.severity and alert.kind != CASE_KIND
        return told and severe and any(fnmatchcase(alert.rule, pattern) for pattern in self.patterns)


def report_of(alert: Alert, place: str, table: Timetable, by: str = REPORTER) -> Report:
    """The report of an alert. `place`: the name of the thing it is about, maybe `中文 / English`; each language
    gets its half.
    """
    category = table.category_of(alert.rule)
    halves = place.split(" / ") if place.count(" / ") == 1 else [place, place]
    zh, en = (alert.summary.get(language, "").replace(place, half) if place else alert.summary.get(language, "")
              for language, half in zip(("zh-CN", "en"), halves, strict=True))  # fmt: skip
    title = " / ".join(filter(None, (zh, en))) or alert.rule
    return Report(
        alert.tenant, category.id, title, Source.ALERT, by, "", place or alert.subject, alert.district,
        alert.lat, alert.lon, alert.id, (alert.kind, alert.subject),
    )  # fmt: skip


def overdue_finding(case: Case, table: Timetable, now_ms: int) -> Finding:
    """That a case's running deadline has passed."""
    category = table.category(case.category)
    phase = case.deadline.phase if case.deadline else Phase.WHOLE
    zh, en = PHASES[phase]
    unit_zh, _, unit_en = case.unit.partition(" / ")
    return Finding(
        case.tenant, OVERDUE, CASE_KIND, case.number, Severity[category.overdue.upper()], now_ms, Reason.JUDGED,
        lat=case.lat, lon=case.lon,
        summary={
            "zh-CN": f"案件 {case.number}（{category.zh}）{zh}超期" + (f"，{unit_zh}" if case.unit else ""),
            "en": f"Case {case.number} ({category.en}): {en} overdue"
            + (f", {unit_en or unit_zh}" if case.unit else ""),
        },
    )  # fmt: skip


def in_time_finding(alert: Alert, now_ms: int) -> Finding:
    """That the case of an overdue alert is overdue no longer: it went on, ended, or got more time."""
    return Finding(alert.tenant, OVERDUE, CASE_KIND, alert.subject, None, now_ms, Reason.CLEARED)
