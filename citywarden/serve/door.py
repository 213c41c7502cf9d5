"""The door of the log: what a device sends beyond its limit stays outside, counted and sampled."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence

from citywarden.model.errors import Unavailable
from citywarden.model.message import DeadLetter, RawMessage, Reject
from ingest.deadletters import DeadLetters
from ingest.limiter import Limiter
from ingest.subscription import State, Status

_log = logging.getLogger(__name__)


class Door:
    """Screens what comes off the wire. `dead`: counts by reason, to which what is refused here is added."""

    def __init__(self, limiter: Limiter, letters: DeadLetters, dead: Counter[str], clock_ms: Callable[[], int]) -> None:
        self._limiter = limiter
        self._letters = letters
        self._dead = dead
        self._clock_ms = clock_ms

    def observe(self, status: Status) -> None:
        """The subscriber's state has changed."""
        if status.state is State.CONNECTED:
            self._limiter.connected(self._clock_ms())

    async def screen(self, batch: Sequence[RawMessage]) -> Sequence[RawMessage]:
        """What of a batch may go into the log."""
        screened = self._limiter.screen(batch, self._clock_ms())
        if screened.refused:
            self._dead[str(Reject.RATE_LIMITED)] += screened.refused
        if screened.letters:
            await self._keep(screened.letters)
        return screened.kept

    async def _keep(self, letters: Sequence[DeadLetter]) -> None:
        for letter in letters:
            _log.warning("%s: %s", letter.topic, letter.detail)
        try:
            await asyncio.to_thread(self._letters.add, letters)
        except Unavailable as error:
            _log.warning("refused messages are counted, but not kept: %s", error)
