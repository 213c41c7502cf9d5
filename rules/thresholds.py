"""The rules of a rule book over all devices: pure, columnar, by event time.

What is judged when:
- A row is judged at its own time, in the order of event time. A row older than the newest judged one of its device is
  late: it changes nothing here. One with the same time is judged after it.
- Between rows the values stay as they are for the rule's hold, so a `for` may run out; after that they are unknown.
- Silence and the end of a rule's hours need no row: `step` finds them by `now_ms`.
Rows may come in any number of batches: the findings are the same, as long as `now_ms` has not run ahead of rows that
are still to come. So while a caller is behind, `now_ms` is how far it has read, not the clock.
"""

from collections.abc import Iterator

import numpy as np

from citywarden.columns import Columns
from citywarden.model.alert import Finding
from citywarden.seating import Seats
from rules import telling
from rules.frame import frame_of_rows
from rules.memory import KindState, State, enroll, forget, reconcile, standing, start
from rules.snapshot import capture, dump, load

__all__ = ["State", "capture", "dump", "enroll", "forget", "load", "reconcile", "standing", "start", "step"]


def step(state: State, columns: Columns | None, now_ms: int) -> tuple[State, list[Finding]]:
    """Judge the readings, then what time alone brings to devices of their kind (without readings: of every kind).

    Gives the state back, changed in place, and the findings in the order of their event time.
    """
    findings: list[Finding] = []
    if columns is None:
        parts = list(state.kinds.values())
    else:
        part = state.kinds.get(columns.kind.name)
        parts = [part] if part is not None and (part.levels or part.silences) else []
        if parts and len(columns):
            findings += _judge(state, parts[0], columns, now_ms)
    for part in parts:
        findings += _pass_time(state, part, now_ms)
    findings.sort(key=lambda finding: finding.at_ms)
    return state, findings


def _judge(state: State, part: KindState, columns: Columns, now_ms: int) -> Iterator[Finding]:
    roster = part.roster
    used = columns.device[np.append(True, columns.device[1:] != columns.device[:-1])]
    devices, seats = columns.devices, columns.seats
    if len(used) < len(devices):
        devices = tuple(devices[i] for i in used.tolist())
        seats = seats and Seats(seats.seating, seats.numbers[used])
    slots = np.full(len(columns.devices), -1, np.int64)
    slots[used] = part.enroll(devices, max(now_ms, state.started_ms), seats)
    timely = columns.ts_ms >= roster.newest_ms[slots[columns.device]]
    if not timely.all():
        columns = columns.take(timely)
        if not len(columns):
            return
    frame = frame_of_rows(roster, columns, slots)
    for levels in part.levels.values():
        moved = levels.judge(frame, state.timezone)
        if moved:
            yield from telling.tell(frame, roster, levels.rule, moved)
    frame.commit()
    for silence in part.silences.values():
        yield from telling.heard(roster, silence.rule, silence.back(roster, frame.queries.slots, now_ms))


def _pass_time(state: State, part: KindState, now_ms: int) -> Iterator[Finding]:
    for levels in part.levels.values():
        moved = levels.pass_time(part.roster, now_ms, state.timezone)
        if moved:
            yield from telling.tell(None, part.roster, levels.rule, moved)
    for silence in part.silences.values():
        fallen, since_ms, ended, end_ms = silence.pass_time(part.roster, now_ms, state.timezone)
        yield from telling.excused(part.roster, silence.rule, ended, end_ms)
        yield from telling.silent(part.roster, silence.rule, fallen, since_ms)
