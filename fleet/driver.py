"""A vehicle that drives its day: where it is, how fast, and what is switched on, from the time alone.

Pure and exact: asking twice for the same moment gives the same answer, in any order, so history and live motion join.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from citywarden.model.kind import Payload
from fleet.roads import PLANE, Path

SWAY = 0.12
"""Speed swings by this share of the mean, in waves of about 40 s (our own choice: looks like traffic)."""

DRIFT_M = 1.2
"""Slow sideways error of a good receiver (our own choice)."""


@dataclass(frozen=True, slots=True)
class Gear:
    """What is switched on while a leg lasts. `load_kg`: at the leg's start and end; None where nothing is weighed."""

    ignition: bool = True
    brush: bool | None = None
    pump: bool | None = None
    lift: bool | None = None
    load_kg: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch driven, or a stop when the path is a single point, from `start_ms` until the next leg's start."""

    path: Path
    start_ms: int
    end_ms: int
    gear: Gear


@dataclass(frozen=True, slots=True)
class Motion:
    """A vehicle at one moment."""

    lat: float
    lon: float
    speed_kmh: float
    heading_deg: float
    odometer_km: float
    gear: Gear
    load_kg: float | None

    def payload(self) -> Payload:
        """The motion as the fields of a vehicle's message; what the vehicle has not got is left out."""
        state: Payload = {
            "lat": round(self.lat, 6),
            "lon": round(self.lon, 6),
            "speed_kmh": round(self.speed_kmh, 1),
            "heading_deg": round(self.heading_deg, 1) % 360.0,
            "ignition": self.gear.ignition,
            "odometer_km": round(self.odometer_km, 3),
        }
        for name, on in (("brush", self.gear.brush), ("pump", self.gear.pump), ("lift", self.gear.lift)):
            if on is not None:
                state[name] = on
        if self.load_kg is not None:
            state["load_kg"] = round(self.load_kg)
        return state


class Driver:
    """Legs without gaps, driven one after another. Before the first and after the last the vehicle stands still."""

    def __init__(self, legs: Sequence[Leg], odometer_km: float = 0.0, phase: float = 0.0) -> None:
        if not legs:
            raise ValueError("a driver needs at least one leg")
        self.legs = tuple(legs)
        self._starts = [leg.start_ms for leg in legs]
        self._phase = phase
        self._odometers = [odometer_km]
        for leg in legs:
            self._odometers.append(self._odometers[-1] + leg.path.length_m / 1000.0)
        self._headings = [0.0]
        for leg in legs:
            moves = leg.path.length_m > 0
            self._headings.append(leg.path.at(leg.path.length_m)[1] if moves else self._headings[-1])

    @property
    def start_ms(self) -> int:
        return self._starts[0]

    @property
    def end_ms(self) -> int:
        return self.legs[-1].end_ms

    def next_start_ms(self, ts_ms: int) -> int:
        """When the leg after the one of `ts_ms` starts; the end of the day when there is none."""
        i = bisect_right(self._starts, ts_ms)
        return self._starts[i] if i < len(self._starts) else self.end_ms

    def at(self, ts_ms: int) -> Motion:
        """The vehicle at a moment, ms since 1970 UTC."""
        i = max(0, bisect_right(self._starts, ts_ms) - 1)
        leg = self.legs[i]
        lasts_s = max(0.001, (leg.end_ms - leg.start_ms) / 1000.0)
        share = min(1.0, max(0.0, (ts_ms - leg.start_ms) / 1000.0 / lasts_s))
        length = leg.path.length_m
        if length > 0:
            measure, speed = _sway(share, lasts_s, length)
            speed = speed if 0.0 < share < 1.0 else 0.0
            (x, y), heading = leg.path.at(measure)
        else:
            measure, speed = 0.0, 0.0
            (x, y), heading = leg.path.points[0], self._headings[i]
        drift = DRIFT_M * math.sin(ts_ms / 61_000.0 + self._phase)
        slip = DRIFT_M * math.cos(ts_ms / 83_000.0 + self._phase)
        lat, lon = PLANE.degrees((x + drift, y + slip))
        load = leg.gear.load_kg
        weight = None if load is None else load[0] + (load[1] - load[0]) * share
        return Motion(lat, lon, speed * 3.6, heading, self._odometers[i] + measure / 1000.0, leg.gear, weight)


def _sway(share: float, lasts_s: float, length_m: float) -> tuple[float, float]:
    """Measure (m) and speed (m/s) after a share of a leg's time: whole waves, so that the leg ends where it must."""
    waves = max(1, round(lasts_s / 40.0))
    turn = 2 * math.pi * waves
    measure = length_m * (share + SWAY / turn * math.sin(turn * share))
    return measure, length_m / lasts_s * (1.0 + SWAY * math.cos(turn * share))
