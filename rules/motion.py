"""How vehicles move and what their equipment does, fix by fix: what a message leaves out is derived."""

import numpy as np

from citywarden.columns import Bools, Floats, Ints
from rules.points import Flags, Points, known_bit, on_bit

STANDING_M = 3.0
"""A step shorter than this says nothing about direction."""
PLAUSIBLE_KMH = 150.0
"""A step faster than this is a bad fix, not a drive."""


def breaks(points: Points) -> Bools:
    """Rows that are the first of their group."""
    group = points.group
    return np.append(True, group[1:] != group[:-1]) if len(points) else np.zeros(0, np.bool_)


def pauses_ms(points: Points, first: Bools) -> Ints:
    """Time since the row before of the same group; 0 on its first."""
    pause = np.diff(points.ts_ms, prepend=points.ts_ms[:1])
    return np.where(first, 0, pause)


def derive_speed(given: Floats, step_m: Floats, pause_ms: Ints, first: Bools, max_gap_ms: int) -> Floats:
    """Speed in km/h as given, or of the step that led to the row; NaN after a gap or on a first row."""
    if not (missing := np.isnan(given)).any():
        return given
    usable = ~first & (pause_ms <= max_gap_ms) & (pause_ms > 0)
    return np.where(missing, np.where(usable, step_m / np.maximum(pause_ms, 1) * 3600.0, np.nan), given)


def look_ahead(speed: Floats, given: Floats, pause_ms: Ints, first: Bools, max_gap_ms: int) -> Floats:
    """A derived speed that is unknown becomes that of the row after, where no gap lies between."""
    missing = np.isnan(speed) & np.isnan(given)
    if not missing.any() or len(speed) < 2:
        return speed
    joined = np.append(~first[1:] & (pause_ms[1:] <= max_gap_ms), False)
    return np.where(missing & joined, np.append(speed[1:], np.nan), speed)


def hold_flags(flags: Flags, pause_ms: Ints, first: Bools, max_gap_ms: int) -> Flags:
    """A signal that a message lacks keeps its last value while messages follow each other without a gap."""
    broken = first | (pause_ms > max_gap_ms)
    place = np.arange(len(flags))
    held = flags
    for signal in ("ignition", "brush", "pump", "lift"):
        known = flags & known_bit(signal) != 0
        if known.all() or not known.any():
            continue
        mark = np.maximum.accumulate(np.where(known | broken, place, 0))
        bits = np.uint16(known_bit(signal) | on_bit(signal))
        held = (held & ~bits) | (flags[mark] & bits)
    return held


def is_on(flags: Flags, signal: str) -> Bools:
    """The signal is known to be on."""
    return np.asarray(flags & on_bit(signal) != 0)


def is_off(flags: Flags, signal: str) -> Bools:
    """The signal is known to be off."""
    return np.asarray(flags & (known_bit(signal) | on_bit(signal)) == known_bit(signal))
