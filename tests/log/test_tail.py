"""The end of the log that is still in memory gives what the file would give, or nothing."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citywarden.log.contract import Slice
from citywarden.log.sqlite import Courtesy, SqliteLog
from citywarden.log.tail import Tail
from citywarden.model.message import RawMessage

UNREAD = 1000


def part(first: int, count: int, size: int = 10) -> Slice:
    return Slice(0, first, tuple(RawMessage("t", b"%*d" % (size, first + i), 0) for i in range(count)))


@settings(max_examples=100)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(1, 30), st.integers(0, 120), st.integers(1, 20)
)
def test_it_is_the_end_of_everything(counts: list[int], room: int, start: int, limit: int) -> None:
    tail = Tail(messages=room)
    everything: list[RawMessage] = []
    for count in counts:
        one = part(len(everything), count)
        tail.add(one)
        everything.extend(one.messages)
    found = tail.read(start, limit)
    got = [message for one in found for message in one.messages]
    assert got == everything[start : start + len(got)]
    assert [one.first for one in found] == [start + sum(len(o.messages) for o in found[:i]) for i in range(len(found))]
    if found:
        assert len(got) >= min(limit, len(everything) - start)
        assert len(got) - len(found[-1].messages) < limit
    kept = max(min(room, len(everything)) - 9, 0)
    assert bool(found) or not len(everything) - kept <= start < len(everything)


def test_old_slices_make_room_but_the_newest_always_stays() -> None:
    tail = Tail(messages=100, size=1000)
    for i in range(10):
        tail.add(part(i * 5, 5, 100))
    assert not tail.read(35, 1)
    assert [one.first for one in tail.read(40, 100)] == [40, 45]
    tail.add(part(50, 200))
    assert not tail.read(45, 1)
    assert len(tail.read(50, 1)[0].messages) == 200


def test_what_is_dropped_makes_room_and_the_rest_stays() -> None:
    tail = Tail(messages=20)
    for i in range(4):
        tail.add(part(i * 5, 5))
    tail.drop(11)
    assert not tail.holds(9)
    assert tail.holds(10)
    assert not tail.read(9, 1)
    assert [one.first for one in tail.read(10, 100)] == [10, 15]
    tail.add(part(20, 10))
    assert tail.holds(10)
    tail.drop(100)
    assert not tail.holds(30)


def test_a_hole_is_not_bridged() -> None:
    tail = Tail()
    tail.add(part(0, 5))
    tail.add(part(7, 5))
    assert not tail.read(0, 10)
    assert not tail.read(5, 10)
    assert tail.read(7, 10) == [part(7, 5)]


async def test_a_reader_gets_the_very_messages_that_were_appended(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path / "log")
    messages = part(0, 12_000).messages
    await log.append(messages)
    (first,) = await log.read({}, 1)
    assert first.messages[0] is messages[0]
    again = await SqliteLog.open(tmp_path / "log")
    from_file = await again.read({}, 20_000)
    assert list(await log.read({}, 20_000)) == list(from_file)
    await again.append(part(0, 3).messages)
    await log.append(part(0, 2).messages)
    assert [one.first for one in await log.read({0: 12_000}, 20_000)] == [12_000, 12_003]
    for one in (log, again):
        await one.close()


async def test_what_was_trimmed_is_not_in_memory_either(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path / "log")
    await log.append(part(0, 5).messages)
    await log.append(part(5, 5).messages)
    await log.save("c", {0: 7})
    assert await log.trim(("c",)) == 5
    (left,) = await log.read({}, 100)
    assert left.first == 5
    assert (await log.read({0: 5}, 100))[0].messages[0] is (await log.read({0: 5}, 100))[0].messages[0]
    await log.close()


async def test_who_appends_faster_than_anybody_reads_lets_them_go_first(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path / "log", courtesy=Courtesy(UNREAD, let_s=60))
    many = part(0, UNREAD).messages
    await log.append(many)
    appending = asyncio.create_task(log.append(many))
    async with asyncio.timeout(60):
        while dict(await log.end()) != {0: 2 * UNREAD}:
            await asyncio.sleep(0)
        assert not appending.done()
        await log.read({0: 0}, UNREAD)
        await appending
    await log.close()


async def test_nobody_is_held_up_for_ever_by_readers_who_are_too_slow(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path / "log", courtesy=Courtesy(UNREAD, let_s=60, hold_s=0))
    async with asyncio.timeout(30):
        for _ in range(2):
            await log.append(part(0, UNREAD).messages)
    await log.close()


async def test_readers_that_do_not_come_hold_nobody_up(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path / "log", courtesy=Courtesy(UNREAD, let_s=0.01))
    for _ in range(4):
        await log.append(part(0, UNREAD).messages)
    assert dict(await log.end()) == {0: 4 * UNREAD}
    await log.close()
    behind = await SqliteLog.open(tmp_path / "log", courtesy=Courtesy(UNREAD, let_s=60))
    async with asyncio.timeout(30):
        for _ in range(3):
            await behind.append(part(0, UNREAD).messages)
    await behind.close()


@pytest.mark.parametrize("start", [-1, 0, 5])
def test_an_empty_tail_has_nothing(start: int) -> None:
    assert not Tail().read(start, 10)
