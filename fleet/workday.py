"""Who does what today: one shift per vehicle, laid around the moment the demo starts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from citywarden.model.work import Operation
from fleet.roads import Roads
from fleet.shifts import Behaviour, Home, Outing, Shift, Site

HORIZON_S = 6 * 3600.0
"""Work is planned this far ahead of the demo's start."""

RESERVE_S = 1200.0
"""Every vehicle is in the depot, engine off, this long before its shift."""

_USUAL = {
    Behaviour.NORMAL: 79,
    Behaviour.SKIP: 6,
    Behaviour.DETOUR: 5,
    Behaviour.SPEEDING: 5,
    Behaviour.REST: 2,
    Behaviour.LATE: 3,
}


@dataclass(frozen=True, slots=True)
class Part:
    """What a vehicle plays at the start: `anchor` of its first live task falls `offset_s` after the demo's start."""

    behaviour: Behaviour
    anchor: Callable[[Outing], float]
    offset_s: float
    before: int = 2
    """Tasks it has behind it when the demo starts."""
    morning: Behaviour | None = None
    """How the last of them went; None: as they usually do."""


def _starts(outing: Outing) -> float:
    return outing.start_s


def _ends(outing: Outing) -> float:
    return outing.end_s


def _happens(outing: Outing) -> float:
    return outing.moment_s


LATE_S = 960.0
"""How long after its window opened a late vehicle comes: past the 15 min at which it counts as missing."""

CAST = (
    (Operation.SWEEP, Part(Behaviour.SKIP, _ends, 58.0)),
    (Operation.SWEEP, Part(Behaviour.DETOUR, _happens, -28.0)),
    (Operation.SWEEP, Part(Behaviour.LATE, _happens, 110.0, before=0)),
    (Operation.SWEEP, Part(Behaviour.SPEEDING, _happens, 20.0)),
    (Operation.SPRINKLE, Part(Behaviour.REST, _happens, -235.0)),
    (Operation.SWEEP, Part(Behaviour.NORMAL, _starts, 90.0, before=0)),
    (Operation.WASH, Part(Behaviour.NORMAL, _starts, 240.0, before=0)),
    (Operation.SWEEP, Part(Behaviour.NORMAL, _ends, 100.0, morning=Behaviour.SKIP)),
    (Operation.WASH, Part(Behaviour.NORMAL, _ends, 45.0, morning=Behaviour.SPEEDING)),
)
"""The vehicles whose first minutes are arranged: what goes wrong is there to see at once."""

MIX = (
    (Operation.SWEEP, 14),
    (Operation.WASH, 6),
    (Operation.SPRINKLE, 6),
    (Operation.COLLECT, 4),
)
"""Of thirty vehicles, how many do what."""


def assign(count: int, rng: Random) -> list[tuple[Operation, Part]]:
    """Operation and part of each of `count` vehicles: the cast first, then ordinary ones in the usual mix."""
    jobs: list[tuple[Operation, Part]] = list(CAST[:count])
    total = sum(n for _, n in MIX)
    for operation, share in MIX:
        wanted = max(1, round(count * share / total))
        have = sum(1 for job, _ in jobs if job is operation)
        for _ in range(min(wanted - have, count - len(jobs))):
            jobs.append((operation, Part(Behaviour.NORMAL, _happens, -rng.uniform(60.0, 900.0), rng.choice((1, 2)))))
    while len(jobs) < count:
        jobs.append((Operation.SWEEP, Part(Behaviour.NORMAL, _happens, -rng.uniform(60.0, 900.0), 2)))
    return jobs


def plan_shift(
    roads: Roads, operation: Operation, part: Part, home: Home, sites: Sequence[Site], rng: Random
) -> tuple[Shift, float]:
    """A shift and the second of its own clock at which the demo starts."""
    shift = Shift(roads, operation, home, rng)
    depart(shift, part)
    for n in range(part.before):
        usual = _usual(shift) if n else Behaviour.NORMAL
        _next(shift, part.morning if part.morning and n == part.before - 1 else usual, sites, live=False)
    first = shift.work(part.behaviour, 3 if part.behaviour is Behaviour.LATE else None, _wait(part.behaviour))
    start_s = part.anchor(first) - part.offset_s
    if part.behaviour is Behaviour.SKIP:
        shift.make_up(first)
    while shift.clock_s < start_s + HORIZON_S:
        _next(shift, _usual(shift), sites, live=True)
    shift.park(RESERVE_S)
    return shift, start_s


def depart(shift: Shift, part: Part) -> None:
    """Out of the depot: the late ones and those that start there stay in its neighbourhood, others spread out."""
    shift.park(RESERVE_S + _wait(part.behaviour))
    if part.before:
        shift.transfer(shift.rng.choice(sorted(shift.roads.junctions)))


def _wait(behaviour: Behaviour) -> float:
    return LATE_S if behaviour is Behaviour.LATE else 0.0


def _usual(shift: Shift) -> Behaviour:
    """How the next task goes. Nothing can be skipped between bins, where the lift rests anyway."""
    behaviour = shift.rng.choices(list(_USUAL), list(_USUAL.values()))[0]
    bins = shift.operation is Operation.COLLECT and behaviour in (Behaviour.SKIP, Behaviour.SPEEDING)
    return Behaviour.NORMAL if bins else behaviour


def _next(shift: Shift, behaviour: Behaviour, sites: Sequence[Site], live: bool) -> None:
    """One more task, with what comes before it: a late start, water, the tip."""
    if behaviour is Behaviour.LATE:
        shift.park(LATE_S + 60.0)
    elif shift.operation is not Operation.SWEEP and len(shift.outings) % 2 == 0 and shift.outings:
        shift.visit(sites[0] if shift.operation is Operation.COLLECT else sites[1])
    outing = shift.work(behaviour, wait_s=_wait(behaviour))
    if behaviour is Behaviour.SKIP and live:
        shift.make_up(outing)
