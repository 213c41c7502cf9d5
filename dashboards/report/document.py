"""The report for programs: the contract's JSON."""

from citywarden.model.wire import phrase, report_item, timestamp
from dashboards.report.contents import Contents


def document(contents: Contents, language: str) -> dict[str, object]:
    """Tasks, alerts and rejected rows (contract.md, Replay report); `notes` says what was derived."""
    return {
        "tasks": [report_item(r, contents.zone) for r in contents.reports],
        "alerts": [
            {
                "rule": raised.finding.rule,
                "vehicle": raised.vehicle,
                "task": raised.task or None,
                "severity": raised.finding.severity.word if raised.finding.severity is not None else None,
                "raised_at": timestamp(raised.finding.at_ms),
                "cleared_at": None if raised.cleared_ms is None else timestamp(raised.cleared_ms),
                "detail": phrase(raised.finding.summary, language),
            }
            for raised in contents.alerts
        ],
        "rejected": [{"file": row.file, "line": row.line, "reason": row.reason} for row in contents.rejected],
    }
