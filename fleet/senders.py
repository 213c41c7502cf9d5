"""Each device of the simulated city as something that speaks when it is due: things, vehicles, recorded vehicles.

A sender is given the time and never looks at a clock; what it says depends on that, its incidents and its own
random numbers.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from citywarden.model.device import Device
from citywarden.model.kind import JsonScalar, Kind, Scene
from fleet.driver import Driver
from fleet.incidents import Incident, should_be_lit
from fleet.obedience import Obedience
from fleet.playback import Fix

SILENT = "silent"
ALARM_S = 2.0
"""A device with something to tell reports at least this often, and at once when it begins or ends."""

PARKED_S = 30.0
"""A vehicle with its engine off reports this seldom."""

HISTORY_STEP_S = 60.0
HISTORY_S = 3600.0
LAMP_STEP_S = 300.0
DRIVEN_STEP_S = 10.0

Night = Callable[[Device, int], bool]
Item = dict[str, JsonScalar]
"""One reading as it is sent: `ts` in ms, and the fields."""


class Sender(Protocol):
    """One device that speaks."""

    device: Device
    turns: "Turns"
    due_ms: int
    """When it next wants to speak."""

    def line_up(self, begin_ms: int, share: float) -> None:
        """Set the first turn: a share (0 to 1) of the interval after `begin_ms`, so that traffic is even."""

    def history(self, now_ms: int) -> Iterator[Item]:
        """What it has said before, oldest first; everything lies before `now_ms`."""

    def speak(self, now_ms: int) -> Item | None:
        """The message of now, None when it has nothing to say; moves `due_ms` on."""


@dataclass(slots=True)
class Turns:
    """When a device speaks: every `interval_s`, and at once when an incident of its own begins or ends."""

    interval_s: float
    incidents: Sequence[Incident] = ()
    spoken_ms: int = 0

    def active(self, now_ms: int) -> Incident | None:
        return next((incident for incident in self.incidents if incident.active(now_ms)), None)

    def next_ms(self, due_ms: int, now_ms: int, interval_s: float) -> int:
        """The turn after `due_ms`: not in the past, and not after the next edge of an incident."""
        regular = max(due_ms + max(1, round(interval_s * 1000)), now_ms + 1)
        edges = (edge for i in self.incidents for edge in (i.begin_ms, i.end_ms) if now_ms < edge < regular)
        return min(edges, default=regular)

    def first_ms(self, begin_ms: int, share: float) -> int:
        """The first turn after `begin_ms`; soon where something is already wrong."""
        interval_s = self.interval_s if self.active(begin_ms) is None else min(ALARM_S, self.interval_s)
        return self.next_ms(begin_ms, begin_ms, interval_s * share)

    def fresh(self, now_ms: int) -> bool:
        """Whether nothing was said at or after `now_ms` yet; remembers that it is said now."""
        if now_ms <= self.spoken_ms:
            return False
        self.spoken_ms = now_ms
        return True


@dataclass(slots=True)
class Thing:
    """A device that stands somewhere: its kind's sample function speaks for it."""

    device: Device
    kind: Kind
    night: Night
    rng: Random
    turns: Turns
    obedience: Obedience
    due_ms: int = 0

    def line_up(self, begin_ms: int, share: float) -> None:
        self.due_ms = self.turns.first_ms(begin_ms, share)

    def history(self, now_ms: int) -> Iterator[Item]:
        step_ms = round(1000 * (LAMP_STEP_S if self.kind.name == "streetlight" else HISTORY_STEP_S))
        last = now_ms - self.rng.randrange(1000, 3000)
        steps = round(HISTORY_S * 1000) // step_ms
        for ts_ms in range(last - (steps - 1) * step_ms, last + 1, step_ms):
            if self.turns.fresh(ts_ms):
                yield self._sample(ts_ms, None)

    def speak(self, now_ms: int) -> Item | None:
        incident = self.turns.active(now_ms)
        interval_s = self.turns.interval_s if incident is None else min(ALARM_S, self.turns.interval_s)
        self.due_ms = self.turns.next_ms(self.due_ms, now_ms, interval_s)
        if (incident is not None and incident.act.fault == SILENT) or not self.turns.fresh(now_ms):
            return None
        return self._sample(now_ms, incident)

    def _sample(self, ts_ms: int, incident: Incident | None) -> Item:
        night = self.night(self.device, ts_ms)
        told = self.obedience.override(self.device.key, ts_ms)
        fault = "disobeys" if told is not None and self.obedience.refuses(self.device.key) else None
        scene = Scene(
            rng=self.rng,
            device=self.device,
            now_ms=ts_ms,
            dark=should_be_lit(self.device, night) if told is None else told.on,
            fault=fault if incident is None else incident.act.fault,
            age_s=0.0 if incident is None else incident.age_s(ts_ms),
            previous={} if told is None else {"dim_pct": told.dim_pct},
        )
        item: Item = {"ts": ts_ms, **self.kind.sample(scene)}
        return item if incident is None else {**item, **incident.act.overrides}


@dataclass(slots=True)
class Vehicle:
    """A vehicle on its rounds."""

    device: Device
    kind: Kind
    driver: Driver
    rng: Random
    turns: Turns
    due_ms: int = 0

    def line_up(self, begin_ms: int, share: float) -> None:
        self.due_ms = self.turns.first_ms(begin_ms, share)

    def history(self, now_ms: int) -> Iterator[Item]:
        ts_ms = self.driver.start_ms
        while ts_ms < now_ms:
            if self.turns.fresh(ts_ms):
                yield self._sample(ts_ms)
            ts_ms = self._after(ts_ms, ts_ms, DRIVEN_STEP_S)
        if self.driver.at(now_ms).gear.ignition and self.turns.fresh(now_ms - 1):
            yield self._sample(now_ms - 1)

    def speak(self, now_ms: int) -> Item | None:
        incident = self.turns.active(now_ms)
        self.due_ms = self._after(self.due_ms, now_ms, self.turns.interval_s)
        if (incident is not None and incident.act.fault == SILENT) or not self.turns.fresh(now_ms):
            return None
        return self._sample(now_ms)

    def _after(self, due_ms: int, now_ms: int, interval_s: float) -> int:
        if self.driver.at(now_ms).gear.ignition:
            return self.turns.next_ms(due_ms, now_ms, interval_s)
        regular = self.turns.next_ms(due_ms, now_ms, max(PARKED_S, interval_s))
        return min(regular, max(now_ms + 1, self.driver.next_start_ms(now_ms)))

    def _sample(self, ts_ms: int) -> Item:
        moving = self.driver.at(ts_ms).payload()
        scene = Scene(rng=self.rng, device=self.device, now_ms=ts_ms, dark=False, previous=moving)
        return {"ts": ts_ms, **self.kind.sample(scene)}


@dataclass(slots=True)
class Recorded:
    """A vehicle that somebody really drove: its fixes, one after another, and then silence."""

    device: Device
    fixes: Sequence[Fix]
    turns: Turns
    due_ms: int = 0
    _next: int = field(default=0)

    def line_up(self, begin_ms: int, share: float) -> None:
        self._wait()

    def history(self, now_ms: int) -> Iterator[Item]:
        while self._next < len(self.fixes) and self.fixes[self._next].ts_ms < now_ms:
            yield self._take()
        self._wait()

    def speak(self, now_ms: int) -> Item | None:
        if self._next >= len(self.fixes) or self.fixes[self._next].due_ms > now_ms:
            self._wait()
            return None
        item = self._take()
        self._wait()
        return item

    def _take(self) -> Item:
        fix = self.fixes[self._next]
        self._next += 1
        return {"ts": fix.ts_ms, **fix.values}

    def _wait(self) -> None:
        self.due_ms = self.fixes[self._next].due_ms if self._next < len(self.fixes) else FAR_MS


FAR_MS = 2**53
"""A time that never comes."""


def interval_of(device: Device, kind: Kind) -> float:
    """How often a device reports, in s: its profile's `interval_s`, else the kind's."""
    wish = device.profile.get("interval_s", kind.interval_s)
    return float(wish) if isinstance(wish, int | float) and wish > 0 and math.isfinite(wish) else kind.interval_s
