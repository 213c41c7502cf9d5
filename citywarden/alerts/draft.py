"""A batch of changes to alerts before it is written: what is new, what changed, what happened, who is to be told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, insert, update

from citywarden.alerts import tables
from citywarden.alerts.attention import Audience, Call, Restraint, address
from citywarden.alerts.flapping import Key
from citywarden.alerts.machine import SILENT, Change, Step
from citywarden.alerts.records import Attention, Entry, Event, alert_row, freeze
from citywarden.model.alert import Alert, Status

KEPT = frozenset({"id", "tenant", "rule", "kind", "subject"})
"""Columns that an alert has for its life."""

Restrain = Callable[[Alert, Change, bool], Restraint]
"""(alert, what happened, whether it is to be told) -> what holds it back."""


class Overtaken(Exception):
    """Another process changed one of the alerts since they were read."""


@dataclass(frozen=True, slots=True)
class _Line:
    id: str
    event: Event
    tell: bool
    call: Call | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        return self.call.targets if self.call else ()


class Draft:
    """Changes upon the open alerts `base`, which stays untouched until `accept_into`.

    All steps are recorded first and then addressed, so that what comes together is seen together. `writer`: whose.
    """

    def __init__(self, base: Mapping[Key, Entry], now_ms: int, writer: str = "") -> None:
        self._base = base
        self._now_ms = now_ms
        self._writer = writer
        self._open: dict[Key, Entry | None] = {}
        self._entries: dict[str, Entry] = {}
        self._before: dict[str, Attention] = {}
        self._known: dict[str, int] = {}
        self._forgotten: dict[str, int] = {}
        self._lines: list[_Line] = []

    def entry(self, key: Key) -> Entry | None:
        """The open alert of a key as it stands in this draft."""
        return self._open[key] if key in self._open else self._base.get(key)

    def record(
        self, key: Key, step: Step, by: str | None = None, note: str | None = None, filed: Entry | None = None
    ) -> None:
        """Add what a step did to the open alert of `key`, or to the resolved one `filed`; steps that changed nothing
        add nothing.
        """
        if step.change in SILENT:
            return
        before = filed or self.entry(key)
        if before is not None and before.alert.id not in self._entries:
            self._known[before.alert.id] = before.version
            self._before[before.alert.id] = before.attention
        if step.alert is None:
            if before is not None:
                self._forget(key, before.alert.id)
            return
        self._put(key, step.alert, before.attention if before else Attention(), filed is not None)
        event = Event(step.alert, self._now_ms, step.change, by, note)
        self._lines.append(_Line(uuid4().hex, event, step.tell))

    def call(self, key: Key, change: Change, call: Call) -> None:
        """Add what time made of the open alert of `key`, which only time has touched in this draft."""
        before = self._base[key]
        self._known[call.alert.id] = before.version
        alert = replace(call.alert, updated_ms=self._now_ms)
        self._put(key, alert, call.attention, False)
        self._lines.append(_Line(uuid4().hex, Event(alert, self._now_ms, change), bool(call.targets), call))

    def address(self, audience: Audience, restrain: Restrain) -> None:
        """Settle who is told of what was recorded. Once, after all steps are."""
        attention = dict(self._before)
        for i, line in enumerate(self._lines):
            if line.call is not None:
                continue
            event = line.event
            alert, restraint = event.alert, restrain(event.alert, event.change, line.tell)
            before = attention.get(alert.id, Attention())
            call = address(alert, event.change, line.tell, before, audience, self._now_ms, restraint)
            attention[alert.id] = call.attention
            told = Event(call.alert, event.at_ms, event.change, event.by, event.note)
            self._lines[i] = _Line(line.id, told, line.tell, call)
            entry, hold = self._entries[alert.id], call.alert.hold
            latest = entry.alert if entry.alert.hold == hold else replace(entry.alert, hold=hold)
            now = Entry(latest, entry.version, call.attention)
            self._entries[alert.id] = now
            held = self._open.get(alert.key)
            if held is not None and held.alert.id == alert.id:
                self._open[alert.key] = now

    @property
    def empty(self) -> bool:
        return not (self._entries or self._forgotten)

    @property
    def events(self) -> list[Event]:
        """What happened, in order."""
        return [line.event for line in self._lines]

    def changed(self) -> list[Alert]:
        """The alerts as they are now, in order of their first change, without pending ones."""
        return [e.alert for e in self._entries.values() if e.alert.status is not Status.PENDING]

    def opened(self) -> dict[Key, Alert | None]:
        """What is open now of the keys that changed."""
        return {key: entry.alert if entry else None for key, entry in self._open.items()}

    def write(self, connection: Connection) -> None:
        """Write everything. Raises Overtaken or IntegrityError when another process was first."""
        self._delete(connection)
        self._update(connection)
        fresh = [alert_row(entry) for id_, entry in self._entries.items() if id_ not in self._known]
        if fresh:
            connection.execute(insert(tables.alert), fresh)
        if self._lines:
            connection.execute(insert(tables.alert_event), [_event_row(line, self._writer) for line in self._lines])
        self._post(connection)

    def absorb(self, later: "Draft") -> None:
        """Take in what an addressed draft did to alerts that this one has not touched, to be written together."""
        self._open |= later._open
        self._entries |= later._entries
        self._known |= later._known
        self._forgotten |= later._forgotten
        self._lines += later._lines

    def accept_into(self, opened: dict[Key, Entry]) -> None:
        """Make `opened`, the dictionary this draft was based on, what is written now."""
        for key, entry in self._open.items():
            if entry is None:
                opened.pop(key, None)
            else:
                opened[key] = entry

    def _put(self, key: Key, alert: Alert, attention: Attention, filed: bool) -> None:
        entry = Entry(alert, self._known.get(alert.id, 0) + 1, attention)
        self._entries[alert.id] = entry
        if not filed:
            self._open[key] = entry if alert.open else None

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
            .values({column.name: bindparam(column.name) for column in t.c if column.name not in KEPT}),
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


def _event_row(line: _Line, writer: str) -> dict[str, object]:
    event = line.event
    return {
        "id": line.id,
        "alert_id": event.alert.id,
        "at_ms": event.at_ms,
        "change": event.change.value,
        "by": event.by,
        "note": event.note,
        "snapshot": freeze(event.alert),
        "writer": writer,
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
