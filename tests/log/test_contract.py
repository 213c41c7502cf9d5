"""What every log must do. A new implementation is one more name in `OPENERS`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from citywarden.log.contract import Log, Position
from citywarden.log.sqlite import SqliteLog
from citywarden.model.message import RawMessage

Opener = Callable[[Path], Awaitable[Log]]


async def open_sqlite(folder: Path) -> Log:
    return await SqliteLog.open(folder / "raw.log")


OPENERS: dict[str, Opener] = {"sqlite": open_sqlite}


@pytest.fixture(params=OPENERS)
def opener(request: pytest.FixtureRequest) -> Opener:
    return OPENERS[request.param]


def message(i: int, topic: str = "city/t/gas/g1/telemetry") -> RawMessage:
    return RawMessage(topic, b"%d" % i, 1_795_406_400_000 + i, i % 7 == 0)


def messages(start: int, stop: int) -> list[RawMessage]:
    return [message(i) for i in range(start, stop)]


async def everything(log: Log, position: Position, limit: int = 5000) -> list[RawMessage]:
    """All messages from `position` on, checking that offsets have no holes."""
    place = dict(position)
    found: list[RawMessage] = []
    while slices := await log.read(place, limit):
        for one in slices:
            assert one.first >= place.get(one.partition, 0)
            place[one.partition] = one.end
            found.extend(one.messages)
    return found


async def test_what_is_appended_can_be_read_from_any_position(opener: Opener, tmp_path: Path) -> None:
    log = await opener(tmp_path)
    await log.append(messages(0, 3))
    await log.append(messages(3, 10))
    assert await everything(log, {}) == messages(0, 10)
    assert await everything(log, {0: 5}) == messages(5, 10)
    assert await log.read({0: 10}) == []
    assert await log.read({0: 99}) == []
    assert await log.end() == {0: 10}
    await log.close()


async def test_limit_is_about_how_many(opener: Opener, tmp_path: Path) -> None:
    log = await opener(tmp_path)
    for start in range(0, 100, 10):
        await log.append(messages(start, start + 10))
    assert sum(len(s.messages) for s in await log.read({}, 25)) == 30
    assert len(await log.read({}, 1)) == 1
    assert await everything(log, {}, limit=7) == messages(0, 100)
    await log.close()


async def test_a_large_batch_comes_in_slices_that_are_the_same_for_all(opener: Opener, tmp_path: Path) -> None:
    log = await opener(tmp_path)
    await log.append(messages(0, 12_000))
    first = await log.read({}, 1)
    assert 0 < len(first[0].messages) <= 5000
    assert await log.read({}, 1) == first
    assert await everything(log, {}) == messages(0, 12_000)
    await log.close()


async def test_odd_topics_and_payloads_come_back_as_they_were(opener: Opener, tmp_path: Path) -> None:
    odd = [
        RawMessage("", b"", 0),
        RawMessage("城市/\x00/灯", b"\x00\xff" * 1000, -1, True),
        RawMessage("\ud800", bytes(range(256)), 2**62),
    ]
    log = await opener(tmp_path)
    await log.append(odd)
    await log.append([])
    assert await everything(log, {}) == odd
    await log.close()


async def test_a_reopened_log_knows_all_it_knew(opener: Opener, tmp_path: Path) -> None:
    log = await opener(tmp_path)
    await log.append(messages(0, 10))
    await log.save("store", {0: 4})
    await log.close()
    log = await opener(tmp_path)
    assert await log.saved("store") == {0: 4}
    assert await everything(log, await log.saved("store")) == messages(4, 10)
    await log.append(messages(10, 12))
    assert await log.end() == {0: 12}
    await log.close()


async def test_a_saved_position_never_moves_back(opener: Opener, tmp_path: Path) -> None:
    log = await opener(tmp_path)
    assert await log.saved("store") == {}
    await log.append(messages(0, 10))
    assert await log.backlog("store") == 10
    await log.save("store", {0: 6})
    await log.save("store", {0: 2})
    await log.save("store", {})
    assert await log.saved("store") == {0: 6}
    assert await log.backlog("store") == 4
    await log.close()


async def test_trim_waits_for_the_slowest_consumer(opener: Opener, tmp_path: Path) -> None:
    log = await opener(tmp_path)
    for start in range(0, 50, 10):
        await log.append(messages(start, start + 10))
    await log.save("store", {0: 45})
    assert await log.trim([]) == 0
    assert await log.trim(["store", "rules"]) == 0, "rules never saved"
    await log.save("rules", {0: 20})
    assert await log.trim(["store", "rules"]) == 20
    assert await everything(log, {}) == messages(20, 50)
    assert (await log.read({}))[0].first == 20
    await log.save("rules", {0: 50})
    await log.save("store", {0: 50})
    assert await log.trim(["store", "rules"]) == 30
    assert await log.backlog("newcomer") == 0
    await log.close()


async def test_offsets_go_on_after_everything_was_dropped(opener: Opener, tmp_path: Path) -> None:
    log = await opener(tmp_path)
    await log.append(messages(0, 10))
    await log.save("store", {0: 10})
    await log.trim(["store"])
    await log.close()
    log = await opener(tmp_path)
    assert await log.end() == {0: 10}
    await log.append(messages(10, 12))
    assert [s.first for s in await log.read(await log.saved("store"))] == [10]
    await log.close()


async def test_wait_ends_at_an_append_or_when_the_time_has_passed(opener: Opener, tmp_path: Path) -> None:
    log = await opener(tmp_path)
    assert not await log.wait({}, 0.0)
    waiting = asyncio.create_task(log.wait({}, 600.0))
    await asyncio.sleep(0)
    await log.append(messages(0, 1))
    async with asyncio.timeout(60):
        assert await waiting
    assert await log.wait({0: 0}, 0.0)
    assert not await log.wait({0: 1}, 0.01)
    await log.close()


async def test_appends_of_another_program_are_seen(opener: Opener, tmp_path: Path) -> None:
    ours, theirs = await opener(tmp_path), await opener(tmp_path)
    waiting = asyncio.create_task(ours.wait({}, 600.0))
    await theirs.append(messages(0, 5))
    async with asyncio.timeout(60):
        assert await waiting
    await asyncio.gather(*(log.append(messages(0, 10)) for log in [ours, theirs] * 10))
    assert len(await everything(ours, {})) == 205
    assert await ours.end() == await theirs.end() == {0: 205}
    await ours.close()
    await theirs.close()


class Twin:
    """The same log, obviously right: lists in memory."""

    def __init__(self) -> None:
        self.batches: list[list[RawMessage]] = []
        self.dropped = 0
        self.places: dict[str, int] = {}

    @property
    def all(self) -> list[RawMessage]:
        return [m for batch in self.batches for m in batch]

    @property
    def end(self) -> int:
        return self.dropped + len(self.all)

    def trim(self, consumers: Sequence[str]) -> int:
        before = self.dropped
        if consumers and all(c in self.places for c in consumers):
            low = min(self.places[c] for c in consumers)
            while self.batches and self.dropped + len(self.batches[0]) <= low:
                self.dropped += len(self.batches.pop(0))
        return self.dropped - before


NAMES = ("store", "rules")
STEPS = st.one_of(
    st.tuples(st.just("append"), st.integers(0, 6)),
    st.tuples(st.just("save"), st.sampled_from(NAMES), st.integers(0, 40)),
    st.tuples(st.just("trim"), st.lists(st.sampled_from(NAMES), max_size=2)),
    st.tuples(st.just("read"), st.integers(0, 40)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=25))
def test_it_does_what_lists_in_memory_do(
    opener: Opener, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[object, ...]]
) -> None:
    async def play() -> None:
        log, twin = await opener(tmp_path_factory.mktemp("log")), Twin()
        for step in steps:
            match step:
                case ("append", int(n)):
                    batch = messages(twin.end, twin.end + n)
                    await log.append(batch)
                    twin.batches.extend([batch] if batch else [])
                case ("save", str(name), int(offset)):
                    place = min(offset, twin.end)
                    await log.save(name, {0: place})
                    twin.places[name] = max(place, twin.places.get(name, 0))
                case ("trim", list(names)):
                    assert await log.trim(names) == twin.trim(names)
                case ("read", int(offset)):
                    expected = twin.all[max(0, offset - twin.dropped) :]
                    assert await everything(log, {0: offset}, limit=5) == expected
        assert await log.end() == {0: twin.end}
        for name in NAMES:
            assert (await log.saved(name)).get(0) == twin.places.get(name)
            assert await log.backlog(name) == max(0, twin.end - max(twin.dropped, twin.places.get(name, 0)))
        await log.close()

    asyncio.run(play())
