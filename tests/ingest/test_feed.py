"""What one consumer has decoded is there for the next one, whole and once; what does not fit is decoded again."""

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from citywarden.database import connect, migrate
from citywarden.log.contract import Slice
from citywarden.log.sqlite import SqliteLog
from citywarden.model.errors import CitywardenError
from citywarden.model.message import RawMessage
from ingest.decode import Decoded, Decoder
from ingest.feed import HELD_BYTES, Feed
from ingest.registry import Registry
from tests.builders import KINDS, NOON_MS, device

RULES, STORE = "rules", "store"


class Counting(Decoder):
    """Counts the messages it decodes."""

    count = 0

    def decode(self, part: Slice) -> Decoded:
        self.count += len(part.messages)
        return super().decode(part)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    engine = connect(f"sqlite:///{tmp_path_factory.mktemp('feed') / 'db.sqlite'}")
    migrate(engine)
    found = Registry(engine)
    found.put([device("gas", "G1")])
    yield found
    engine.dispose()


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    found = await SqliteLog.open(tmp_path / "log.sqlite")
    yield found
    await found.close()


def feed_of(log: SqliteLog, registry: Registry, held_bytes: int = HELD_BYTES) -> tuple[Feed, Counting]:
    decoder = Counting(KINDS, registry.lookup)
    return Feed(log, decoder, registry, lambda: NOON_MS, held_bytes=held_bytes), decoder


def gas(number: int, extra: str = "", topic: str = "city/t/gas/G1/telemetry") -> RawMessage:
    body = f'{{"ts": {NOON_MS + number}, "co_ppm": {number % 500}{extra}}}'
    return RawMessage(topic, body.encode(), NOON_MS + number)


async def fill(log: SqliteLog, batches: int, messages: int) -> None:
    for first in range(0, batches * messages, messages):
        await log.append([gas(first + i) for i in range(messages)])


async def take(feed: Feed, who: str, position: dict[int, int], limit: int) -> Sequence[int]:
    """Read on from a position; the event times found, ms after noon."""
    parts = await feed.read(who, position, limit)
    position.update((part.partition, part.end) for part in parts)
    feed.passed(who, position)
    return [int(ts) - NOON_MS for part in parts for batch in part.columns for ts in batch.ts_ms]


async def everything(feed: Feed, who: str, position: dict[int, int], limit: int = 1000) -> Sequence[int]:
    found: list[int] = []
    while more := await take(feed, who, position, limit):
        found += more
    return found


async def test_each_slice_is_decoded_once_and_forgotten_when_all_have_passed_it(
    log: SqliteLog, registry: Registry
) -> None:
    feed, decoder = feed_of(log, registry)
    at: dict[str, dict[int, int]] = {RULES: {0: 0}, STORE: {0: 0}}
    await fill(log, 30, 4)
    assert await everything(feed, RULES, at[RULES], 10) == list(range(120))
    assert feed.remembered == 30
    assert await take(feed, STORE, at[STORE], 60) == list(range(60))
    assert feed.remembered == 15
    assert await everything(feed, STORE, at[STORE]) == list(range(60, 120))
    assert (feed.remembered, decoder.count) == (0, 120)


async def test_a_read_is_about_as_long_as_wanted_and_no_longer_than_its_time(
    log: SqliteLog, registry: Registry
) -> None:
    feed, _ = feed_of(log, registry)
    await fill(log, 10, 5)
    for who in (RULES, STORE):
        assert len(await feed.read(who, {0: 0}, 12)) == 3
        assert [part.first for part in await feed.read(who, {0: 5}, 1000, span_ms=12)] == [5, 10]
        assert [part.first for part in await feed.read(who, {0: 5}, 1000, span_ms=0)] == [5]
    assert await feed.read(RULES, {0: 50}, 10) == []


async def test_what_does_not_fit_is_decoded_by_each_and_the_rest_once(log: SqliteLog, registry: Registry) -> None:
    feed, decoder = feed_of(log, registry, held_bytes=20_000)
    await fill(log, 40, 5)
    at = {0: 0}
    assert await everything(feed, RULES, {0: 0}) == list(range(200))
    kept = feed.remembered
    assert 0 < kept < 20
    assert await everything(feed, STORE, at) == list(range(200))
    assert decoder.count == 200 + 5 * (40 - kept)
    assert feed.remembered == 0


async def test_a_consumer_that_is_away_does_not_make_the_memory_grow(log: SqliteLog, registry: Registry) -> None:
    """However small the slices are, and however large what was refused."""
    feed, _ = feed_of(log, registry, held_bytes=200_000)
    at = {0: 0}
    for number in range(300):
        await log.append([gas(number)])
        await log.append([RawMessage("city/t/gas/G1/telemetry", b"x" * 20_000, NOON_MS)])
        await take(feed, RULES, at, 1000)
    assert feed.remembered < 25


async def test_what_is_counted_is_counted_once(log: SqliteLog, registry: Registry) -> None:
    feed, _ = feed_of(log, registry, held_bytes=0)
    await log.append([gas(1, ', "colour": "red"')])
    await log.append([gas(2)._replace(retained=True), gas(3, ', "colour": "red"')])
    for who in (RULES, STORE):
        await everything(feed, who, {0: 0})
    assert (dict(feed.unknown_fields), feed.retained) == ({("gas", "colour"): 2}, 1)


async def test_the_messages_of_a_slice_can_be_had(log: SqliteLog, registry: Registry) -> None:
    feed, _ = feed_of(log, registry)
    await fill(log, 3, 5)
    (part,) = await feed.read(RULES, {0: 7}, 1)
    found = await feed.raw(part)
    assert (found.partition, found.first, found.messages) == (0, 7, tuple(map(gas, (7, 8, 9))))
    await log.save(RULES, {0: 15})
    await log.trim((RULES,))
    with pytest.raises(CitywardenError, match="no messages from 7 on any more, expected them to 10"):
        await feed.raw(part)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=12),
    st.lists(st.tuples(st.sampled_from([RULES, STORE]), st.integers(1, 12)), max_size=30),
    st.integers(0, 6000),
)
async def test_everybody_gets_everything_in_order_whoever_is_ahead(
    tmp_path: Path, registry: Registry, batches: list[int], turns: list[tuple[str, int]], held_bytes: int
) -> None:
    (tmp_path / "log.sqlite").unlink(missing_ok=True)
    log = await SqliteLog.open(tmp_path / "log.sqlite")
    feed, _ = feed_of(log, registry, held_bytes)
    at: dict[str, dict[int, int]] = {RULES: {0: 0}, STORE: {0: 0}}
    found: dict[str, list[int]] = {RULES: [], STORE: []}
    total = 0
    for count in batches:
        await log.append([gas(total + i) for i in range(count)])
        total += count
    for who, limit in [*turns, (RULES, 10**6), (STORE, 10**6)]:
        found[who] += await take(feed, who, at[who], limit)
    for who in (RULES, STORE):
        found[who] += await everything(feed, who, at[who])
        assert found[who] == list(range(total))
    assert feed.remembered == 0
    await log.close()
