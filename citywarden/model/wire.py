"""How the types that travel are written for other programs: the contract's JSON, one function a shape."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from citywarden.model.alert import Alert
from citywarden.model.work import TaskReport

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp(ms: int) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-11-22T06:00:00.000Z`. `ms` since 1970 UTC, years 1 to 9999."""
    moment = _EPOCH + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def phrase(texts: Mapping[str, str], language: str) -> str:
    """The text in `language`, else English, else whichever there is, else an empty one."""
    return texts.get(language) or texts.get("en") or next(filter(None, texts.values()), "")


def alert_body(alert: Alert, language: str) -> dict[str, object]:
    """The contract's alert, as webhooks and the API send it. NaN and infinity, which JSON lacks, become null."""
    located = alert.lat is not None and alert.lon is not None
    return {
        "version": "1",
        "id": alert.id,
        "tenant": alert.tenant,
        "rule": alert.rule,
        "kind": alert.kind,
        "subject": alert.subject,
        "severity": alert.severity.word,
        "status": alert.status.value,
        "reason": str(alert.reason),
        "value": _finite(alert.value),
        "unit": alert.unit,
        "threshold": _finite(alert.threshold),
        "location": {"lat": alert.lat, "lon": alert.lon} if located else None,
        "raised_at": timestamp(alert.raised_ms),
        "updated_at": timestamp(alert.updated_ms),
        "resolved_at": None if alert.resolved_ms is None else timestamp(alert.resolved_ms),
        "summary": phrase(alert.summary, language),
        "runbook": alert.runbook,
    }


def time_window(start_ms: int, end_ms: int, zone: tzinfo) -> str:
    """A window as plans write it: `2026-11-22T06:00+08:00/2026-11-22T07:00+08:00`, with seconds where it has any."""
    return "/".join(_local(ms, zone) for ms in (start_ms, end_ms))


def report_item(report: TaskReport, zone: tzinfo) -> dict[str, object]:
    """One task of the contract's replay report; its window in local time, numbers rounded to a thousandth."""
    return {
        "task": report.task,
        "vehicle": report.vehicle,
        "operation": report.operation.value,
        "window": time_window(report.start_ms, report.end_ms, zone),
        "status": report.status.value,
        "reasons": list(report.reasons),
        "notes": list(report.notes),
        "evidence": report.evidence.value,
        "work_duration_s": round(report.work_duration_s, 3),
        "idle_in_work_s": round(report.idle_in_work_s, 3),
        "unknown_s": round(report.unknown_s, 3),
        "planned_m": round(report.planned_m, 3),
        "covered_m": round(report.covered_m, 3),
        "coverage_pct": round(report.coverage_pct, 3),
        "passes": report.passes,
        "driven_m": round(report.driven_m, 3),
        "effective_m": round(report.effective_m, 3),
        "empty_running_pct": round(report.empty_running_pct, 3),
        "overspeed_s": round(report.overspeed_s, 3),
        "max_deviation_m": None if report.max_deviation_m is None else round(report.max_deviation_m, 3),
        "missed": [
            {
                "from_m": round(run.from_m, 3),
                "to_m": round(run.to_m, 3),
                "length_m": round(run.length_m, 3),
                "reason": run.reason.value,
            }
            for run in report.missed
        ],
    }


def _local(ms: int, zone: tzinfo) -> str:
    moment = (_EPOCH + timedelta(milliseconds=ms)).astimezone(zone)
    whole_minute = not (moment.second or moment.microsecond)
    return moment.isoformat(timespec="minutes" if whole_minute else "auto")


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
