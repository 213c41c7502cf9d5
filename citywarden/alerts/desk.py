"""The alert desk as one event loop sees it: every call runs on one thread, one after the other."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from sqlalchemy import Connection

from citywarden.alerts import archive, outbox, silences
from citywarden.alerts.counters import Counters
from citywarden.alerts.ledger import Desk, OpenKey
from citywarden.alerts.outbox import Delivery, State
from citywarden.alerts.progress import Position
from citywarden.alerts.records import Event
from citywarden.alerts.silences import Silence
from citywarden.model.alert import Alert, AlertQuery, Finding, Severity
from citywarden.model.dispatch import AlertDeed
from citywarden.model.page import Page

__all__ = ["AsyncDesk", "Desk", "OpenKey"]

BATCH = 5000
"""Alerts that are changed by hand in one transaction: what a person may choose at once."""

P = ParamSpec("P")
R = TypeVar("R")


class AsyncDesk:
    """The desk for one event loop: every call runs on one thread, one after the other. The console's inbox.

    `clock_ms`: server time, for what people do.
    """

    def __init__(self, desk: Desk, clock_ms: Callable[[], int]) -> None:
        self.desk = desk
        self._clock_ms = clock_ms
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="alerts")
        self._listeners: list[Callable[[Sequence[Alert]], None]] = []

    @property
    def counters(self) -> Counters:
        return self.desk.counters

    def subscribe(self, listener: Callable[[Sequence[Alert]], None]) -> None:
        """Have `listener` called on the event loop with the alerts that just changed, once they are committed."""
        self._listeners.append(listener)

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` on the desk's thread, so that it meets no other writer of this process."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **kwargs))

    async def read(self, work: Callable[[Connection], R]) -> R:
        """See `Desk.read`."""
        return await self.run(self.desk.read, work)

    async def write(self, work: Callable[[Connection], R]) -> R:
        """See `Desk.write`."""
        return await self.run(self.desk.write, work)

    async def apply(self, findings: Sequence[Finding], now_ms: int, consumed: Position) -> list[Alert]:
        """See `Desk.apply`."""
        return await self._change(lambda: self.desk.apply(findings, now_ms, consumed))

    async def acknowledge(self, alert_id: str, by: str, note: str | None) -> Alert:
        """See `Desk.acknowledge`."""
        return (await self._change(lambda: [self.desk.acknowledge(alert_id, by, note, self._clock_ms())]))[0]

    async def resolve(self, alert_id: str, by: str, note: str | None) -> Alert:
        """See `Desk.resolve`."""
        return (await self._change(lambda: [self.desk.resolve(alert_id, by, note, self._clock_ms())]))[0]

    async def assign(self, alert_id: str, by: str, to: str | None, note: str | None = None) -> Alert:
        """See `Desk.assign`."""
        return (await self._change(lambda: [self.desk.assign(alert_id, by, to, note, self._clock_ms())]))[0]

    async def remark(self, alert_id: str, by: str, note: str) -> Alert:
        """See `Desk.remark`."""
        return (await self._change(lambda: [self.desk.remark(alert_id, by, note, self._clock_ms())]))[0]

    async def close_alert(self, alert_id: str, by: str, note: str | None) -> Alert:
        """See `Desk.close`."""
        return (await self._change(lambda: [self.desk.close(alert_id, by, note, self._clock_ms())]))[0]

    async def do_all(self, ids: Sequence[str], deed: AlertDeed, tenant: str | None = None) -> list[Alert]:
        """See `Desk.do_all`; many are done in batches, between which others get their turn."""
        unique, done = list(dict.fromkeys(ids)), list[Alert]()
        for first in range(0, len(unique), BATCH):
            piece = unique[first : first + BATCH]
            done += await self._change(partial(self.desk.do_all, piece, deed, self._clock_ms(), tenant))
        return done

    async def silence(self, silence: Silence) -> Silence:
        """See `Desk.silence`."""
        await self._change(lambda: self.desk.silence(silence, self._clock_ms()))
        return silence

    async def end_silence(self, silence_id: str, by: str) -> Silence:
        """See `Desk.end_silence`."""
        await self._change(lambda: self.desk.end_silence(silence_id, by, self._clock_ms()))
        return await self.read(partial(silences.get, silence_id=silence_id))

    async def silences(self, after_ms: int | None = None, limit: int = 100, cursor: str | None = None) -> Page[Silence]:
        """Silences that end after a time (None: all there were), newest first."""
        return await self.read(partial(silences.find, after_ms=after_ms, limit=limit, cursor=cursor))

    async def tick(self) -> Sequence[Alert]:
        """See `Desk.tick`."""
        return await self._change(lambda: self.desk.tick(self._clock_ms()))

    async def open(self) -> Sequence[Alert]:
        return await self.run(self.desk.open)

    async def open_keys(self) -> list[OpenKey]:
        return await self.run(self.desk.open_keys)

    async def find(self, query: AlertQuery) -> Page[Alert]:
        return await self.run(self.desk.find, query)

    async def count(self, query: AlertQuery) -> Mapping[Severity, int]:
        """How many alerts match, by severity; whatever severity, page and limit the query names."""
        return await self.read(partial(archive.count, query=query))

    async def get(self, alert_id: str) -> Alert:
        return await self.run(self.desk.get, alert_id)

    async def history(self, alert_id: str) -> Sequence[Event]:
        return await self.run(self.desk.history, alert_id)

    async def trim(self, before_ms: int) -> int:
        """See `Desk.trim`."""
        return await self.run(self.desk.trim, before_ms)

    async def deliveries(
        self, target: str | None = None, state: State | None = None, limit: int = 100, cursor: str | None = None
    ) -> Page[Delivery]:
        """What waits, was taken or was given up, newest first."""
        return await self.read(partial(outbox.find, target=target, state=state, limit=limit, cursor=cursor))

    async def deliveries_of(self, alert_id: str) -> Sequence[Delivery]:
        """What has been, or is to be, sent to whom of one alert, oldest first."""
        return await self.read(partial(outbox.of_alert, alert_id=alert_id))

    async def position(self) -> Mapping[int, int]:
        return await self.run(self.desk.position)

    async def save_position(self, consumed: Position) -> None:
        await self.run(self.desk.save_position, consumed)

    async def save_snapshot(self, name: str, position: Position, data: bytes) -> None:
        await self.run(self.desk.save_snapshot, name, position, data)

    async def load_snapshot(self, name: str) -> tuple[Mapping[int, int], bytes] | None:
        return await self.run(self.desk.load_snapshot, name)

    async def close(self) -> None:
        """Wait for what is under way; nothing may be called any more."""
        await asyncio.to_thread(self._thread.shutdown)

    async def _change(self, work: Callable[[], list[Alert]]) -> list[Alert]:
        # A caller that is cancelled must not keep the listeners from hearing of what is committed all the same.
        return await asyncio.shield(self._change_and_tell(work))

    async def _change_and_tell(self, work: Callable[[], list[Alert]]) -> list[Alert]:
        changed = await self.run(work)
        if changed:
            for listener in self._listeners:
                listener(changed)
        return changed
