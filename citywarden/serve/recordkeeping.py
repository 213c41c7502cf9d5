"""The record of changes, kept for its time, and its end noted where the database's owner does not reach.

Every hour, where it has grown: number and digest of the last entry go into the server's log, into `audit.heads` in the
data folder, and as measurement `audit` into the store (InfluxDB: the bucket of records).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from citywarden.access.record import Record
from citywarden.model.access import Head
from citywarden.model.errors import CitywardenError
from citywarden.store.contract import Point

MEASUREMENT = "audit"
NOTE_EVERY_MS = 3_600_000
GIVE_UP_MS = 600_000
"""What was begun so long ago and has not ended was broken off: the process that did it is dead."""
GIVE_UP_EVERY_MS = 60_000
CUT_EVERY_MS = 86_400_000
LOOK_S = 1.0

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)
"""What is noted here belongs into the log, however quiet that is."""


class RecordKeeper:
    """Looks after the record while the server runs. `days`: how long entries are kept, 0 for ever."""

    def __init__(
        self, record: Record, days: int, offer: Callable[[Iterable[Point]], None], clock_ms: Callable[[], int]
    ) -> None:
        self._record = record
        self._keep_ms = days * 86_400_000
        self._offer = offer
        self._clock_ms = clock_ms
        self._noted: Head | None = None
        self._noted_ms: int | None = None
        self._cut_ms: int | None = None
        self._gave_up_ms: int | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                if self._is_due():
                    self._offer(await asyncio.to_thread(self.look))
            except CitywardenError as error:
                log.warning("the record cannot be looked after now: %s", error)
            await asyncio.sleep(LOOK_S)

    def look(self) -> list[Point]:
        """Once: enter what was broken off, cut what is too old, and note the head, each where it is time; returns the
        head for the store. Raises CitywardenError.
        """
        now_ms = self._clock_ms()
        if _is_time(self._gave_up_ms, now_ms, GIVE_UP_EVERY_MS):
            broken, self._gave_up_ms = self._record.give_up(now_ms - GIVE_UP_MS), now_ms
            if broken:
                log.warning("broken off, see `unfinished` in the audit: %s", broken)
        if self._is_time_to_cut(now_ms):
            first = self._record.cut(now_ms - self._keep_ms, now_ms)
            self._cut_ms = now_ms
            if first:
                log.info("the audit's entries before number %s were cut for their age", first)
        if not _is_time(self._noted_ms, now_ms, NOTE_EVERY_MS):
            return []
        head, self._noted_ms = self._record.note_head(now_ms), now_ms
        if head is None or head == self._noted:
            return []
        log.info("the audit's head is %s", head)
        self._noted = head
        return [Point(MEASUREMENT, {"of": "record"}, now_ms, {"number": head.number, "digest": head.digest})]

    def _is_due(self) -> bool:
        now_ms = self._clock_ms()
        return (
            self._is_time_to_cut(now_ms)
            or _is_time(self._noted_ms, now_ms, NOTE_EVERY_MS)
            or _is_time(self._gave_up_ms, now_ms, GIVE_UP_EVERY_MS)
        )

    def _is_time_to_cut(self, now_ms: int) -> bool:
        return bool(self._keep_ms) and _is_time(self._cut_ms, now_ms, CUT_EVERY_MS)


def _is_time(last_ms: int | None, now_ms: int, every_ms: int) -> bool:
    """Whether it is time again; a clock that jumped back does not put it off."""
    return last_ms is None or abs(now_ms - last_ms) >= every_ms
