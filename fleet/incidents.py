"""What goes wrong with the things of the demo city, and when: acts that come round again with other devices.

Everything is pure: the incidents of a round follow from the city, the round's number and whether it is night.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType

from citywarden.model.device import Device, DeviceKey
from citywarden.model.kind import JsonScalar, Kinds

ROUND_S = 480.0
"""Each round plays every act once; the next one starts when it is over."""

IsNight = Callable[[float, float, int], bool]
"""Whether it is night at (lat, lon in degrees) at a time (ms)."""

_NOTHING: Mapping[str, JsonScalar] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that goes wrong. Times in s after the start of the first round; later rounds spread them out.

    `fault`: one of the kind's faults, or None where `overrides` alone (field values) show what is wrong.
    `crest_s`: the fault grows until then, holds, and from `wane_s` on fades until the act ends; None: it is just there.
    `pace`: how many times faster than the kind's own model it develops. `first_round`: not before that round.
    """

    name: str
    kind: str
    fault: str | None
    begin_s: float
    lasts_s: float
    crest_s: float | None = None
    wane_s: float = 0.0
    pace: float = 1.0
    overrides: Mapping[str, JsonScalar] = field(default_factory=lambda: _NOTHING)
    first_round: int = 0


ACTS: tuple[Act, ...] = (
    Act("rising_water", "waterlogging", "rising_water", 1, 140, crest_s=45, wane_s=75, pace=16),
    Act("gas_leak", "gas", "gas_leak", 2, 110, crest_s=20, wane_s=55, pace=16),
    Act("dark_lamp", "streetlight", "dark_lamp", 3, 80),
    Act("silent_detector", "gas", "silent", 8, 75),
    Act("cycling_lamp", "streetlight", "cycling", 12, 70, pace=6),
    Act("day_burner", "streetlight", "day_burner", 25, 90),
    Act("weak_lamp", "streetlight", "power_low", 45, 80),
    Act("low_battery", "waterlogging", None, 60, 70, overrides=MappingProxyType({"battery_v": 10.1})),
    Act("second_gas_leak", "gas", "gas_leak", 80, 120, crest_s=20, wane_s=60, pace=9),
    Act("flash_flood", "waterlogging", "rising_water", 100, 140, crest_s=35, wane_s=60, pace=10),
    Act("bad_air", "gas", None, 90, 90, overrides=MappingProxyType({"h2s_ppm": 26.0, "o2_pct": 18.4}), first_round=1),
    Act("carbon_monoxide", "gas", None, 30, 60, overrides=MappingProxyType({"co_ppm": 64.0}), first_round=1),
    Act("disobedient_lamp", "streetlight", "disobeys", 60, 120, first_round=1),
    Act("lost_vehicle", "vehicle", "silent", 20, 400, first_round=1),
)


@dataclass(frozen=True, slots=True)
class Incident:
    """An act that a device plays from `begin_ms` until `end_ms`."""

    act: Act
    device: DeviceKey
    begin_ms: int
    end_ms: int

    def active(self, now_ms: int) -> bool:
        return self.begin_ms <= now_ms < self.end_ms

    def age_s(self, now_ms: int) -> float:
        """How far the fault has developed, in s of the kind's own model: grows, holds, and fades again."""
        age = max(0.0, (min(now_ms, self.end_ms) - self.begin_ms) / 1000.0)
        crest = self.act.crest_s
        if crest is None:
            return age * self.act.pace
        lasts = (self.end_ms - self.begin_ms) / 1000.0
        wane = self.act.wane_s
        left = 1.0 if age <= wane else (lasts - age) / (lasts - wane)
        return min(age, crest) * max(0.0, left) * self.act.pace


def round_start_ms(start_ms: int, number: int) -> int:
    """When a round (0 is the first) begins."""
    return start_ms + round(number * ROUND_S * 1000)


def round_at(start_ms: int, now_ms: int) -> int:
    """Number of the round that plays at a time; 0 before the start."""
    return max(0, int((now_ms - start_ms) / 1000.0 // ROUND_S))


def stage(
    devices: Sequence[Device], acts: Sequence[Act], seed: int, number: int, start_ms: int, is_night: IsNight
) -> tuple[Incident, ...]:
    """The incidents of round `number`, by beginning. No device plays twice in a round, nor in two rounds that meet."""
    rng = Random(f"round {seed} {number}")
    begin_ms = round_start_ms(start_ms, number)
    taken: set[DeviceKey] = set()
    incidents = []
    turn = [device for i, device in enumerate(devices) if i % 2 == number % 2]
    for act in acts:
        if number < act.first_round:
            continue
        starts = begin_ms + round(1000 * _begin_s(act, number, rng))
        pool = [d for d in turn if d.kind == act.kind and d.key not in taken and _fits(act, d, starts, is_night)]
        if not pool:
            continue
        device = rng.choice(pool).key
        taken.add(device)
        incidents.append(Incident(act, device, starts, starts + round(act.lasts_s * 1000)))
    return tuple(sorted(incidents, key=lambda incident: incident.begin_ms))


def acts_for(kinds: Kinds) -> tuple[Act, ...]:
    """The demo's acts, and one for each fault of a kind that the demo has no act for."""
    played = {act.kind for act in ACTS}
    more = [
        Act(f"{kind.name}_{fault}", kind.name, fault, 20.0 + 15.0 * i, 90.0)
        for kind in kinds.values()
        if kind.name not in played
        for i, fault in enumerate(kind.faults)
    ]
    return (*(act for act in ACTS if act.kind in kinds), *more)


def should_be_lit(device: Device, night: bool) -> bool:
    """Whether a lamp is meant to burn: at night or always, unless it is switched off by plan."""
    return (night or bool(device.profile.get("always_on"))) and not device.profile.get("planned_off")


def _begin_s(act: Act, number: int, rng: Random) -> float:
    """As written in the first round, so that everything is seen soon; anywhere in the later ones."""
    if number == 0:
        return act.begin_s
    return rng.uniform(0.0, max(0.0, ROUND_S - act.lasts_s - 10.0))


def _fits(act: Act, device: Device, at_ms: int, is_night: IsNight) -> bool:
    """Lamps that are meant to burn go dark, weak or disobey, others burn by day; a recording is left as it is."""
    if device.profile.get("recorded"):
        return False
    if act.kind != "streetlight":
        return True
    lit = should_be_lit(device, is_night(device.lat or 0.0, device.lon or 0.0, at_ms))
    return not lit if act.fault == "day_burner" else lit
