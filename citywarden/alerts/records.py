"""Alerts as rows of the database, and as the text their history keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import orjson

from citywarden.alerts.machine import Change
from citywarden.model.alert import Alert, Severity, Status

_FIELDS = tuple(one.name for one in fields(Alert))


@dataclass(frozen=True, slots=True)
class Attention:
    """Who has been asked to look at an alert. `told`: target -> server time it was last asked.

    `asked_ms`: since when somebody is asked and nobody has acknowledged; None while nobody is.
    """

    told: Mapping[str, int] = field(default_factory=dict)
    asked_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert as the database holds it. `version` counts its writes."""

    alert: Alert
    version: int
    attention: Attention


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an alert's history. `at_ms`: server time; `by`: who, None when the server did it."""

    alert: Alert
    at_ms: int
    change: Change
    by: str | None = None
    note: str | None = None


def alert_row(entry: Entry) -> dict[str, object]:
    """The columns of table `alert`."""
    row: dict[str, object] = {name: getattr(entry.alert, name) for name in _FIELDS}
    row["severity"] = int(entry.alert.severity)
    row["status"] = entry.alert.status.value
    row["summary"] = orjson.dumps(dict(entry.alert.summary)).decode()
    row["version"] = entry.version
    row["told"] = orjson.dumps(dict(entry.attention.told), option=orjson.OPT_SORT_KEYS).decode()
    row["asked_ms"] = entry.attention.asked_ms
    return row


def entry_of(row: Mapping[str, object]) -> Entry:
    """What `alert_row` wrote."""
    told = orjson.loads(str(row["told"]))
    values = {**row, "summary": orjson.loads(str(row["summary"]))}
    alert = alert_of(values)
    if isinstance(told, list):  # Before targets were reminded, only their names were kept.
        told = dict.fromkeys(told, alert.updated_ms)
    asked_ms = row["asked_ms"]
    return Entry(alert, int(str(row["version"])), Attention(told, None if asked_ms is None else int(str(asked_ms))))


def alert_of(values: Mapping[str, object]) -> Alert:
    """An alert from its fields by name, severity as a number, status as a word."""
    known = {name: values[name] for name in _FIELDS if name in values}
    known["severity"] = Severity(int(str(known["severity"])))
    known["status"] = Status(str(known["status"]))
    known["stale"] = bool(known["stale"])
    return Alert(**known)  # type: ignore[arg-type]


def freeze(alert: Alert) -> str:
    """The alert as one line of JSON, for the history."""
    values = {name: getattr(alert, name) for name in _FIELDS}
    values["severity"] = int(alert.severity)
    values["summary"] = dict(alert.summary)
    return orjson.dumps(values).decode()


def thaw(text: str) -> Alert:
    """What `freeze` wrote."""
    return alert_of(orjson.loads(text))
