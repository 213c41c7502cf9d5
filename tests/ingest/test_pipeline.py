"""The drain from the log to the store: nothing is passed before the store and the dead letters have it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from citywarden.columns import Columns
from citywarden.database import connect, migrate
from citywarden.log.sqlite import SqliteLog
from citywarden.model.errors import Unavailable
from citywarden.model.message import DeadLetter, RawMessage, Reject
from citywarden.store.contract import Refused, Written
from ingest.deadletters import DeadLetters
from ingest.decode import Decoder
from ingest.feed import Feed
from ingest.pipeline import STORE_CONSUMER, Backoff, StoreDrain, Writer
from ingest.registry import Registry
from tests.builders import KINDS, NOON_MS, device
from tests.store.twin import MemoryStore


class Moody:
    """A store that refuses a number of times before every write it takes."""

    def __init__(self, refusals: int) -> None:
        self.kept = MemoryStore(KINDS)
        self.refusals = refusals
        self.waiting = asyncio.Event()
        self._left = refusals

    async def write(self, batch: Columns) -> Written:
        if self._left:
            self._left -= 1
            self.waiting.set()
            raise Unavailable("not now", retry_after_s=0.0)
        self._left = self.refusals
        return await self.kept.write(batch)


def gas(number: int, payload: bytes | None = None) -> RawMessage:
    body = payload or b'{"ts": %d, "co_ppm": %d}' % (NOON_MS + number, number % 500)
    return RawMessage("city/t/gas/G1/telemetry", body, NOON_MS + number)


@asynccontextmanager
async def draining(folder: Path, store: Writer) -> AsyncIterator[tuple[SqliteLog, StoreDrain, Registry]]:
    engine = connect(f"sqlite:///{folder / 'db.sqlite'}")
    migrate(engine)
    registry = Registry(engine)
    registry.put([device("gas", "G1")])
    log = await SqliteLog.open(folder / "log.sqlite")
    feed = Feed(log, Decoder(KINDS, registry.lookup), registry, lambda: NOON_MS)

    async def at_once(_seconds: float) -> None:
        await asyncio.sleep(0)

    drain = StoreDrain(feed, store, DeadLetters(engine, 1000), backoff=Backoff(at_once))
    task = asyncio.create_task(drain.run())
    try:
        yield log, drain, registry
    finally:
        task.cancel()
        await asyncio.wait({task})
        await log.close()
        engine.dispose()


async def passed(log: SqliteLog, messages: int) -> None:
    async with asyncio.timeout(60):
        while dict(await log.saved(STORE_CONSUMER)).get(0, 0) < messages:
            await asyncio.sleep(0.01)


async def test_what_the_log_has_reaches_the_store_once(tmp_path: Path) -> None:
    store = MemoryStore(KINDS)
    async with draining(tmp_path, store) as (log, drain, _):
        batch = [gas(i) for i in range(300)]
        await log.append(batch)
        await log.append(batch[:100])
        await passed(log, 400)
    assert await store.count("gas") == 300
    assert (drain.stored, drain.known) == (300, 100)


async def test_a_store_that_refuses_delays_and_loses_nothing(tmp_path: Path) -> None:
    store = Moody(refusals=1 << 60)
    async with draining(tmp_path, store) as (log, drain, _):
        await log.append([gas(i) for i in range(50)])
        await store.waiting.wait()
        assert dict(await log.saved(STORE_CONSUMER)) == {}
        store.refusals = store._left = 0
        await passed(log, 50)
        assert drain.trouble is None
    assert await store.kept.count("gas") == 50


class Wide(Moody):
    """A store that takes all kinds in one go."""

    def __init__(self) -> None:
        super().__init__(refusals=1)
        self.kinds: list[list[str]] = []

    async def write_all(self, batches: Sequence[Columns]) -> Written:
        if self._left:
            self._left -= 1
            raise Unavailable("not now", retry_after_s=0.0)
        self.kinds.append([batch.kind.name for batch in batches])
        written = [await self.kept.write(batch) for batch in batches]
        return Written(sum(one.new for one in written), sum(one.known for one in written))


async def test_a_store_that_takes_all_kinds_in_one_go_is_asked_once_a_read(tmp_path: Path) -> None:
    store = Wide()
    async with draining(tmp_path, store) as (log, drain, registry):
        registry.put([device("waterlogging", "W1")])
        water = RawMessage("city/t/waterlogging/W1/telemetry", b'{"depth_cm": 1}', NOON_MS)
        await log.append([gas(1), water, gas(2)])
        await passed(log, 3)
        await log.append([water._replace(retained=True)])
        await passed(log, 4)
    assert store.kinds == [["gas", "waterlogging"]]
    assert (drain.stored, drain.known) == (3, 0)


async def test_what_has_come_until_it_is_stopped_is_stored(tmp_path: Path) -> None:
    store = MemoryStore(KINDS)
    async with draining(tmp_path, store) as (log, _, _):
        await log.append([gas(1), gas(2), gas(3)])
    assert await store.count("gas") == 3


async def test_a_store_that_is_away_does_not_keep_it_from_stopping(tmp_path: Path) -> None:
    class Away(MemoryStore):
        async def write(self, batch: Columns) -> Written:
            await asyncio.sleep(3600)
            raise Unavailable("away")

    async with asyncio.timeout(60), draining(tmp_path, Away(KINDS)) as (log, _, _):
        await log.append([gas(1)])
    again = await SqliteLog.open(tmp_path / "log.sqlite")
    assert await again.backlog(STORE_CONSUMER) == 1
    await again.close()


async def test_refused_messages_become_dead_letters_and_the_rest_is_stored(tmp_path: Path) -> None:
    store = MemoryStore(KINDS)
    async with draining(tmp_path, store) as (log, drain, _):
        await log.append(
            [gas(1), gas(2, b"{"), gas(3, b'{"co_ppm": "1.5"}'), gas(4, b'[{"co_ppm": 1}, {"co_ppm": -1}]')]
        )
        await passed(log, 4)
    assert await store.count("gas") == 2
    assert dict(drain.dead) == {"bad_json": 1, "wrong_type": 1, "out_of_range": 1}


async def test_a_device_registered_by_another_process_is_found_before_its_message_is_refused(tmp_path: Path) -> None:
    store = MemoryStore(KINDS)
    async with draining(tmp_path, store) as (log, drain, _):
        other = connect(f"sqlite:///{tmp_path / 'db.sqlite'}")
        Registry(other).add([device("gas", "G2")])
        other.dispose()
        await log.append([RawMessage("city/t/gas/G2/telemetry", b'{"co_ppm": 1}', NOON_MS)])
        await passed(log, 1)
    assert drain.dead.total() == 0
    assert await store.count("gas") == 1


async def test_dead_letters_that_cannot_be_written_hold_the_offset(tmp_path: Path) -> None:
    class Full(DeadLetters):
        tries = 0

        def add(self, letters: Sequence[DeadLetter]) -> int:
            self.tries += 1
            if self.tries < 3:
                raise Unavailable("disk full")
            return super().add(letters)

    store = MemoryStore(KINDS)
    async with draining(tmp_path, store) as (log, drain, _):
        full = Full(connect(f"sqlite:///{tmp_path / 'db.sqlite'}"), 100)
        drain.letters = full
        await log.append([gas(1, b"{")])
        await passed(log, 1)
    assert full.tries == 3
    assert len(full.find()) == 1


async def test_what_the_store_will_never_take_is_a_dead_letter_with_its_words(tmp_path: Path) -> None:
    class Picky:
        async def write(self, batch: Columns) -> Written:
            bad = tuple(Refused(r, "field type conflict") for r in batch.rows() if r.values["co_ppm"] == 13)
            return Written(len(batch) - len(bad), 0, bad)

    async with draining(tmp_path, Picky()) as (log, drain, _):
        await log.append([gas(i) for i in range(20)])
        await passed(log, 20)
        ((_, letter),) = drain.letters.find()
    assert (letter.reason, letter.detail, letter.offset) == (Reject.REJECTED_BY_STORE, "field type conflict", 13)
    assert letter.payload == gas(13).payload
    assert drain.stored == 19


@pytest.mark.parametrize("tries", [1, 20])
async def test_backoff_is_bounded_and_keeps_the_servers_wish(tries: int) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    backoff = Backoff(sleep)
    for _ in range(tries):
        await backoff.wait(Unavailable("x"))
    assert all(0.125 <= seconds <= 30 for seconds in waited)
    await backoff.wait(Unavailable("x", retry_after_s=77.0))
    assert waited[-1] == 77.0
