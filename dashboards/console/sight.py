"""What the wall sees of every device right now: its state in one word, its place, its number. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from citywarden.columns import Floats
from citywarden.model.device import Device, DeviceKey
from citywarden.model.kind import Form, Kind
from citywarden.model.work import Operation, Task
from dashboards.console.roads import distance_m

Place = tuple[float, float]
"""(lon, lat) in degrees, WGS-84."""


@dataclass(frozen=True, slots=True)
class Bands:
    """Where the wall changes colour. Depth in cm, gas in %LEL; `silent_intervals` missed messages are silence."""

    depth_cm: tuple[float, float, float, float] = (5.0, 15.0, 25.0, 40.0)
    lel_pct: tuple[float, float] = (25.0, 50.0)
    standing_kmh: float = 2.0
    silent_intervals: float = 3.0
    silent_s: float = 120.0


SPEED_BAND_KMH = {
    Operation.SWEEP: (2.0, 12.0),
    Operation.WASH: (2.0, 15.0),
    Operation.SPRINKLE: (3.0, 20.0),
    Operation.COLLECT: (0.0, 20.0),
}
"""Working speeds where a task names none: our proposal, as the rules' defaults."""

GPS_ERROR_M = 10.0
"""Allowed beyond a road's buffer where the position alone must tell whether a vehicle works."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One device now. `value`: W, cm, %LEL or km/h by kind; `due`: a lamp that should be lit now."""

    device: Device
    state: str
    place: Place | None
    value: float | None = None
    heading_deg: float | None = None
    ts_ms: int | None = None
    due: bool = False


@dataclass(frozen=True, slots=True)
class Raw:
    """The live table of one kind, row by row; `columns` hold `ts_ms` too, NaN where nothing was ever sent."""

    devices: Sequence[Device]
    columns: Mapping[str, Sequence[float]]
    texts: Mapping[str, Sequence[str | None]]


def as_rows(devices: Sequence[Device], columns: Mapping[str, Floats], texts: Mapping[str, Sequence[str | None]]) -> Raw:
    """What `Live` gives. Plain lists: the city is looked at one device at a time, where arrays cost five times more."""
    return Raw(devices, {name: column.tolist() for name, column in columns.items()}, texts)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What sight needs beside the readings. `place` gives a device's WGS-84 position from its own coordinates."""

    now_ms: int
    bands: Bands
    dark: Callable[[Place], bool]
    place: Callable[[Device, float, float], Place]
    jobs: Mapping[str, Sequence[Task]]


def silent(kind: Kind, device: Device, ts_ms: float, at: Surroundings) -> bool:
    """No message for three of the device's intervals, and for at least two minutes."""
    interval_s = device.profile.get("interval_s", kind.interval_s)
    expected = interval_s if isinstance(interval_s, int | float) else kind.interval_s
    return at.now_ms - ts_ms > 1000 * max(at.bands.silent_s, at.bands.silent_intervals * expected)


def depth_band(depth_cm: float, bands: Bands) -> str:
    """dry, watch, yellow, orange, red."""
    return ("dry", "watch", "yellow", "orange", "red")[sum(depth_cm >= limit for limit in bands.depth_cm)]


def gas_level(lel_pct: float, bands: Bands) -> str:
    """safe, low (first alarm), high (second alarm)."""
    return ("safe", "low", "high")[sum(lel_pct >= limit for limit in bands.lel_pct)]


def see(kind: Kind, raw: Raw, known: Mapping[DeviceKey, Device], at: Surroundings) -> list[Seen]:
    """Every enabled device of a kind: those that sent, then those registered that never did (`no_data`).

    `known`: the registry's devices of this kind; empty means it is not read yet and everybody counts.
    """
    look = _LOOKS.get(kind.name, _look_any)
    seen: list[Seen] = []
    heard: set[DeviceKey] = set()
    for i, told in enumerate(raw.devices):
        key = told.key
        heard.add(key)
        device = known.get(key, told)
        if device.enabled and (not known or key in known):
            seen.append(look(kind, device, raw, i, at))
    for key, device in known.items():
        if key not in heard and device.enabled:
            state = "offline" if kind.name == "vehicle" else "no_data"
            home = _home(device, at)
            seen.append(Seen(device, state, home, due=_due(device, home, at)))
    return seen


def _home(device: Device, at: Surroundings) -> Place | None:
    if device.lat is None or device.lon is None:
        return None
    return at.place(device, device.lon, device.lat)


def _due(device: Device, home: Place | None, at: Surroundings) -> bool:
    if device.kind != "streetlight" or device.profile.get("planned_off"):
        return False
    return bool(device.profile.get("always_on")) or (home is not None and at.dark(home))


def _number(raw: Raw, field: str, i: int) -> float | None:
    column = raw.columns.get(field)
    return None if column is None or isnan(column[i]) else column[i]


def _look_lamp(kind: Kind, device: Device, raw: Raw, i: int, at: Surroundings) -> Seen:
    ts_ms, lit, home = raw.columns["ts_ms"][i], _number(raw, "on", i), _home(device, at)
    due = _due(device, home, at)
    fault = raw.texts["fault"][i] if "fault" in raw.texts else None
    if lit is None or silent(kind, device, ts_ms, at):
        state = "no_data"
    elif due and not lit:
        state = "dark"
    elif fault or (lit and not due):
        state = "faulty"
    else:
        state = "lit" if lit else "off"
    return Seen(device, state, home, _number(raw, "power_w", i), None, int(ts_ms), due)


def _look_flood(kind: Kind, device: Device, raw: Raw, i: int, at: Surroundings) -> Seen:
    ts_ms, depth = raw.columns["ts_ms"][i], _number(raw, "depth_cm", i)
    state = "no_data" if depth is None or silent(kind, device, ts_ms, at) else depth_band(depth, at.bands)
    return Seen(device, state, _home(device, at), depth, None, int(ts_ms))


def _look_gas(kind: Kind, device: Device, raw: Raw, i: int, at: Surroundings) -> Seen:
    ts_ms, lel = raw.columns["ts_ms"][i], _number(raw, "methane_lel_pct", i)
    state = "no_data" if lel is None or silent(kind, device, ts_ms, at) else gas_level(lel, at.bands)
    return Seen(device, state, _home(device, at), lel, None, int(ts_ms))


def _look_vehicle(kind: Kind, device: Device, raw: Raw, i: int, at: Surroundings) -> Seen:
    ts_ms, lat, lon = raw.columns["ts_ms"][i], _number(raw, "lat", i), _number(raw, "lon", i)
    speed = _number(raw, "speed_kmh", i)
    place = _home(device, at) if lat is None or lon is None else at.place(device, lon, lat)
    if silent(kind, device, ts_ms, at):
        state = "offline"
    else:
        flags = {name: _number(raw, name, i) for name in ("brush", "pump", "lift")}
        state = vehicle_state(speed or 0.0, flags, place, at.jobs.get(device.id, ()), at)
    return Seen(device, state, place, speed, _number(raw, "heading_deg", i), int(ts_ms))


def vehicle_state(
    speed_kmh: float, flags: Mapping[str, float | None], place: Place | None, jobs: Iterable[Task], at: Surroundings
) -> str:
    """working: equipment runs at a working speed; idle: it stands; driving: anything else.

    A vehicle that reports no equipment at all works when it goes along a task's road, in its window, at its speed.
    """
    now = next((job for job in jobs if job.start_ms <= at.now_ms < job.end_ms), None)
    running = [name for name, on in flags.items() if on]
    blind = all(on is None for on in flags.values())
    if blind and now is not None and place is not None and speed_kmh > 0:
        running = ["road"] if distance_m(place, now.lines) <= now.buffer_m + GPS_ERROR_M else []
    if running:
        low, high = _band(running, now)
        if low <= speed_kmh <= high:
            return "working"
    return "idle" if speed_kmh < at.bands.standing_kmh else "driving"


def _band(running: Sequence[str], job: Task | None) -> tuple[float, float]:
    if job is not None:
        return job.speed_band_kmh or SPEED_BAND_KMH[job.operation]
    if "brush" in running:
        return SPEED_BAND_KMH[Operation.SWEEP]
    return SPEED_BAND_KMH[Operation.SPRINKLE if "pump" in running else Operation.COLLECT]


def _look_any(kind: Kind, device: Device, raw: Raw, i: int, at: Surroundings) -> Seen:
    """A kind the wall has no words for: ok or no_data, with its first number."""
    ts_ms = raw.columns["ts_ms"][i]
    first = next((q.field for q in kind.quantities if q.form is Form.NUMBER), "")
    state = "no_data" if silent(kind, device, ts_ms, at) else "ok"
    return Seen(device, state, _home(device, at), _number(raw, first, i), None, int(ts_ms))


_LOOKS: dict[str, Callable[[Kind, Device, Raw, int, Surroundings], Seen]] = {
    "streetlight": _look_lamp,
    "waterlogging": _look_flood,
    "gas": _look_gas,
    "vehicle": _look_vehicle,
}
