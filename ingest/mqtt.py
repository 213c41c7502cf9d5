"""The subscriber: a session that survives restarts, and acknowledgements only for what the log has.

    connect -> log in -> subscribe -> [ collect | store, then acknowledge ]...  -> lost: wait, connect again

Group commit: while one batch is being stored the next one collects. While the log is unavailable nothing is
acknowledged and, by the receive maximum, the broker soon sends nothing more.
"""

import asyncio
import contextlib
import random
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from citywarden.model.errors import Unavailable
from citywarden.model.message import RawMessage
from ingest.subscription import Cause, ConnectionEnded, State, Status, Subscription
from ingest.wire import Connection

Sink = Callable[[Sequence[RawMessage]], Awaitable[None]]
Observer = Callable[[Status], None]


def wall_clock_ms() -> int:
    """The server's clock, ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient the subscriber is. Waits grow twofold from `first_wait_s` to `longest_wait_s`, times 0.5 to 1.

    `linger_s`: how long a small batch (below `linger_messages`) waits for company before it is stored. A larger one is
    given up to `rush_s` to become `rush_messages`, as long as messages pour in: `pour_messages` every `pour_s`.
    While the clock is `doubtful` a small one waits up to `doubt_s`: what several devices say of the time decides.
    """

    connect_s: float = 10.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    taken_over_wait_s: float = 60.0
    log_wait_s: float = 2.0
    stable_s: float = 10.0
    linger_s: float = 0.02
    linger_messages: int = 100
    rush_s: float = 0.05
    rush_messages: int = 5000
    pour_s: float = 0.005
    pour_messages: int = 100
    stop_s: float = 10.0
    doubt_s: float = 5.0
    now_ms: Callable[[], int] = wall_clock_ms
    doubtful: Callable[[], bool] = lambda: False
    jitter: Callable[[], float] = random.random

    def wait_s(self, cause: Cause | None, attempt: int) -> float:
        """How long to wait before attempt number `attempt` (0, 1, ...) after `cause`."""
        if cause is Cause.SESSION_TAKEN_OVER:
            longest = self.taken_over_wait_s
        else:
            most = self.log_wait_s if cause is Cause.LOG_UNAVAILABLE else self.longest_wait_s
            longest = min(most, self.first_wait_s * 2.0 ** min(attempt, 30))
        return longest * (0.5 + 0.5 * self.jitter())


PATIENT = Timing()
SHORT_LIVED = 3
"""Connections in a row that soon end before a second server with our client id is suspected."""


async def receive(subscription: Subscription, sink: Sink, observe: Observer, timing: Timing = PATIENT) -> None:
    """Receive until cancelled. `await sink(batch)` makes a batch durable; it raises Unavailable to be asked again.

    Never loses a message it acknowledged, never acknowledges one that is not durable; the same message may come
    twice. When cancelled it finishes the running commit, acknowledges it, and says goodbye to the broker.
    Any other error of the sink ends it.
    """
    receiver = _Receiver(subscription, sink, observe, timing)
    run = asyncio.create_task(receiver.run(), name="mqtt")
    try:
        await asyncio.shield(run)
    except asyncio.CancelledError:
        receiver.stop()
        await asyncio.wait({run}, timeout=timing.stop_s)
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run
        observe(Status(State.STOPPED))
        raise


async def fill(collected: Callable[[], Awaitable[int]], count: int, timing: Timing) -> int:
    """Let a batch of `count` grow while messages pour in: whoever reads it later pays by the batch, too. Returns how
    many `collected` says it has become.
    """
    for _ in range(round(timing.rush_s / timing.pour_s)):
        if count >= timing.rush_messages:
            break
        await asyncio.sleep(timing.pour_s)
        before, count = count, await collected()
        if count - before < timing.pour_messages:
            break
    return count


class _Receiver:
    def __init__(self, subscription: Subscription, sink: Sink, observe: Observer, timing: Timing) -> None:
        self._subscription = subscription
        self._sink = sink
        self._observe = observe
        self._timing = timing
        self._stop = asyncio.Event()
        self._current: Connection | None = None

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        """Finish what is under way, then return from `run`."""
        self._stop.set()
        if self._current is not None:
            self._current.hush()

    async def _pause(self, seconds: float) -> None:
        """Sleep, or until we are to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    async def run(self) -> None:
        loop, attempt = asyncio.get_running_loop(), 0
        while not self.stopping:
            self._observe(Status(State.CONNECTING, None, str(self._subscription.endpoint)))
            began = loop.time()
            try:
                await self._connection()
            except ConnectionEnded as end:
                if loop.time() - began >= self._timing.stable_s:
                    attempt = 0
                self._observe(self._suspect(end.status, attempt))
                await self._pause(self._timing.wait_s(end.status.cause, attempt))
                attempt += 1

    def _suspect(self, status: Status, attempt: int) -> Status:
        """Many brokers do not say why they close: when it happens again and again, name the usual reason."""
        if status.state is not State.LOST or status.cause is not Cause.BROKER_LEFT or attempt < SHORT_LIVED:
            return status
        name = self._subscription.client_id
        hint = f"{status.detail}, again soon after connecting: does a second server use the client id {name!r}?"
        return Status(status.state, Cause.SESSION_SHARED, hint)

    async def _connection(self) -> None:
        """One connection from its beginning to its end. Returns when stopping, else raises ConnectionEnded."""
        connection = await self._connect()
        pinging: asyncio.Task[None] | None = None
        try:
            keep_alive_s = await self._begin(connection)
            pinging = asyncio.create_task(self._ping(connection, keep_alive_s))
            self._current = connection
            if self.stopping:
                connection.hush()
            await self._collect(connection)
        finally:
            self._current = None
            if pinging is not None:
                pinging.cancel()
            await connection.leave()

    async def _connect(self) -> Connection:
        endpoint = self._subscription.endpoint
        try:
            context = None if endpoint.tls is None else endpoint.tls.context()
        except OSError as error:
            raise self._refused(Cause.TLS, str(error)) from None
        try:
            async with asyncio.timeout(self._timing.connect_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self._subscription, self._timing.now_ms),
                    endpoint.host,
                    endpoint.port,
                    ssl=context,
                )
        except TimeoutError:
            raise self._refused(Cause.TIMEOUT, "no answer") from None
        except socket.gaierror as error:
            raise self._refused(Cause.DNS, f"unknown host: {error.strerror}") from None
        except ssl.SSLError as error:
            raise self._refused(Cause.TLS, str(getattr(error, "verify_message", "") or error)) from None
        except OSError as error:
            raise self._refused(Cause.UNREACHABLE, error.strerror or str(error)) from None
        return connection

    def _refused(self, cause: Cause, detail: str) -> ConnectionEnded:
        return ConnectionEnded(Status(State.REFUSED, cause, f"{self._subscription.endpoint}: {detail}"))

    async def _begin(self, connection: Connection) -> float:
        """Log in and subscribe; returns the keep-alive in force, in s."""
        try:
            async with asyncio.timeout(self._timing.connect_s):
                answer = await connection.log_in()
                connection.subscribe()
                if not answer.session_present:
                    await connection.subscribed()
        except TimeoutError:
            raise self._refused(Cause.TIMEOUT, "connected, but the broker does not answer") from None
        session = "session resumed" if answer.session_present else "new session"
        self._observe(Status(State.CONNECTED, None, f"{self._subscription.endpoint}: {session}"))
        given = answer.server_keep_alive
        return float(self._subscription.keep_alive_s if given is None else given)

    async def _ping(self, connection: Connection, keep_alive_s: float) -> None:
        """A ping every half keep-alive; one that is not answered until the next ends the connection."""
        while not self.stopping and keep_alive_s > 0 and connection.ping():
            await self._pause(keep_alive_s / 2)

    async def _collect(self, connection: Connection) -> None:
        """Store what collects, then acknowledge it, until the connection ends or we are to stop."""
        while count := await connection.collected():
            if count < self._timing.linger_messages:
                await self._linger(connection)
            else:
                await fill(connection.collected, count, self._timing)
            await self._store(connection)

    async def _linger(self, connection: Connection) -> None:
        """Give a small batch time to grow."""
        timing = self._timing
        await self._pause(timing.linger_s)
        rest_s = timing.doubt_s
        while timing.doubtful() and rest_s > 0 and not self.stopping:
            if await connection.collected() >= timing.linger_messages:
                break
            await self._pause(timing.linger_s)
            rest_s -= timing.linger_s

    async def _store(self, connection: Connection) -> None:
        """Make all that was collected durable, however long that takes, then acknowledge it."""
        messages, ids = connection.take()
        attempt = 0
        while True:
            try:
                await self._sink(messages)
            except Unavailable as error:
                if self.stopping:
                    return
                self._observe(Status(State.STALLED, Cause.LOG_UNAVAILABLE, str(error)))
                await self._pause(self._timing.wait_s(Cause.LOG_UNAVAILABLE, attempt))
                attempt += 1
            else:
                break
        if attempt:
            self._observe(Status(State.CONNECTED, None, f"{self._subscription.endpoint}: storing again"))
        connection.acknowledge(ids)
