"""Makes InfluxDB ready while the server runs: tried until it works, then old readings are folded little by little."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from citywarden.model.errors import Unavailable
from citywarden.store.influx import Filling

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
AGAIN_S = 3600.0
"""What was ready is looked at again so often: an InfluxDB may be replaced by an empty one."""

FIRST_TRY_S = 5.0
"""The server's start waits so long for the first try."""

NAME = "store set-up"

_log = logging.getLogger(__name__)
Told = Callable[[Sequence[Filling]], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Readiness:
    """`tend` makes buckets and tasks, `fill` folds what there was before them; both raise Unavailable."""

    tend: Callable[[], Awaitable[Sequence[str]]]
    fill: Callable[[Told], Awaitable[Sequence[str]]]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock_s: Callable[[], float] = time.monotonic
    ready: bool = False
    trouble: str = "not done yet"
    pieces: int = 0
    _tried: asyncio.Event = field(default_factory=asyncio.Event)
    _told_s: float | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._say(await self._insisting(self.tend))
            self.ready = True
            self._say(await self._insisting(lambda: self.fill(self._told)))
            await self.sleep(AGAIN_S)

    async def first_try(self, patience_s: float = FIRST_TRY_S) -> None:
        """Returns once buckets and tasks have been tried for, or after a while."""
        try:
            async with asyncio.timeout(patience_s):
                await self._tried.wait()
        except TimeoutError:
            _log.warning("InfluxDB does not answer yet; its set-up goes on beside")

    def report(self) -> Mapping[str, str]:
        """What is not done yet, for the health; nothing when all is well."""
        if self.trouble:
            return {NAME: self.trouble}
        return {NAME: f"old readings are being folded, {self.pieces} pieces left"} if self.pieces else {}

    async def _insisting(self, attempt: Callable[[], Awaitable[Sequence[str]]]) -> Sequence[str]:
        """What the attempt gives once it succeeds; between tries a wait that doubles up to a minute."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                done = await attempt()
            except Unavailable as error:
                if self.trouble != str(error):
                    _log.warning("InfluxDB is not ready, its set-up is tried again: %s", error)
                self.trouble, self._told_s = str(error), None
                self._tried.set()
                await self.sleep(max(wait_s, error.retry_after_s or 0.0))
                wait_s = min(LONGEST_WAIT_S, wait_s * 2)
            else:
                self.trouble = ""
                self._tried.set()
                return done

    async def _told(self, left: Sequence[Filling]) -> None:
        """Between two pieces InfluxDB has as long for the city as the last one took."""
        self.pieces, self.trouble = sum(one.pieces for one in left), ""
        now_s = self.clock_s()
        if left and self._told_s is not None:
            await self.sleep(now_s - self._told_s)
        self._told_s = self.clock_s() if left else None

    @staticmethod
    def _say(lines: Sequence[str]) -> None:
        for line in lines:
            _log.warning("InfluxDB: %s", line)
