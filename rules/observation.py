"""What a stream of fixes says, row by row: motion, equipment, zones, and the tasks the vehicle should be doing."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from citywarden.columns import Bools, Floats, Ints
from citywarden.coordinates import distance_m, project
from rules.areas import Masks
from rules.examination import Court, row_buffer
from rules.holds import Rows
from rules.motion import breaks, derive_speed, hold_flags, is_on
from rules.points import ACCURATE, SIGNALS, VALID, Flags, Points, known_bit, on_bit, spans
from rules.tasktable import TaskTable

T = TypeVar("T", bound=np.generic)
NEVER = 1 << 62
_GAP_MS = 60_000


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """The last row of each vehicle by slot, arrays (slots,). `heard_ms` -1: never.

    `heard_*` are of the last row of any kind, the others of the last valid fix.
    """

    heard_ms: Ints
    heard_flags: Flags
    ts_ms: Ints
    lat: Floats
    lon: Floats
    flags: Flags
    load_kg: Floats
    load_ms: Ints


def blank(count: int) -> Memory:
    """Nothing heard of any vehicle."""
    never, nowhere = np.full(count, -1), np.full(count, np.nan)
    no_flags = np.zeros(count, np.uint16)
    return Memory(never, no_flags, never.copy(), nowhere, nowhere.copy(), no_flags.copy(), nowhere.copy(), never.copy())


@dataclass(frozen=True, slots=True, eq=False)
class Silence:
    """Rows that ended a pause of a vehicle: from `before_ms` on, with the ignition on, until `ts_ms`."""

    slot: Ints
    before_ms: Ints
    ts_ms: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Valid fixes as they are judged. `points.group` is the slot.

    Of the tasks whose window a row is in: `active`, `distance_m` to the nearest road (inf: far), `task` (that road's
    task number, -1: none), `v_high` (largest), `signals` (equipment bits that would be work), `collecting`,
    `banned` (the window does not start in a peak ban). `in_tolerance`: inside a window with its tolerance.
    """

    points: Points
    rows: Rows
    speed_kmh: Floats
    flags: Flags
    lift_before: Bools
    load_before: Floats
    load_pause_ms: Ints
    zones: Masks
    active: Bools
    distance_m: Floats
    task: Ints
    v_high: Floats
    signals: Flags
    collecting: Bools
    banned: Bools
    in_tolerance: Bools


def observe(court: Court, points: Points, memory: Memory, first_in: Ints) -> tuple[Observed, Silence, Memory, Ints]:
    """Take in rows that are all newer than what `memory` holds of their vehicles; `points.group` is the slot.

    `first_in`: per task the time of its first fix in the buffer (`NEVER`: none yet).
    """
    slot, first, ts_ms = points.group, breaks(points), points.ts_ms
    before_ms = np.where(first, memory.heard_ms[slot], np.append(-1, ts_ms[:-1]))
    pause = np.where(before_ms < 0, 0, ts_ms - before_ms)
    patched = _patch(points.flags, memory.heard_flags[slot], first & (before_ms >= 0) & (pause <= _GAP_MS))
    flags = hold_flags(patched, pause, first, _GAP_MS)
    flags_before = np.where(first, memory.heard_flags[slot], np.append(flags[:1], flags[:-1]))
    quiet = (before_ms >= 0) & is_on(flags_before, "ignition")
    quiet &= pause > court.settings.offline_s * 1000
    silence = Silence(slot[quiet], before_ms[quiet], ts_ms[quiet])
    last = np.append(first[1:], True) if len(first) else first
    memory = replace(
        memory,
        heard_ms=_put(memory.heard_ms, slot[last], ts_ms[last]),
        heard_flags=_put(memory.heard_flags, slot[last], flags[last]),
    )
    valid = points.flags & VALID != 0
    observed, memory = _valid_rows(court, points.take(valid), flags[valid], memory)
    seen, first_in = _meet_tasks(court, observed, first_in)
    return seen, silence, memory, first_in


def _valid_rows(court: Court, points: Points, flags: Flags, memory: Memory) -> tuple[Observed, Memory]:
    slot, first, ts_ms = points.group, breaks(points), points.ts_ms
    before = np.where(first, memory.ts_ms[slot], np.append(-1, ts_ms[:-1])[: len(ts_ms)])
    pause = np.where(before < 0, 0, ts_ms - before)
    speed = points.speed_kmh
    if np.isnan(speed).any():
        lat = np.where(first, memory.lat[slot], np.append(np.nan, points.lat[:-1])[: len(ts_ms)])
        lon = np.where(first, memory.lon[slot], np.append(np.nan, points.lon[:-1])[: len(ts_ms)])
        step = distance_m(lat, lon, points.lat, points.lon)
        speed = derive_speed(speed, step, pause, before < 0, round(court.settings.max_gap_s * 1000))
    lifted = is_on(flags, "lift")
    lift_carried = is_on(memory.flags[slot], "lift") & (before >= 0)
    lift_before = np.where(first, lift_carried, np.append(False, lifted[:-1])[: len(ts_ms)])
    load_before, load_ms, memory = _loads(points, slot, first, memory)
    last = np.append(first[1:], True) if len(first) else first
    memory = replace(
        memory,
        ts_ms=_put(memory.ts_ms, slot[last], ts_ms[last]),
        lat=_put(memory.lat, slot[last], points.lat[last]),
        lon=_put(memory.lon, slot[last], points.lon[last]),
        flags=_put(memory.flags, slot[last], flags[last]),
    )
    count = len(points)
    no = np.zeros(count, np.bool_)
    observed = Observed(
        points=points,
        rows=Rows(slot, ts_ms, pause, first),
        speed_kmh=speed,
        flags=flags,
        lift_before=lift_before,
        load_before=load_before,
        load_pause_ms=np.where(load_ms < 0, NEVER, ts_ms - load_ms),
        zones=court.areas.masks(points.lat, points.lon),
        active=no,
        distance_m=np.full(count, np.inf),
        task=np.full(count, -1),
        v_high=np.full(count, -np.inf),
        signals=np.zeros(count, np.uint16),
        collecting=no,
        banned=no,
        in_tolerance=no,
    )
    return observed, memory


def _loads(points: Points, slot: Ints, first: Bools, memory: Memory) -> tuple[Floats, Ints, Memory]:
    """The load known before each row and when, from the same vehicle."""
    known = ~np.isnan(points.load_kg)
    if not known.any():
        return np.full(len(points), np.nan), np.full(len(points), -1), memory
    place = np.arange(len(points))
    mark = np.maximum.accumulate(np.where(known | first, place, 0))
    carried = ~known[mark]
    load = np.where(carried, memory.load_kg[slot], points.load_kg[mark])
    when = np.where(carried, memory.load_ms[slot], points.ts_ms[mark])
    load_before = np.where(first, memory.load_kg[slot], np.append(np.nan, load[:-1]))
    when_before = np.where(first, memory.load_ms[slot], np.append(-1, when[:-1]))
    last = np.append(first[1:], True)
    memory = replace(
        memory,
        load_kg=_put(memory.load_kg, slot[last], load[last]),
        load_ms=_put(memory.load_ms, slot[last], when[last]),
    )
    return load_before, when_before, memory


def _meet_tasks(court: Court, seen: Observed, first_in: Ints) -> tuple[Observed, Ints]:
    table, settings = court.table, court.settings
    tolerance = round(settings.window_tolerance_s * 1000)
    until = np.maximum(table.high_ms, table.end_ms + tolerance)
    row, task = pairs(table, seen.points, table.start_ms - tolerance, until)
    if not len(row):
        return seen, first_in
    road = table.road[task]
    central = court.roads.segments.meridian[road]
    same = bool((central == central[0]).all())
    x, y = project(seen.points.lat[row], seen.points.lon[row], central[0] if same else central)
    located = court.roads.locate(road, x, y)
    buffer_m = row_buffer(table.buffer_m[task], seen.points.flags[row] & ACCURATE != 0, settings)
    inside = located.distance_m <= buffer_m
    for branch in located.branches:
        inside[branch.index] |= branch.off_m <= buffer_m[branch.index]
    ts_ms = seen.rows.ts_ms[row]
    inside &= (ts_ms >= table.low_ms[task]) & (ts_ms <= table.high_ms[task])
    first_in = first_in.copy()
    np.minimum.at(first_in, task[inside], ts_ms[inside])
    tolerated = seen.in_tolerance.copy()
    tolerated[row[(ts_ms <= table.end_ms[task] + tolerance)]] = True
    now = (ts_ms >= table.start_ms[task]) & (ts_ms <= table.end_ms[task])
    row, task, distance = row[now], task[now], located.distance_m[now]
    nearest, v_high, signals = seen.distance_m.copy(), seen.v_high.copy(), seen.signals.copy()
    np.minimum.at(nearest, row, distance)
    np.maximum.at(v_high, row, table.v_high[task])
    np.bitwise_or.at(signals, row, table.signal[task].astype(np.uint16))
    closest, active = seen.task.copy(), seen.active.copy()
    is_nearest = distance == nearest[row]
    closest[row[is_nearest][::-1]] = task[is_nearest][::-1]
    active[row] = True
    collecting, banned = seen.collecting.copy(), seen.banned.copy()
    collecting[row[table.collects[task]]] = True
    banned[row[~in_peak_ban(court, table.start_ms[task])]] = True
    return replace(
        seen, active=active, distance_m=nearest, task=closest, v_high=v_high, signals=signals,
        collecting=collecting, banned=banned, in_tolerance=tolerated,
    ), first_in  # fmt: skip


def pairs(table: TaskTable, points: Points, low_ms: Ints, high_ms: Ints) -> tuple[Ints, Ints]:
    """(row, task) for every row of a task's vehicle in [low_ms[task], high_ms[task]]; `points.group` is the slot."""
    if not len(points) or not len(table):
        nothing = np.zeros(0, np.int64)
        return nothing, nothing
    ts_ms = points.ts_ms
    which = table.of(points.group[breaks(points)])
    which = which[(low_ms[which] <= ts_ms.max()) & (high_ms[which] >= ts_ms.min())]
    base = table.slot[which] << 42
    start = np.searchsorted(points.key, base | np.maximum(low_ms[which], 0))
    stop = np.searchsorted(points.key, base | np.maximum(high_ms[which], 0), side="right")
    row, owner = spans(start, stop)
    return row, which[owner]


def in_peak_ban(court: Court, ts_ms: Ints) -> Bools:
    """Local time of day lies in one of the bans."""
    banned = np.zeros(len(ts_ms), np.bool_)
    if not court.settings.peak_bans_min or not len(ts_ms):
        return banned
    minute = local_minute(ts_ms, court)
    for low, high in court.settings.peak_bans_min:
        banned |= (minute >= low) & (minute < high)
    return banned


def local_minute(ts_ms: Ints, court: Court) -> NDArray[np.float64]:
    """Minutes since local midnight, by the offset of each quarter of an hour."""
    quarters, inverse = np.unique(ts_ms // 900_000, return_inverse=True)
    offsets = np.array([_offset_min(int(q) * 900, court) for q in quarters])
    return np.asarray((ts_ms / 60_000 + offsets[inverse]) % 1440, np.float64)


def _offset_min(at_s: int, court: Court) -> float:
    offset = datetime.fromtimestamp(at_s, UTC).astimezone(court.settings.timezone).utcoffset()
    return 0.0 if offset is None else offset.total_seconds() / 60


def _patch(flags: Flags, before: Flags, joined: Bools) -> Flags:
    """A vehicle's first row takes the signals it lacks from the row before it."""
    if not joined.any():
        return flags
    patched = flags
    for signal in SIGNALS:
        lacks = joined & (flags & known_bit(signal) == 0)
        bits = np.uint16(known_bit(signal) | on_bit(signal))
        patched = np.where(lacks, (patched & ~bits) | (before & bits), patched)
    return patched


def _put(values: NDArray[T], slot: Ints, new: NDArray[T]) -> NDArray[T]:
    changed = values.copy()
    changed[slot] = new
    return changed


def grown_memory(memory: Memory, count: int) -> Memory:
    """With blank slots up to `count`."""
    more = blank(count - len(memory.heard_ms))
    return Memory(*(np.concatenate([getattr(memory, n), getattr(more, n)]) for n in Memory.__slots__))


def without_memory(memory: Memory, slots: Ints) -> Memory:
    """As if `slots` had never been heard of."""
    clean = Memory(*(getattr(memory, name).copy() for name in Memory.__slots__))
    empty = blank(len(slots))
    for name in Memory.__slots__:
        getattr(clean, name)[slots] = getattr(empty, name)
    return clean
