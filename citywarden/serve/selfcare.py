"""The server looks after itself: reads its own figures every second and raises and clears alerts about them."""

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field

from citywarden.alerts.desk import AsyncDesk
from citywarden.model.alert import Finding
from citywarden.model.errors import Unavailable
from citywarden.serve import selfwatch
from citywarden.serve.clock import ServerClock
from citywarden.serve.disk import Reserve
from citywarden.serve.vitals import Vitals
from ingest.pipeline import STORE_CONSUMER
from ingest.subscription import State

EVERY_S = 1.0
REMEMBERED_S = 600.0
"""A session that was taken over is talked about for so long after the last time."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Stopwatches:
    """Since when what holds has held, steady s."""

    _since_s: dict[str, float] = field(default_factory=dict)

    def held_s(self, name: str, holds: bool, now_s: float) -> float:
        """For how long it has held without a break, 0 when it does not."""
        if not holds:
            self._since_s.pop(name, None)
            return 0.0
        return now_s - self._since_s.setdefault(name, now_s)


class Selfcare:
    """Looks with `figures`, and with `run` until cancelled. `whose`: (tenant, subject) of the alerts."""

    def __init__(
        self, vitals: Vitals, desk: AsyncDesk, clock: ServerClock, reserve: Reserve, whose: tuple[str, str]
    ) -> None:
        self._vitals = vitals
        self._desk = desk
        self._clock = clock
        self._reserve = reserve
        self._whose = whose
        self._watches = Stopwatches()
        self._written = -1

    def figures(self, now_s: float) -> dict[str, float]:
        """Value by rule, as `selfwatch.SIGNS` want them."""
        v, held = self._vitals, self._watches.held_s
        written = v.drain.stored + v.drain.known + sum(v.drain.dead.values())
        moved, self._written = written != self._written, written
        stuck = v.backlog.get(STORE_CONSUMER, 0) > 0 and not moved
        away = v.mqtt.state not in (State.CONNECTED, State.STALLED)
        if v.mqtt.state is State.STALLED:
            v.stalls.see(now_s)
        with suppress(Unavailable):
            self._reserve.check()
        return {
            "ingest.behind": v.judged.lag_ms / 1000,
            "store.behind": held("store", stuck or v.drain.trouble is not None, now_s),
            "broker.away": held("broker", away, now_s),
            "broker.taken_over": float(sum(now_s - at_s < REMEMBERED_S for at_s in v.taken_over_s)),
            "log.stalled": v.stalls.length_s(now_s),
            "disk.low": self._reserve.free_mb,
            "server.clock": abs(self._clock.gap_ms) / 1000,
            "server.failing": float(len(v.crashed)),
        }

    async def run(self) -> None:
        """Every second."""
        waiting: list[Finding] = []
        state = selfwatch.resume(self._whose[1], await self._desk.open())
        while True:
            now_s, now_ms = time.monotonic(), self._clock()
            self._vitals.signs = self.figures(now_s)
            waiting += selfwatch.step(state, self._vitals.signs, self._whose, now_s, now_ms)
            try:
                if waiting:
                    await self._desk.apply(waiting, now_ms, {})
                    waiting.clear()
            except Unavailable as error:
                _log.warning("what is wrong with the server itself cannot be told now: %s", error)
            await asyncio.sleep(EVERY_S)
