"""A batch of changes to alerts before it is written: what is new, what changed, what happened, who is to be told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, insert, update

from citywarden.alerts import tables
from citywarden.alerts.machine import RAISING, SILENT, Change, Step
from citywarden.alerts.records import Entry, Event, alert_row, freeze
from citywarden.model.alert import Alert, Status

Key = tuple[str, str, str]


class Overtaken(Exception):
    """Another process changed one of the alerts since they were read."""


class Audience(Protocol):
    """Who hears of which alert."""

    @property
    def names(self) -> frozenset[str]:
        """Every target there is."""

    def of(self, alert: Alert, now_ms: int) -> Sequence[str]:
        """Names of the targets that should hear of an alert that asks for attention at `now_ms`."""


@dataclass(frozen=True, slots=True)
class _Line:
    id: str
    event: Event
    targets: tuple[str, ...]


class Draft:
    """Changes upon the open alerts `base`, which stays untouched until `accept_into`."""

    def __init__(self, base: Mapping[Key, Entry], audience: Audience, now_ms: int) -> None:
        self._base = base
        self._audience = audience
        self._now_ms = now_ms
        self._open: dict[Key, Entry | None] = {}
        self._entries: dict[str, Entry] = {}
        self._known: dict[str, int] = {}
        self._forgotten: dict[str, int] = {}
        self._lines: list[_Line] = []

    def entry(self, key: Key) -> Entry | None:
        """The open alert of a key as it stands in this draft."""
        return self._open[key] if key in self._open else self._base.get(key)

    def record(self, key: Key, step: Step, by: str | None = None, note: str | None = None) -> None:
        """Add what a step did to the open alert of `key`; steps that changed nothing add nothing."""
        if step.change in SILENT:
            return
        before = self.entry(key)
        if before is not None and before.alert.id not in self._entries:
            self._known[before.alert.id] = before.version
        if step.alert is None:
            if before is not None:
                self._forget(key, before.alert.id)
            return
        told = before.told if before else frozenset()
        targets = self._targets(step, step.alert, told)
        version = self._known.get(step.alert.id, 0) + 1
        entry = Entry(step.alert, version, told.union(targets))
        self._entries[step.alert.id] = entry
        self._open[key] = entry if step.alert.open else None
        event = Event(step.alert, self._now_ms, step.change, by, note)
        self._lines.append(_Line(uuid4().hex, event, targets))

    @property
    def empty(self) -> bool:
        return not (self._entries or self._forgotten)

    @property
    def events(self) -> list[Event]:
        """What happened, in order."""
        return [line.event for line in self._lines]

    @property
    def deliveries(self) -> int:
        """How many messages it puts into the outbox."""
        return sum(len(line.targets) for line in self._lines)

    def changed(self) -> list[Alert]:
        """The alerts as they are now, in order of their first change, without pending ones."""
        return [e.alert for e in self._entries.values() if e.alert.status is not Status.PENDING]

    def write(self, connection: Connection) -> None:
        """Write everything. Raises Overtaken or IntegrityError when another process was first."""
        self._delete(connection)
        self._update(connection)
        fresh = [alert_row(entry) for id_, entry in self._entries.items() if id_ not in self._known]
        if fresh:
            connection.execute(insert(tables.alert), fresh)
        if self._lines:
            connection.execute(insert(tables.alert_event), [_event_row(line) for line in self._lines])
        self._post(connection)

    def accept_into(self, opened: dict[Key, Entry]) -> None:
        """Make `opened`, the dictionary this draft was based on, what is written now."""
        for key, entry in self._open.items():
            if entry is None:
                opened.pop(key, None)
            else:
                opened[key] = entry

    def _targets(self, step: Step, alert: Alert, told: frozenset[str]) -> tuple[str, ...]:
        if not step.tell:
            return ()
        follow_up = sorted(told & self._audience.names)
        if step.change not in RAISING:
            return tuple(follow_up)
        return tuple(dict.fromkeys([*self._audience.of(alert, self._now_ms), *follow_up]))

    def _forget(self, key: Key, alert_id: str) -> None:
        """A pending alert that came to nothing leaves no trace."""
        self._entries.pop(alert_id, None)
        self._lines = [line for line in self._lines if line.event.alert.id != alert_id]
        self._open[key] = None
        if alert_id in self._known:
            self._forgotten[alert_id] = self._known.pop(alert_id)

    def _delete(self, connection: Connection) -> None:
        if not self._forgotten:
            return
        t = tables.alert
        gone = connection.execute(
            delete(t).where(t.c.id == bindparam("b_id"), t.c.version == bindparam("b_version")),
            [{"b_id": id_, "b_version": version} for id_, version in self._forgotten.items()],
        )
        if gone.rowcount != len(self._forgotten):
            raise Overtaken

    def _update(self, connection: Connection) -> None:
        rows = [
            alert_row(entry) | {"b_id": id_, "b_version": self._known[id_]}
            for id_, entry in self._entries.items()
            if id_ in self._known
        ]
        if not rows:
            return
        t = tables.alert
        changed = connection.execute(
            update(t)
            .where(t.c.id == bindparam("b_id"), t.c.version == bindparam("b_version"))
            .values({column.name: bindparam(column.name) for column in t.c}),
            rows,
        )
        if changed.rowcount != len(rows):
            raise Overtaken

    def _post(self, connection: Connection) -> None:
        t = tables.outbox
        urgent: dict[str, int] = {}
        rows: list[dict[str, object]] = []
        for line in reversed(self._lines):
            alert = line.event.alert
            # Of one alert nothing may overtake what happened before it, so the earlier ones are as urgent.
            urgent[alert.id] = max(int(alert.severity), urgent.get(alert.id, 0))
            rows.extend(_outbox_row(line, target, urgent[alert.id]) for target in reversed(line.targets))
        risen = {
            line.event.alert.id: urgent[line.event.alert.id]
            for line in self._lines
            if line.event.change is Change.ESCALATED and line.event.alert.id in self._known
        }
        if risen:
            connection.execute(
                update(t)
                .where(
                    t.c.alert_id == bindparam("b_id"), t.c.state == "waiting", t.c.priority < bindparam("b_priority")
                )
                .values(priority=bindparam("b_priority")),
                [{"b_id": id_, "b_priority": priority} for id_, priority in risen.items()],
            )
        if rows:
            connection.execute(insert(t), rows[::-1])


def _event_row(line: _Line) -> dict[str, object]:
    event = line.event
    return {
        "id": line.id,
        "alert_id": event.alert.id,
        "at_ms": event.at_ms,
        "change": event.change.value,
        "by": event.by,
        "note": event.note,
        "snapshot": freeze(event.alert),
    }


def _outbox_row(line: _Line, target: str, priority: int) -> dict[str, object]:
    return {
        "id": f"msg_{uuid4().hex}",
        "target": target,
        "event_id": line.id,
        "alert_id": line.event.alert.id,
        "priority": priority,
        "created_ms": line.event.at_ms,
        "state": "waiting",
        "attempts": 0,
    }
