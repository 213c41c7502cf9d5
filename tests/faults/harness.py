"""One driver for the table of faults: a stack, the faults one after the other, the books of each."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from tests.faults.ledger import Count
from tests.faults.scene import Scene, scene
from tests.faults.table import Fault
from tests.faults.traffic import Mark

RATE, SHORT_RATE = 300.0, 150.0
"""Readings a second; the short form is also for machines that do much else."""

LEAK_S = 0.25
RECOVERY_S = 180.0
BEFORE_S, AFTER_S = 0.3, 0.3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a fault. `recovery_s`: from its end until all that was published by then had arrived."""

    fault: Fault
    held_s: float
    count: Count
    recovery_s: float | None
    complaints: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.count.clean and self.recovery_s is not None and not self.complaints


async def suffer(on: Scene, fault: Fault, hold_s: float) -> Outcome:
    """Do one fault to a running stack and make up the books of its time."""
    await on.set_up(fault.clocked)
    begin, dead_before = on.traffic.mark(), (await on.books((on.traffic.mark(), on.traffic.mark()))).dead_letters
    await asyncio.sleep(BEFORE_S)
    complaints = await fault.deed(on, hold_s)
    loop = asyncio.get_running_loop()
    mended_s = loop.time()
    by_then = on.traffic.mark()
    recovery_s = await on.settled((begin, by_then), RECOVERY_S) if not fault.dead else 0.0
    await asyncio.sleep(AFTER_S)
    end = await on.traffic.pause()
    if fault.dead:
        recovery_s = await _with_dead(on, (begin, end), fault.dead, mended_s)
    else:
        await on.settled((begin, end), RECOVERY_S)
    count = await on.books((begin, end))
    made = count.dead_letters - dead_before
    if made != fault.dead:
        complaints.append(f"{made} dead letters, expected {fault.dead}")
    if count.lost == fault.dead and made == fault.dead:
        count = replace(count, lost=0)
    on.traffic.go_on()
    return Outcome(fault, hold_s, count, recovery_s, tuple(complaints))


async def _with_dead(on: Scene, span: tuple[Mark, Mark], dead: int, since_s: float) -> float | None:
    loop = asyncio.get_running_loop()
    while loop.time() - since_s < RECOVERY_S:
        found = await on.books(span)
        if found.lost == dead and not (found.alerts_lost or found.webhooks_lost):
            return loop.time() - since_s
        await asyncio.sleep(0.1)
    return None


async def endure(faults: Sequence[Fault], short: bool) -> AsyncIterator[Outcome]:
    """All faults, one after the other, on one stack."""
    async with scene(SHORT_RATE if short else RATE, LEAK_S) as on:
        for fault in faults:
            yield await suffer(on, fault, fault.short_s if short else fault.long_s)
