"""The courier: takes what waits in the outbox to its targets, each in order, none in the way of another.

A delivery is marked in the database only after its receiver has taken it, so a crash may send it once more, under the
same id, and never forgets it. One task a target; it is woken when alerts change.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from random import random
from types import TracebackType
from typing import Self
from uuid import uuid4

from citywarden.alerts import outbox, pace, post
from citywarden.alerts.desk import AsyncDesk
from citywarden.alerts.formats import FORMATS
from citywarden.alerts.guard import Guard
from citywarden.alerts.outbox import Attempt, Delivery, State, TargetState
from citywarden.alerts.target import Target
from citywarden.alerts.verdicts import Judgement, Schedule, Verdict, probe_ms, wait_ms
from citywarden.model.alert import Alert
from citywarden.model.errors import NotFound, Unavailable

BATCH = 50
"""Deliveries read, and marked, together where a target has no limit."""

UNMARKED_MS = 500
"""At most this long are taken deliveries left unmarked: what a crash sends again."""

LOOK_AGAIN_S = 5.0
"""An idle task looks into the outbox this often, in case another process put something there."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Round:
    """State of the task of one target. `held`: the receiver itself named the time `ready_ms`. `failures`: in a row."""

    target: Target
    pace: pace.Pace
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    ready_ms: int = 0
    failed_ms: int = 0
    failures: int = 0
    seen_ms: int = 0
    held: bool = False
    disabled: str | None = None
    trouble: str | None = None
    taken: list[Attempt] = field(default_factory=list)


class Courier:
    """Delivers until it is closed: `async with Courier(desk, targets, clock_ms) as courier:`.

    `guard`: where messages may go. `luck`: source of jitter, uniform in [0, 1).
    `grace_s`: at the end an attempt that is under way gets this long.
    """

    def __init__(
        self,
        desk: AsyncDesk,
        targets: Sequence[Target],
        clock_ms: Callable[[], int],
        schedule: Schedule = Schedule(),  # noqa: B008 (frozen)
        guard: Guard = post.ANYWHERE_PUBLIC,
        luck: Callable[[], float] = random,
        grace_s: float = 2.0,
    ) -> None:
        self._desk = desk
        self._clock_ms = clock_ms
        self._schedule = schedule
        self._guard = guard
        self._client = post.client(guard)
        self._luck = luck
        self._grace_s = grace_s
        self._closing = False
        self._progress = asyncio.Event()
        self._rounds = {
            t.name: Round(t, pace.Pace(FORMATS[t.format].per_min if t.rate_per_min is None else t.rate_per_min))
            for t in targets
        }
        self._tasks: list[asyncio.Task[None]] = []
        self.latencies_ms: deque[int] = deque(maxlen=10_000)
        desk.subscribe(self._wake)

    async def __aenter__(self) -> Self:
        states = await self._desk.read(outbox.read_states)
        for round_ in self._rounds.values():
            await self._recall(round_, states.get(round_.target.name, TargetState()))
            task = asyncio.create_task(self._serve(round_), name=f"deliver to {round_.target.name}")
            self._tasks.append(task)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._wake(())
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    # -- what people may ask -------------------------------------------------------------------------------------

    async def waiting(self) -> dict[str, int]:
        """Deliveries that wait, by target; targets that are no longer configured too."""
        return await self._desk.read(outbox.count_waiting)

    async def drain(self, timeout_s: float) -> bool:
        """Until nothing waits for a target that takes messages (True), or the time is over (False)."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while True:
                    self._progress.clear()
                    if not set(await self.waiting()) & (set(self._rounds) - set(self.troubles())):
                        return True
                    await self._progress.wait()
        return False

    def troubles(self) -> dict[str, str]:
        """Targets that do not take messages now, and why."""
        return {name: why for name, r in self._rounds.items() if (why := r.disabled or r.trouble)}

    @property
    def targets(self) -> Sequence[Target]:
        """Every target, in the order of the configuration."""
        return [round_.target for round_ in self._rounds.values()]

    async def enable(self, name: str) -> None:
        """Use a target again that had said that it wants no more. Raises NotFound."""
        if name not in self._rounds:
            raise NotFound(f"no target {name!r}")
        await self._desk.write(partial(outbox.write_state, target=name, state=TargetState()))
        self._resume(self._rounds[name])

    def _resume(self, round_: Round) -> None:
        round_.disabled, round_.trouble, round_.held, round_.ready_ms, round_.failures = None, None, False, 0, 0
        round_.woken.set()

    async def replay(self, delivery_id: str) -> None:
        """Send a delivery once more under its old id. Raises NotFound."""
        await self._desk.write(partial(outbox.replay, delivery_id=delivery_id))
        self._wake(())

    # -- the task of a target ------------------------------------------------------------------------------------

    def _wake(self, _alerts: Sequence[Alert]) -> None:
        for round_ in self._rounds.values():
            round_.woken.set()

    async def _recall(self, round_: Round, state: TargetState) -> None:
        """Go on where the last run of the server stopped."""
        name, now_ms = round_.target.name, self._clock_ms()
        if state.disabled_ms is not None:
            round_.disabled = state.detail or "disabled"
        if state.held_until_ms is not None and state.held_until_ms > now_ms:
            round_.ready_ms, round_.held = state.held_until_ms, True
        if round_.pace.per_min is not None:
            recent = await self._desk.read(partial(outbox.sent_since, target=name, since_ms=now_ms - pace.MINUTE_MS))
            round_.pace = pace.Pace(round_.pace.per_min, tuple(recent))

    async def _serve(self, round_: Round) -> None:
        try:
            while not self._closing:
                try:
                    await self._go_round(round_)
                except Unavailable as error:
                    _log.warning("deliveries to %s wait: %s", round_.target.name, error)
                    await asyncio.sleep(1)
                except Exception:
                    _log.exception("deliveries to %s failed unexpectedly and are tried again", round_.target.name)
                    await asyncio.sleep(1)
        finally:
            await asyncio.shield(self._mark(round_))

    async def _go_round(self, round_: Round) -> None:
        """Wait until there may be something to do, and do all of it."""
        await self._mark(round_)
        await self._until_ready(round_)
        if self._closing:
            return
        round_.woken.clear()
        limit = BATCH if round_.pace.per_min is None else pace.DIGEST_LIMIT
        waiting = await self._desk.read(partial(outbox.read_waiting, target=round_.target.name, limit=limit))
        if not waiting:
            await self._sleep(round_, LOOK_AGAIN_S)
            return
        if round_.pace.per_min is not None:
            await self._send(round_, await self._bundle(round_, waiting))
        else:
            for delivery in waiting:
                if not await self._send(round_, pace.bundle(round_.pace, [delivery])) or round_.woken.is_set():
                    break
        await self._mark(round_)

    async def _until_ready(self, round_: Round) -> None:
        while not self._closing:
            if round_.woken.is_set():
                round_.woken.clear()
                # A new message is reason to see whether the receiver is back, though not at once after a failure.
                if not round_.held:
                    news_ms = round_.failed_ms + probe_ms(self._schedule, max(1, round_.failures))
                    round_.ready_ms = min(round_.ready_ms, news_ms)
            if round_.disabled:
                await self._sleep(round_, LOOK_AGAIN_S)
                # Another process may have enabled it.
                states = await self._desk.read(outbox.read_states)
                if states.get(round_.target.name, TargetState()).disabled_ms is None:
                    self._resume(round_)
                continue
            now_ms = self._clock_ms()
            if now_ms < round_.seen_ms:
                # The clock was set back; what was worked out by the old one would be waited for twice.
                round_.failed_ms = round_.ready_ms = now_ms
                round_.pace = pace.Pace(round_.pace.per_min)
            round_.seen_ms = now_ms
            ready_ms = max(round_.ready_ms, pace.ready_ms(round_.pace, now_ms))
            if ready_ms <= now_ms:
                return
            await self._sleep(round_, (ready_ms - now_ms) / 1000)

    async def _sleep(self, round_: Round, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await round_.woken.wait()

    async def _bundle(self, round_: Round, waiting: Sequence[Delivery]) -> tuple[Delivery, ...]:
        """The next message of a target with a limit; a new digest is given its id for good."""
        bundled = pace.bundle(round_.pace, waiting)
        if len(bundled) == 1 or bundled[0].digest is not None:
            return bundled
        digest = f"msg_{uuid4().hex}"
        await self._desk.write(partial(outbox.bind, digest=digest, seqs=[d.seq for d in bundled]))
        return tuple(replace(delivery, digest=digest) for delivery in bundled)

    async def _send(self, round_: Round, bundled: Sequence[Delivery]) -> bool:
        """One attempt. True when the next message may go."""
        letter = pace.letter_of(bundled)
        self._desk.counters.attempts += 1
        judgement = await post.attempt(self._client, round_.target, letter, self._clock_ms, self._guard)
        now_ms = self._clock_ms()
        delivered = judgement.verdict is Verdict.DELIVERED
        round_.pace = pace.note_sent(round_.pace, now_ms, letter.digest and delivered)
        if delivered:
            round_.trouble, round_.ready_ms, round_.held, round_.failures = None, 0, False, 0
            self.latencies_ms.extend(now_ms - d.created_ms for d in bundled)
            self._desk.counters.delivered += len(bundled)
            round_.taken += [Attempt(d.seq, State.DELIVERED, now_ms, code=judgement.code) for d in bundled]
            if now_ms - round_.taken[0].at_ms >= UNMARKED_MS:
                await self._mark(round_)
            return True
        await self._mark(round_)
        return await self._fail(round_, bundled, judgement, now_ms)

    async def _fail(self, round_: Round, bundled: Sequence[Delivery], judgement: Judgement, now_ms: int) -> bool:
        """Note a failed attempt. True when the next message may go."""
        name, counters = round_.target.name, self._desk.counters
        if judgement.verdict is Verdict.REFUSED:
            _log.error("%s refused a message: %s", name, judgement.detail)
            counters.refused += len(bundled)
            counters.failed += len(bundled)
            await self._note(bundled, State.REFUSED, judgement, now_ms, None)
            return True
        round_.trouble, round_.failed_ms, round_.failures = judgement.detail, now_ms, round_.failures + 1
        attempts = max(d.attempts for d in bundled) + 1
        wait = wait_ms(self._schedule, attempts, self._luck())
        round_.held = judgement.hold_s is not None
        if judgement.hold_s is not None:
            wait = round(judgement.hold_s * 1000)
        round_.ready_ms = now_ms + wait
        counters.retried += 1
        given_up = now_ms - min(d.created_ms for d in bundled) > self._schedule.patience_ms
        state = State.EXPIRED if given_up else State.WAITING
        counters.failed += len(bundled) if given_up else 0
        await self._note(bundled, state, judgement, now_ms, round_.ready_ms)
        if judgement.verdict is Verdict.GONE:
            round_.disabled = judgement.detail
            gone = TargetState(disabled_ms=now_ms, detail=judgement.detail)
            await self._desk.write(partial(outbox.write_state, target=name, state=gone))
        elif round_.held:
            held = TargetState(held_until_ms=round_.ready_ms, detail=judgement.detail)
            await self._desk.write(partial(outbox.write_state, target=name, state=held))
        _log.warning("%s took no message, %s in %.0f s: %s", name, judgement.verdict, wait / 1000, judgement.detail)
        return False

    # -- the database --------------------------------------------------------------------------------------------

    async def _note(
        self, bundled: Sequence[Delivery], state: State, judgement: Judgement, now_ms: int, next_ms: int | None
    ) -> None:
        next_ms = next_ms if state is State.WAITING else None
        attempts = [Attempt(d.seq, state, now_ms, next_ms, judgement.code, judgement.detail) for d in bundled]
        await self._desk.write(partial(outbox.write_attempts, attempts=attempts))
        self._progress.set()

    async def _mark(self, round_: Round) -> None:
        """Write down what was taken."""
        if round_.taken:
            taken = list(round_.taken)
            await self._desk.write(partial(outbox.write_attempts, attempts=taken))
            del round_.taken[: len(taken)]
            self._progress.set()
