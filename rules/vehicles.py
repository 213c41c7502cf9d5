"""Episodes of vehicles: events of the stream become findings with words, checked against what the history says."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from citywarden.columns import Ints
from citywarden.coordinates import project
from citywarden.model.alert import Finding, Reason
from rules.compliance import Event, dump_candidates, lost_share
from rules.datum import misread
from rules.distance import distance_to
from rules.episodes import Episode
from rules.examination import Court
from rules.motion import breaks, is_on
from rules.observation import Memory, Observed, Silence
from rules.points import VALID, History, Points
from rules.tasktable import VehicleKey
from rules.wording import SEVERITY, summarise
from rules.worksettings import WorkSettings

Episodes = Mapping[int, tuple[Episode, ...]]
OFFLINE, DUMP, DEVIATION, DATUM = (
    "vehicle.offline",
    "vehicle.illegal_dump",
    "route.deviation",
    "vehicle.datum_suspect",
)


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """What the events of one call are checked against; `history` holds the call's own fixes already."""

    court: Court
    history: History
    names: Sequence[VehicleKey]
    seen: Observed
    silence: Silence


def told(situation: Situation, events: Sequence[Event], base: Episodes) -> dict[int, tuple[Episode, ...]]:
    """The episodes after the events, per slot; a slot without an event keeps the very tuple it has in `base`."""
    episodes = dict(base)
    every = [*events, *_silences(situation), *_dumps(situation)]
    for event in sorted(every, key=lambda e: (e.at_ms, e.raised, e.text)):
        mine = episodes.get(event.slot, ())
        after = _raise(situation, event, mine) if event.raised else _clear(event, mine)
        if after is not mine:
            episodes[event.slot] = after
    return episodes


def unheard(
    memory: Memory, names: Sequence[VehicleKey], silent: Set[int], settings: WorkSettings, now_ms: int
) -> dict[int, Episode]:
    """New episodes of vehicles that fell silent with the ignition on, by slot; those in `silent` are known."""
    limit = round(settings.offline_s * 1000)
    quiet = (memory.heard_ms >= 0) & (memory.heard_ms + limit < now_ms) & is_on(memory.heard_flags, "ignition")
    new = {}
    for slot in np.flatnonzero(quiet).tolist():
        if slot not in silent:
            event = Event(
                OFFLINE, OFFLINE, slot, int(memory.heard_ms[slot]) + limit, True, float(memory.lat[slot]),
                float(memory.lon[slot]), value=settings.offline_s / 60, threshold=settings.offline_s / 60, unit="min",
            )  # fmt: skip
            new[slot] = _episode(names, event, "")
    return new


def heard_after_all(points: Points, memory: Memory, silent: Set[int], settings: WorkSettings) -> list[int]:
    """Silent slots whose next fix came late over the wire, but was made before the vehicle could count as offline."""
    if not silent:
        return []
    first = np.flatnonzero(breaks(points))
    slot = points.group[first]
    soon = points.ts_ms[first] - memory.heard_ms[slot] <= settings.offline_s * 1000
    return [s for s in slot[soon].tolist() if s in silent]


def _raise(situation: Situation, event: Event, mine: tuple[Episode, ...]) -> tuple[Episode, ...]:
    court = situation.court
    task = court.table.tasks[event.task].id if event.task >= 0 else ""
    if event.rule == DEVIATION:
        if _misread(situation, event):
            event = replace(event, rule=DATUM, text=DATUM, value=None, threshold=None, unit="")
        else:
            event = replace(event, value=_how_far(court, event))
    if event.rule == OFFLINE and any(e.name == OFFLINE and e.finding.at_ms == event.at_ms for e in mine):
        return mine  # the timer told it already
    if event.rule == DUMP:
        last = max((e.finding.at_ms for e in mine if e.finding.rule == DUMP), default=-1)
        if last >= 0 and event.at_ms - last < court.settings.dump_again_s * 1000:
            return mine
    return (*mine, _episode(situation.names, event, task))


def _clear(event: Event, mine: tuple[Episode, ...]) -> tuple[Episode, ...]:
    """End the newest episode of the event's condition; an offline one is ended by what began it."""
    for i in reversed(range(len(mine))):
        if mine[i].name == event.text and mine[i].cleared_ms is None:
            why = Reason.DATA_BACK if event.rule == OFFLINE else Reason.CLEARED
            return (*mine[:i], replace(mine[i], cleared_ms=event.at_ms, why=why), *mine[i + 1 :])
    return mine


def _episode(names: Sequence[VehicleKey], event: Event, task: str) -> Episode:
    tenant, vehicle = names[event.slot]
    words = {"vehicle": vehicle, "task": task, "value": event.value or 0.0, "threshold": event.threshold or 0.0}
    finding = Finding(
        tenant=tenant, rule=event.rule, kind="vehicle", subject=vehicle, severity=SEVERITY[event.rule],
        at_ms=event.at_ms, reason=Reason.NO_DATA if event.rule == OFFLINE else Reason.THRESHOLD,
        value=None if event.value is None else round(event.value, 2), unit=event.unit,
        threshold=None if event.threshold is None else round(event.threshold, 2),
        lat=None if np.isnan(event.lat) else event.lat, lon=None if np.isnan(event.lon) else event.lon,
        summary=summarise(event.text, **words),
    )  # fmt: skip
    return Episode(finding, event.text, task)


def _misread(situation: Situation, event: Event) -> bool:
    """The fixes of the run lie on one of the roads the vehicle should be on, read in another datum."""
    table = situation.court.table
    which = np.flatnonzero((table.slot == event.slot) & (table.start_ms <= event.at_ms) & (table.end_ms >= event.at_ms))
    from_ms, to_ms = np.full_like(which, event.run_ms), np.full_like(which, event.at_ms + 1)
    runs = situation.history.gather(table.slot[which], from_ms, to_ms)
    runs = runs.take(runs.flags & VALID != 0)
    return bool(misread(situation.court, which, runs.group, runs).any())


def _how_far(court: Court, event: Event) -> float:
    """Metres to the nearest road the vehicle should be on."""
    table = court.table
    mine = (table.slot == event.slot) & (table.start_ms <= event.at_ms) & (table.end_ms >= event.at_ms)
    return min(
        distance_to(court, road, *project([event.lat], [event.lon], court.roads.segments.meridian[road]))
        for road in np.unique(table.road[mine]).tolist()
    )


def _silences(situation: Situation) -> list[Event]:
    silence, settings = situation.silence, situation.court.settings
    limit, minutes = round(settings.offline_s * 1000), settings.offline_s / 60
    events = []
    for slot, before, ts in zip(silence.slot.tolist(), silence.before_ms.tolist(), silence.ts_ms.tolist(), strict=True):
        events.append(Event(OFFLINE, OFFLINE, slot, before + limit, True, value=minutes, threshold=minutes, unit="min"))
        events.append(Event(OFFLINE, OFFLINE, slot, ts, False))
    return events


def _dumps(situation: Situation) -> list[Event]:
    seen, settings = situation.seen, situation.court.settings
    falling, rising = dump_candidates(situation.court, seen)
    within = round(settings.dump_within_s * 1000)
    events = []
    for row in falling.tolist():
        slot, at_ms = int(seen.rows.slot[row]), int(seen.rows.ts_ms[row])
        recent = situation.history.gather(_one(slot), _one(at_ms - within), _one(at_ms + 1))
        loads = recent.load_kg[~np.isnan(recent.load_kg)]
        if share := lost_share(loads, settings):
            limit = settings.dump_drop_share * 100
            events.append(_dump(seen, row, DUMP, share * 100, limit))
    events.extend(_dump(seen, row, f"{DUMP}.lift", None, None) for row in rising.tolist())
    return events


def _dump(seen: Observed, row: int, text: str, value: float | None, limit: float | None) -> Event:
    return Event(
        DUMP, text, int(seen.rows.slot[row]), int(seen.rows.ts_ms[row]), True,
        float(seen.points.lat[row]), float(seen.points.lon[row]), int(seen.task[row]), value, limit,
        "" if value is None else "%",
    )  # fmt: skip


def _one(value: int) -> Ints:
    return np.array([value], np.int64)
