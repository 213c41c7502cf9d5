"""Alerts as rows of the time-series store: measurement `alert`, for the dashboards."""

from citywarden.model.alert import Alert
from citywarden.model.wire import phrase
from citywarden.store.contract import Point

MEASUREMENT = "alert"


def alert_point(alert: Alert) -> Point:
    """The alert as it is now, at the time it was raised: writing it again after a change replaces the row.

    Tags do not change in an alert's life, so that it stays one row: severity, status and the times are fields.
    `duration_s`: from raised to resolved, 0 while it is open. `lat`, `lon`: WGS-84, only where it has a place.
    """
    resolved_ms = alert.resolved_ms or 0
    return Point(
        MEASUREMENT,
        {
            "tenant": alert.tenant,
            "device": alert.subject,
            "kind": alert.kind,
            "district": alert.district,
            "rule": alert.rule,
        },
        alert.raised_ms,
        {
            "id": alert.id,
            "severity": alert.severity.word,
            "level": int(alert.severity),
            "status": alert.status.value,
            "open": alert.open,
            "reason": alert.reason,
            "value": 0.0 if alert.value is None else alert.value,
            "updated_ms": alert.updated_ms,
            "resolved_ms": resolved_ms,
            "duration_s": (resolved_ms - alert.raised_ms) / 1000 if resolved_ms else 0.0,
            "summary": phrase(alert.summary, "zh-CN"),
            "summary_en": phrase(alert.summary, "en"),
            "acknowledged_by": alert.acknowledged_by or "",
            "stale": alert.stale,
            **({"lat": alert.lat, "lon": alert.lon} if alert.lat is not None and alert.lon is not None else {}),
        },
    )
