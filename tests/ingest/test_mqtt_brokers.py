"""The subscriber against real brokers: nothing acknowledged is lost, nothing is acknowledged early."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from citywarden.model.errors import Unavailable
from citywarden.model.message import RawMessage
from ingest.broker import EmbeddedBroker
from ingest.endpoint import Endpoint
from ingest.mqtt import Timing, receive
from ingest.publisher import Publisher
from ingest.subscription import Cause, State, Status, Subscription
from tests.ingest.conftest import Site

QUICK = Timing(first_wait_s=0.02, longest_wait_s=0.1, stop_s=60.0)
TOPIC = "city/t/gas/g1/telemetry"


class Desk:
    """A sink that can refuse or hang, and an observer, with words to wait for."""

    def __init__(self) -> None:
        self.stored: list[int] = []
        self.seen: list[Status] = []
        self.offered = 0
        self.open = asyncio.Event()
        self.open.set()
        self.available = True
        self._changed = asyncio.Event()

    async def sink(self, batch: Sequence[RawMessage]) -> None:
        self.offered += len(batch)
        self._changed.set()
        await self.open.wait()
        if not self.available:
            raise Unavailable("disk full")
        self.stored.extend(int(m.payload) for m in batch)
        self._changed.set()

    def observe(self, status: Status) -> None:
        self.seen.append(status)
        self._changed.set()

    async def until(self, holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def count(self, state: State) -> int:
        return sum(status.state is state for status in self.seen)


@contextlib.asynccontextmanager
async def subscriber(desk: Desk, endpoint: Endpoint, timing: Timing = QUICK) -> AsyncIterator[asyncio.Task[None]]:
    """A running subscriber that is connected."""
    before = desk.count(State.CONNECTED)
    task = asyncio.create_task(receive(Subscription(endpoint, "citywarden-test"), desk.sink, desk.observe, timing))
    try:
        await desk.until(lambda: desk.count(State.CONNECTED) > before)
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def publish(endpoint: Endpoint, numbers: range, size: int = 0) -> None:
    async with Publisher(endpoint) as publisher:
        waiting = iter(numbers)

        async def work() -> None:
            for i in waiting:
                await publisher.publish(TOPIC, (b"%d" % i).zfill(size))

        await asyncio.gather(*(work() for _ in range(100)))


async def test_every_message_arrives_in_order(site: Site) -> None:
    desk = Desk()
    async with subscriber(desk, site.subscribe):
        async with Publisher(site.publish) as publisher:
            for i in range(50):
                await publisher.publish(TOPIC, b"%d" % i)
        await desk.until(lambda: len(desk.stored) >= 50)
    assert desk.stored == list(range(50))
    assert desk.seen[-1].state is State.STOPPED


async def test_the_session_keeps_what_is_sent_while_we_are_away(site: Site) -> None:
    desk = Desk()
    async with subscriber(desk, site.subscribe):
        pass
    await publish(site.publish, range(300))
    async with subscriber(desk, site.subscribe):
        await desk.until(lambda: len(set(desk.stored)) == 300)
    assert any("session resumed" in status.detail for status in desk.seen)


async def test_what_the_log_did_not_take_is_not_acknowledged_and_comes_again(site: Site) -> None:
    desk = Desk()
    desk.open.clear()
    async with subscriber(desk, site.subscribe, Timing(stop_s=0.05)) as task:
        await publish(site.publish, range(20))
        await desk.until(lambda: desk.offered > 0)
        task.cancel()
        await asyncio.wait({task})
    assert desk.stored == []
    desk.open.set()
    async with subscriber(desk, site.subscribe):
        await desk.until(lambda: set(desk.stored) == set(range(20)))


async def test_a_log_that_is_unavailable_for_a_while_loses_nothing(site: Site) -> None:
    desk = Desk()
    desk.available = False
    async with subscriber(desk, site.subscribe):
        await publish(site.publish, range(500))
        await desk.until(lambda: desk.count(State.STALLED) >= 2)
        assert desk.stored == []
        assert desk.seen[-1].cause is Cause.LOG_UNAVAILABLE
        desk.available = True
        await desk.until(lambda: set(desk.stored) == set(range(500)))
    assert desk.count(State.LOST) == 0


async def test_stopping_finishes_the_running_commit_and_acknowledges_it(site: Site) -> None:
    desk = Desk()
    desk.open.clear()
    async with subscriber(desk, site.subscribe) as task:
        await publish(site.publish, range(5))
        await desk.until(lambda: desk.offered == 5)
        task.cancel()
        await asyncio.sleep(0)
        desk.open.set()
        await asyncio.wait({task})
        assert task.cancelled()
    assert sorted(desk.stored) == list(range(5))
    async with subscriber(desk, site.subscribe):
        await publish(site.publish, range(5, 6))
        await desk.until(lambda: 5 in desk.stored)
    assert sorted(desk.stored) == list(range(6)), "acknowledged ones do not come again"


async def test_a_broker_that_restarts_is_found_again(site: Site) -> None:
    desk = Desk()
    async with subscriber(desk, site.subscribe):
        await publish(site.publish, range(10))
        await desk.until(lambda: len(set(desk.stored)) == 10)
        await site.stop()
        await desk.until(lambda: desk.count(State.LOST) >= 1)
        await site.restart()
        await desk.until(lambda: desk.count(State.CONNECTED) >= 2)
        await publish(site.publish, range(10, 20))
        await desk.until(lambda: len(set(desk.stored)) == 20)
    resumed = any("session resumed" in status.detail for status in desk.seen)
    assert resumed is site.keeps_sessions


async def test_two_servers_with_one_client_id_are_told(site: Site) -> None:
    first, second = Desk(), Desk()
    async with subscriber(first, site.subscribe), subscriber(second, site.subscribe):
        await first.until(lambda: any("citywarden-test" in status.detail for status in first.seen + second.seen))


async def test_a_publisher_survives_a_restart_of_the_broker(site: Site) -> None:
    desk = Desk()
    async with subscriber(desk, site.subscribe), Publisher(site.publish) as publisher:
        await publisher.publish(TOPIC, b"1")
        await site.stop()
        waiting = asyncio.create_task(publisher.publish(TOPIC, b"2"))
        await desk.until(lambda: desk.count(State.LOST) >= 1)
        await site.restart()
        await desk.until(lambda: desk.count(State.CONNECTED) >= 2)
        async with asyncio.timeout(60):
            await waiting
            await publisher.publish(TOPIC, b"3")
        await desk.until(lambda: 3 in desk.stored)


async def test_twenty_thousand_messages_through_the_embedded_broker_into_a_slow_log() -> None:
    desk = Desk()

    async def slow(batch: Sequence[RawMessage]) -> None:
        await asyncio.sleep(0.005)
        await desk.sink(batch)

    async with EmbeddedBroker() as broker:
        task = asyncio.create_task(receive(Subscription(broker.v5_endpoint, "slow"), slow, desk.observe, QUICK))
        await desk.until(lambda: desk.count(State.CONNECTED) == 1)
        await publish(broker.endpoint, range(20_000), size=200)
        await desk.until(lambda: len(desk.stored) >= 20_000, 120.0)
        task.cancel()
        await asyncio.wait({task})
    assert set(desk.stored) == set(range(20_000))
