"""One watcher for all open pages: looks at the live picture once a second and tells every page what changed.

Pages are `Viewer`s. A page confirms what it has shown; one that does not keep up is told nothing until it does, and
then gets the whole picture: it costs itself freshness and the server nothing. Without a page nothing runs.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TypeVar

from citywarden.live import Lagged
from citywarden.model.alert import Alert
from citywarden.model.work import TaskReport
from dashboards.console.desk import (
    ALERT_HOURS,
    HOUR_MS,
    WORST_FLOODS,
    History,
    alerts_by_hour,
    day_of,
    read_alerts_since,
    read_registry,
    read_work,
    work_hours,
    worst_floods,
)
from dashboards.console.picture import RESOLVED_SHOWN_MS, Json
from dashboards.console.scene import Scene
from dashboards.console.sight import Bands, Seen
from dashboards.sources import Sources

log = logging.getLogger(__name__)

TICK_S = 1.0
REST = 4
"""Looking never takes more than a fifth of the time: a city too large for that is looked at less often."""
ALERT_DELAY_S = 0.1
"""Alerts that come together are told together."""
WORK_S, DEPTHS_S, RAISED_S, REGISTRY_S, INBOX_S = 5.0, 8.0, 20.0, 60.0, 30.0
"""How often the slow sources are read again."""
SOON_S = 1.0
"""How soon a chart that is still empty asks again: the store may lag behind what is seen."""
UNCONFIRMED = 3
"""Frames a page may have under way."""
PATIENCE_S = 15.0
"""After that long without a word a page is offered the whole picture again."""

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Viewer:
    """A page that watches. `deliver` takes a frame and must not block; `frame["seq"]` is to be confirmed. `alerts` is
    called when an alert has changed.
    """

    deliver: Callable[[Mapping[str, Json]], None]
    charts: Callable[[History], None] = lambda _: None
    alerts: Callable[[], None] = lambda: None
    sent: int = 0
    confirmed: int = 0
    whole: bool = True
    told_at: float = field(default_factory=monotonic)

    def confirm(self, seq: int) -> None:
        self.confirmed = max(self.confirmed, min(seq, self.sent))

    @property
    def behind(self) -> bool:
        return self.sent - self.confirmed >= UNCONFIRMED and monotonic() - self.told_at < PATIENCE_S


class Broadcast:
    """Watches the sources while anybody watches it."""

    def __init__(self, sources: Sources, bands: Bands | None = None) -> None:
        self.sources = sources
        self.scene = Scene(sources, bands or Bands())
        self.history = History()
        self.viewers: set[Viewer] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._flush: asyncio.TimerHandle | None = None
        self._troubles: dict[str, str] = {}

    # pages

    def attach(self, viewer: Viewer) -> None:
        """Begin to tell a page (again): the whole picture first."""
        viewer.whole, viewer.confirmed, viewer.told_at = True, viewer.sent, monotonic()
        self.viewers.add(viewer)
        if not self._tasks:
            loops: Sequence[Callable[[], Coroutine[None, None, None]]] = (self._hear, self._tick, self._read)
            self._tasks = [asyncio.create_task(loop(), name=f"console {loop.__name__}") for loop in loops]
        elif self.scene.looked:
            self._tell(viewer, self.scene.whole(self._health()))
            viewer.charts(self.history)

    def detach(self, viewer: Viewer) -> None:
        """Stop telling a page; with the last one everything stops."""
        self.viewers.discard(viewer)
        if not self.viewers:
            self._cancel()

    async def stop(self) -> None:
        self.viewers.clear()
        tasks = list(self._tasks)
        self._cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None

    # what a person does

    def show(self, alert: Alert) -> Alert:
        """Show at once what somebody has done."""
        self.scene.take_alert(alert)
        self._soon()
        return alert

    # the loops

    async def _hear(self) -> None:
        with self.sources.live.listen(readings=False) as listener:
            await self._guard("alerts", self._read_inbox())
            async for change in listener:
                if isinstance(change, Lagged):
                    await self._guard("alerts", self._read_inbox())
                elif isinstance(change, Alert):
                    self.scene.take_alert(change)
                    self._soon()
                elif isinstance(change, TaskReport):
                    self.scene.take_report(change)

    async def _tick(self) -> None:
        while True:
            began = monotonic()
            for kind in self.sources.kinds.values():
                await self._guard(kind.name, self._look(kind.name))
                await asyncio.sleep(0)
            self.scene.forget_resolved(self.sources.now_ms() - RESOLVED_SHOWN_MS)
            self._publish(self.scene.changes(self._health()))
            spent = monotonic() - began
            await asyncio.sleep(max(TICK_S - spent, REST * spent))

    async def _read(self) -> None:
        every: dict[Callable[[], Coroutine[None, None, None]], float] = {
            self._read_registry: REGISTRY_S,
            self._read_work: WORK_S,
            self._read_raised: RAISED_S,
            self._read_depths: DEPTHS_S,
            self._read_inbox: INBOX_S,
        }
        due = dict.fromkeys(every, 0.0)
        while True:
            for read, at in due.items():
                if monotonic() >= at:
                    await self._guard(read.__name__, read())
                    due[read] = monotonic() + every[read]
            if not self.history.depths:
                due[self._read_depths] = min(due[self._read_depths], monotonic() + SOON_S)
            await asyncio.sleep(0.5)

    async def _look(self, kind: str) -> None:
        self.scene.look(kind)

    async def _guard(self, what: str, work: Awaitable[T]) -> T | None:
        """A source that fails darkens the health lamp; the wall goes on with what it has."""
        try:
            done = await work
        except Exception as error:
            if what not in self._troubles:
                log.exception("console cannot read %s", what)
            self._troubles[what] = str(error) or type(error).__name__
            return None
        self._troubles.pop(what, None)
        return done

    async def _read_registry(self) -> None:
        self.scene.take_registry(await read_registry(self.sources.devices))

    async def _read_work(self) -> None:
        now_ms = self.sources.now_ms()
        self.scene.take_work(await read_work(self.sources.work, day_of(now_ms, self.sources), now_ms))
        hours = work_hours(self.scene.work, self.scene.vehicle_names(), now_ms)
        self._chart(replace(self.history, work=hours))

    async def _read_inbox(self) -> None:
        self.scene.take_inbox(await self.sources.alerts.open())
        self._soon()

    async def _read_raised(self) -> None:
        now_ms = self.sources.now_ms()
        raised = await read_alerts_since(self.sources.alerts, now_ms - ALERT_HOURS * HOUR_MS)
        self._chart(replace(self.history, alerts=alerts_by_hour(raised, now_ms)))

    async def _read_depths(self) -> None:
        now_ms = self.sources.now_ms()
        floods: Sequence[Seen] = sorted(
            (s for s in self.scene.seen.get("waterlogging", ()) if s.value is not None), key=lambda s: -(s.value or 0.0)
        )[:WORST_FLOODS]
        if floods:
            keys = [s.device.key for s in floods]
            window = await self.sources.store.window("waterlogging", now_ms - HOUR_MS, now_ms + 1, keys)
            depths = worst_floods(window, {s.device.key: s.device.name for s in floods})
            self._chart(replace(self.history, depths=depths))

    def _chart(self, history: History) -> None:
        """Tell the pages when a chart has changed."""
        if history != self.history:
            self.history = history
            for viewer in list(self.viewers):
                viewer.charts(history)

    # telling

    def _health(self) -> dict[str, Json]:
        health = self.sources.health()
        wrong = {name: what for name, what in health.components.items() if what != "ok"} | self._troubles
        return {"ok": health.ok and not self._troubles, "wrong": wrong, "figures": dict(health.figures)}

    def _soon(self) -> None:
        if self._flush is None and self._tasks:
            self._flush = asyncio.get_running_loop().call_later(ALERT_DELAY_S, self._tell_alerts)

    def _tell_alerts(self) -> None:
        self._flush = None
        if self.scene.looked:
            self._publish(self.scene.alert_changes())

    def _publish(self, frame: dict[str, Json]) -> None:
        whole: dict[str, Json] | None = None
        for viewer in list(self.viewers):
            if viewer.behind:
                viewer.whole = True
            elif viewer.whole:
                whole = whole or self.scene.whole(self._health())
                self._tell(viewer, whole)
            elif frame:
                self._tell(viewer, frame)

    def _tell(self, viewer: Viewer, frame: Mapping[str, Json]) -> None:
        viewer.sent += 1
        viewer.whole, viewer.told_at = False, monotonic()
        try:
            viewer.deliver({**frame, "seq": viewer.sent})
            if "alerts" in frame:
                viewer.alerts()
        except Exception:
            log.exception("a page could not be told; it is let go")
            self.viewers.discard(viewer)
