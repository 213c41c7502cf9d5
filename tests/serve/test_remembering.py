"""The rules' memory is saved beside the judging: as it was, in its order, and again when the database was away."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from citywarden.log.contract import Position
from citywarden.log.sqlite import SqliteLog
from citywarden.model.errors import Unavailable
from citywarden.serve.remembering import SNAPSHOT_EVERY_MS, Remembering
from rules import engine, rulefile, thresholds, work
from rules.worksettings import WorkSettings
from tests.builders import KINDS, NOON_MS, columns, device

ZONE = ZoneInfo("Asia/Shanghai")
BOOK = rulefile.parse(
    'rules: [{id: gas.co, kind: gas, levels: {major: {when: "co_ppm > 100"}}, summary: {en: "CO", zh-CN: "CO"}}]',
    "rules.yaml", KINDS,
)  # fmt: skip
LEAK = device("gas", "G1")


class Slow:
    """A shelf that takes a snapshot only when it is told to, or is away."""

    def __init__(self) -> None:
        self.asked, self.free, self.away = asyncio.Event(), asyncio.Event(), False
        self.kept: list[tuple[Position, bytes]] = []
        self.at_once = 0

    async def save_snapshot(self, name: str, position: Position, data: bytes) -> None:
        self.at_once += 1
        assert self.at_once == 1, "one snapshot at a time"
        self.asked.set()
        try:
            await self.free.wait()
            if self.away:
                raise Unavailable("away")
            self.kept.append((position, data))
        finally:
            self.at_once -= 1

    async def load_snapshot(self, name: str) -> tuple[Mapping[int, int], bytes] | None:
        return self.kept[-1] if self.kept else None


class Clock:
    ms = NOON_MS

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    found = await SqliteLog.open(tmp_path / "log.sqlite")
    yield found
    await found.close()


def beginning() -> engine.State:
    return engine.State(
        thresholds.start(BOOK, KINDS, ZONE, NOON_MS), work.start((), (), WorkSettings(), NOON_MS)
    )  # fmt: skip


def after(state: engine.State, second: int, co: float) -> engine.State:
    return engine.step(state, [columns("gas", [(second, {"co_ppm": co})], LEAK)], NOON_MS + second * 1000).state


def standing(data: bytes) -> str:
    levels, _ = engine.split(data)
    return thresholds.standing(thresholds.load(BOOK, KINDS, ZONE, levels, NOON_MS), "gas.co", LEAK.key)


async def test_what_is_saved_is_what_was_so_when_it_began(log: SqliteLog) -> None:
    shelf, clock = Slow(), Clock()
    memory = Remembering("rules", log, shelf, clock)
    state = after(beginning(), 1, 20.0)
    memory.change()
    memory.save_when_due(state, {0: 1})
    await shelf.asked.wait()
    state = after(state, 2, 150.0)
    shelf.free.set()
    assert await memory.load() == shelf.kept[-1]
    assert [(dict(position), standing(data)) for position, data in shelf.kept] == [({0: 1}, "ok")]
    assert dict(await log.saved("rules")) == {0: 1}
    await memory.save(state, {0: 2})
    assert [(dict(position), standing(data)) for position, data in shelf.kept[1:]] == [({0: 2}, "major")]


async def test_what_comes_while_one_is_under_way_is_saved_when_the_next_is_due(log: SqliteLog) -> None:
    shelf, clock = Slow(), Clock()
    memory = Remembering("rules", log, shelf, clock)
    state = beginning()
    memory.change()
    memory.save_when_due(state, {0: 1})
    memory.change()
    clock.ms += SNAPSHOT_EVERY_MS
    memory.save_when_due(state, {0: 2})
    shelf.free.set()
    await memory.load()
    memory.save_when_due(state, {0: 3})
    await memory.load()
    memory.save_when_due(state, {0: 4})
    await memory.load()
    assert [dict(position) for position, _ in shelf.kept] == [{0: 1}, {0: 3}]


async def test_a_log_without_room_does_not_wait_for_the_next_snapshot_so_long(log: SqliteLog) -> None:
    """It keeps what comes after the last one, and takes nothing in meanwhile."""
    shelf, clock = Slow(), Clock()
    shelf.free.set()
    memory = Remembering("rules", log, shelf, clock)
    state = beginning()
    for position, hurried in ((1, False), (2, False), (3, True), (4, True)):
        if hurried:
            memory.hurry()
        memory.change()
        memory.save_when_due(state, {0: position})
        await memory.load()
        clock.ms += 0 if position == 3 else SNAPSHOT_EVERY_MS // 3
    assert [dict(position) for position, _ in shelf.kept] == [{0: 1}, {0: 3}]


async def test_the_last_one_waits_for_the_one_under_way(log: SqliteLog) -> None:
    shelf = Slow()
    memory = Remembering("rules", log, shelf, Clock())
    state = beginning()
    memory.change()
    memory.save_when_due(state, {0: 1})
    await shelf.asked.wait()
    last = asyncio.create_task(memory.save(state, {0: 2}))
    shelf.free.set()
    await last
    assert [dict(position) for position, _ in shelf.kept] == [{0: 1}, {0: 2}]


async def test_a_database_that_is_away_is_asked_again_when_it_is_time(
    log: SqliteLog, caplog: pytest.LogCaptureFixture
) -> None:
    shelf, clock = Slow(), Clock()
    memory = Remembering("rules", log, shelf, clock)
    shelf.away = True
    shelf.free.set()
    memory.change()
    for _ in range(3):
        memory.save_when_due(beginning(), {0: 1})
        assert await memory.load() is None
        clock.ms += SNAPSHOT_EVERY_MS
    assert [record.getMessage() for record in caplog.records] == ["the rules' memory cannot be saved now: away"]
    shelf.away = False
    memory.save_when_due(beginning(), {0: 1})
    assert await memory.load() is not None
