"""Publishing over MQTT: commands, the simulator, played tracks. QoS 1, as fast as the broker acknowledges."""

import asyncio
import logging
import math
import random
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiomqtt

from citywarden.model.errors import Unavailable
from ingest.endpoint import Endpoint
from ingest.goodbye import heed_cancellation

MAX_IN_FLIGHT = 200
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 10.0
CONNECT_S = 10.0

# The library reports every lost connection on its own; this module says so itself, once.
_silent = logging.getLogger("citywarden.publisher.library")
_silent.setLevel(logging.CRITICAL)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes (retained) when this client vanishes without a goodbye."""

    topic: str
    payload: bytes = b"offline"


class Publisher:
    """`async with Publisher(endpoint) as publisher: await publisher.publish(topic, payload)`.

    Call `publish` from many tasks at once for speed: up to `in_flight` messages are under way, the rest wait.
    A lost connection is made again, and what was not acknowledged is sent again (so it may arrive twice).
    """

    def __init__(
        self, endpoint: Endpoint, client_id: str | None = None, will: Will | None = None, in_flight: int = MAX_IN_FLIGHT
    ) -> None:
        self._endpoint = endpoint
        self._client_id = client_id
        self._will = will
        self._in_flight = in_flight
        self._slots = asyncio.Semaphore(in_flight)
        self._client: aiomqtt.Client | None = None
        self._up = asyncio.Event()
        self._under_way: set[asyncio.Timeout] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._problem = ""

    async def __aenter__(self) -> Self:
        """Raises Unavailable when the first connection fails (unknown host, refused, wrong password)."""
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep_connected(first), name="mqtt-publisher")
        try:
            await first
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        await self._stop()

    async def _stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})

    async def publish(
        self, topic: str, payload: bytes | str, retain: bool = False, timeout_s: float | None = None
    ) -> None:
        """Return when the broker has acknowledged. Raises Unavailable when that takes longer than `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s), self._slots:
                while not await self._try(topic, payload, retain):
                    pass
        except TimeoutError:
            why = self._problem or f"not acknowledged in {timeout_s} s"
            raise Unavailable(f"{self._endpoint}: {why}") from None

    async def _try(self, topic: str, payload: bytes | str, retain: bool) -> bool:
        """Send once over the connection of the moment; False when it was lost meanwhile."""
        await self._up.wait()
        client = self._client
        if client is None:
            return False
        try:
            async with asyncio.timeout(None) as lost:
                self._under_way.add(lost)
                try:
                    await client.publish(topic, payload, qos=1, retain=retain, timeout=math.inf)
                finally:
                    self._under_way.discard(lost)
        except TimeoutError:
            return False
        except aiomqtt.MqttError:
            # The library notices a closed socket here before it says so: let the keeper run.
            await asyncio.sleep(FIRST_WAIT_S)
            return False
        return True

    async def _keep_connected(self, first: asyncio.Future[None]) -> None:
        """Connect, and again whenever the connection is lost; only the first failure is the caller's."""
        tries = 0
        while True:
            try:
                async with self._make() as client:
                    heed_cancellation()
                    self._client, self._problem, tries = client, "", 0
                    self._up.set()
                    if not first.done():
                        first.set_result(None)
                    async for _ in client.messages:
                        pass
            except (aiomqtt.MqttError, OSError) as error:
                heed_cancellation()
                self._problem = self._explain(error)
            finally:
                self._lose()
            if not first.done():
                first.set_exception(Unavailable(f"{self._endpoint}: {self._problem}"))
                return
            _log.warning("publisher: %s: %s; connecting again", self._endpoint, self._problem)
            await asyncio.sleep(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**tries) * random.uniform(0.5, 1.0))
            tries = min(tries + 1, 10)

    def _explain(self, error: Exception) -> str:
        """One line; a broker that hangs up without an answer looks to the library as if it never answered."""
        if self._client is None and "timed out" in str(error):
            return "no answer: wrong user or password, or it is no MQTT broker"
        return str(error) or "connection lost"

    def _lose(self) -> None:
        """The connection is gone: what is under way is tried again over the next one."""
        self._client = None
        self._up.clear()
        now = asyncio.get_running_loop().time()
        for attempt in self._under_way:
            attempt.reschedule(now)

    def _make(self) -> aiomqtt.Client:
        endpoint, will = self._endpoint, self._will
        return aiomqtt.Client(
            endpoint.host,
            endpoint.port,
            username=endpoint.username,
            password=endpoint.password,
            identifier=self._client_id,
            logger=_silent,
            will=None if will is None else aiomqtt.Will(will.topic, will.payload, qos=1, retain=True),
            tls_context=None if endpoint.tls is None else endpoint.tls.context(),
            max_inflight_messages=self._in_flight,
            keepalive=30,
            timeout=CONNECT_S,
        )
