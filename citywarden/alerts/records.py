"""Alerts as rows of the database, and as the text their history keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import orjson

from citywarden.alerts.machine import Change
from citywarden.model.alert import Alert, Severity, Status

_FIELDS = tuple(field.name for field in fields(Alert))


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert as the database holds it. `version` counts its writes; `told`: targets that heard of it."""

    alert: Alert
    version: int
    told: frozenset[str]


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
    row["told"] = orjson.dumps(sorted(entry.told)).decode()
    return row


def entry_of(row: Mapping[str, object]) -> Entry:
    """What `alert_row` wrote."""
    told = orjson.loads(str(row["told"]))
    values = {**row, "summary": orjson.loads(str(row["summary"]))}
    return Entry(alert_of(values), int(str(row["version"])), frozenset(told))


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
