"""The consumer that judges: log -> rules -> alerts, with the live picture on the way.

What it has found, the alerts that come of it and how far it has read are committed in one database transaction, so a
crash at any point neither loses nor doubles an alert. The rules' memory is saved now and then with its position; after
a restart the messages between that position and the committed one are read once more, for the memory only.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.exc import OperationalError

from citywarden.alerts.desk import AsyncDesk
from citywarden.columns import Columns
from citywarden.live import Live
from citywarden.log.contract import Position, Slice
from citywarden.model.alert import OWN_KINDS, Finding
from citywarden.model.command import CommandResult
from citywarden.model.device import DeviceKey
from citywarden.model.errors import Unavailable
from citywarden.model.work import TaskReport
from citywarden.serve.remembering import Remembering
from ingest.decode import Decoded
from ingest.feed import Feed, by_kind, position_of, within
from ingest.registry import Registry
from rules import engine

RULES_CONSUMER = "rules"
SERVER = "citywarden"
"""Who closes an alert that nobody closed."""

READ_LIMIT = 20_000
"""Messages judged at a time, while behind: most of what a step costs is by the step, so few large ones catch up."""

READ_SPAN_MS = 60_000
"""And at most those of a minute, so that a silence shorter than what is read at a time is not passed over."""

TICK_S = 1.0
LINGER_S = 0.04
"""The first message after a pause waits this long for company: a step costs about as much for one as for a hundred."""

FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 4.0

_log = logging.getLogger(__name__)


Answered = Callable[[Sequence[CommandResult]], Awaitable[None]]
"""Hears what devices answered to commands."""


async def _unheard(_results: Sequence[CommandResult]) -> None:
    return None


@dataclass(slots=True)
class Hooks:
    """What else wants to know: reports of tasks, and the tasks of the days around a time; what judges a batch; and
    what devices answered to commands, before the position moves past it.
    """

    judged: Callable[[Sequence[TaskReport]], None]
    replanned: Callable[[engine.State, int], engine.State]
    step: Callable[[engine.State, Sequence[Columns], int], engine.Outcome] = engine.step
    answered: Answered = _unheard


@dataclass(slots=True)
class Progress:
    """What the health page shows of this consumer."""

    position: dict[int, int] = field(default_factory=dict)
    messages: int = 0
    lag_ms: int = 0
    findings: int = 0
    skipped: int = 0
    trouble: str | None = None
    """Why what was found cannot be committed now."""


class Judge:
    """Runs the rule engine over the log."""

    def __init__(
        self, feed: Feed, registry: Registry, desk: AsyncDesk, live: Live, clock_ms: Callable[[], int], hooks: Hooks
    ) -> None:
        self._feed = feed
        self._log = feed.log
        self._registry = registry
        self._watch = registry.watch()
        self._desk = desk
        self._live = live
        self._clock_ms = clock_ms
        self._hooks = hooks
        self._memory = Remembering(RULES_CONSUMER, feed.log, desk, clock_ms)
        self._failed_at: dict[int, int] | None = None
        self._state: engine.State | None = None
        self.progress = Progress()

    @property
    def state(self) -> engine.State:
        """What the rules remember now; only after `restore`."""
        if self._state is None:
            raise RuntimeError("the judge has not been restored yet")
        return self._state

    async def restore(self, fresh: Callable[[bytes | None], engine.State]) -> engine.State:
        """The state of the last run brought up to the committed position; `fresh(None)` where there is none."""
        snapshot = await self._memory.load()
        committed = dict(await self._desk.position())
        position: dict[int, int] = {}
        try:
            state = fresh(snapshot[1] if snapshot else None)
            position = dict(snapshot[0]) if snapshot else {}
        except ValueError as error:
            _log.warning("the saved rule state cannot be used (%s); the rules start anew from the open alerts", error)
            state, position = fresh(None), committed
        if snapshot is None:
            position = committed
        while behind(position, committed):
            parts = await self._read_back(position, committed)
            if not parts:
                break
            batch, now_ms = by_kind(parts), _newest_ms(parts)
            outcome = engine.step(state, batch, now_ms)
            state = outcome.state
            self._hooks.judged(outcome.reports)
            position = dict(position_of(parts, position))
        self.progress.position = position
        state = engine.enroll(state, self._registry.placed(), self._clock_ms())
        self._state = engine.reconcile(state, await self._desk.open_keys())
        await self._close_orphans()
        return self._state

    async def run(self) -> None:
        """Until cancelled; the memory is saved once more then. After an error it is worthless: `restore` first."""
        try:
            await self._run()
        except asyncio.CancelledError:
            await self.save()
            raise

    async def _run(self) -> None:
        ticked_ms = refreshed_ms = 0
        idle = False
        while True:
            parts = [] if idle else await self.read()
            if parts:
                await self.judge(parts)
                now_ms = parts[-1].newest_ms
            else:
                now_ms = self._clock_ms()
                self.progress.lag_ms = 0
            if abs(now_ms - ticked_ms) >= TICK_S * 1000:
                ticked_ms = now_ms
                self._state = self._hooks.replanned(self.state, now_ms)
                await self._commit(engine.step(self.state, (), now_ms), self.progress.position)
            if abs(self._clock_ms() - refreshed_ms) >= 2000:
                refreshed_ms = self._clock_ms()
                await self._take_in_registry(refreshed_ms)
            self._memory.save_when_due(self.state, self.progress.position)
            if not parts:
                idle = not await self._log.wait(self.progress.position, TICK_S / 2)
                if not idle:
                    await asyncio.sleep(LINGER_S)

    async def read(self) -> Sequence[Decoded]:
        """What comes after the position."""
        return await self._feed.read(RULES_CONSUMER, self.progress.position, READ_LIMIT, READ_SPAN_MS)

    async def judge(self, parts: Sequence[Decoded]) -> None:
        """Judge what was read, commit what was found, and move on."""
        batch, newest_ms = by_kind(parts), _newest_ms(parts)
        for change in (change for part in parts for change in part.statuses):
            self._live.note_presence(change.device.key, change.online, change.received_ms)
        for columns in batch:
            self._live.update(columns)
        if results := [result for part in parts for result in part.results]:
            await self._hooks.answered(results)
        outcome = self._step(batch, newest_ms) if batch else None
        position = position_of(parts, self.progress.position)
        if outcome:
            await self._commit(outcome, position)
        self.progress.position = dict(position)
        self._feed.passed(RULES_CONSUMER, position)
        self.progress.messages += sum(part.end - part.first for part in parts)
        self.progress.lag_ms = max(0, self._clock_ms() - newest_ms)
        self._memory.change()

    def _step(self, batch: Sequence[Columns], now_ms: int) -> engine.Outcome | None:
        """Judge; a batch that makes the rules fail a second time is skipped, so that one reading cannot stop all."""
        if self._failed_at == self.progress.position:
            self.progress.skipped += sum(len(columns) for columns in batch)
            _log.error("the rules failed twice on %d readings; they are stored, but not judged", self.progress.skipped)
            return None
        try:
            return self._hooks.step(self.state, batch, now_ms)
        except Exception:
            self._failed_at = dict(self.progress.position)
            raise

    async def _read_back(self, position: Position, committed: Position) -> list[Decoded]:
        """What comes after `position`, as far as it has been judged before, and at most that of a minute."""
        found: list[Decoded] = []
        for part in _before(await self._log.read(position, READ_LIMIT), committed):
            if found and not within(found[0], part.messages[-1].received_ms, READ_SPAN_MS):
                break
            found.append(self._feed.decode(part))
            await asyncio.sleep(0)
        return found

    async def _commit(self, outcome: engine.Outcome, position: Position) -> None:
        self._state = outcome.state
        if outcome.reports:
            self._hooks.judged(outcome.reports)
            for report in outcome.reports:
                self._live.tell(report)
        if not outcome.findings:
            return
        self.progress.findings += len(outcome.findings)
        await self._patiently(lambda: self._apply(outcome.findings, position))

    async def _apply(self, findings: Sequence[Finding], position: Position) -> None:
        await self._desk.apply(findings, self._clock_ms(), position)

    async def _patiently(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Try until the database takes it: what was found waits here, and the rest in the log."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                await attempt()
            except (Unavailable, OperationalError) as error:
                if self.progress.trouble is None:
                    _log.warning("the rules wait for the database: %s", error)
                self.progress.trouble = " ".join(str(error).split())[:200]
                await asyncio.sleep(wait_s)
                wait_s = min(LONGEST_WAIT_S, wait_s * 2)
            else:
                self.progress.trouble = None
                return

    async def _take_in_registry(self, now_ms: int) -> None:
        await self._patiently(self._refresh)
        changed, gone = self._watch.drain()
        if gone or any(not device.enabled for device in changed):
            await self._patiently(self._close_orphans)
        if changed:
            self._state = engine.enroll(self.state, changed, now_ms)
        if gone:
            self._state = engine.forget(self.state, gone)

    async def _refresh(self) -> None:
        self._registry.refresh()

    async def _close_orphans(self) -> None:
        """Resolve open alerts that no reading can clear any more: of removed or disabled devices and of rules that
        are gone.
        """
        for alert in await self._desk.open():
            if alert.kind in OWN_KINDS:
                continue
            device = self._registry.lookup(DeviceKey(alert.tenant, alert.kind, alert.subject.partition("/")[0]))
            if device is None or not device.enabled:
                await self._desk.resolve(alert.id, SERVER, "the device was removed or disabled")
            elif not engine.has_rule(self.state, alert.rule):
                await self._desk.resolve(alert.id, SERVER, "the rule is gone")

    def hurry(self) -> None:
        """The log has no room: what it keeps for the rules' memory is to become less soon."""
        self._memory.hurry()

    async def save(self) -> None:
        """Save the memory with its position."""
        await self._memory.save(self.state, self.progress.position)


def _before(parts: Sequence[Slice], committed: Position) -> list[Slice]:
    """The part of `parts` that lies before `committed`: what comes after has not been judged yet."""
    known = []
    for part in parts:
        count = min(part.end, committed.get(part.partition, 0)) - part.first
        if count > 0:
            known.append(replace(part, messages=part.messages[:count]))
    return known


def _newest_ms(parts: Sequence[Decoded]) -> int:
    return max(part.newest_ms for part in parts)


def behind(position: Position, end: Position) -> bool:
    """Is there anything before `end` that `position` has not passed?"""
    return any(position.get(partition, 0) < offset for partition, offset in end.items())
