"""The judge after a crash: what was committed is not told twice, what was not is not lost."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from citywarden.alerts.desk import AsyncDesk, Desk
from citywarden.alerts.routes import Routes
from citywarden.columns import Columns
from citywarden.database import connect, migrate
from citywarden.live import Live
from citywarden.log.sqlite import SqliteLog
from citywarden.model.alert import AlertQuery
from citywarden.model.message import RawMessage
from citywarden.serve.judge import RULES_CONSUMER, Hooks, Judge, behind
from ingest.decode import Decoder
from ingest.feed import Feed
from ingest.registry import Registry
from rules import engine, rulefile, thresholds, work
from rules.worksettings import WorkSettings
from tests.builders import KINDS, NOON_MS, device

ZONE = ZoneInfo("Asia/Shanghai")
Step = Callable[[engine.State, Sequence[Columns], int], engine.Outcome]
BOOK = rulefile.parse(
    'rules: [{id: gas.co, kind: gas, levels: {major: {when: "co_ppm > 100"}}, summary: {en: "CO", zh-CN: "CO"}}]',
    "rules.yaml", KINDS,
)  # fmt: skip


@pytest.fixture
def engine_(tmp_path: Path) -> Iterator[Engine]:
    found = connect(f"sqlite:///{tmp_path / 'db.sqlite'}")
    migrate(found)
    Registry(found).put([device("gas", f"G{i}") for i in range(3)])
    yield found
    found.dispose()


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    found = await SqliteLog.open(tmp_path / "log.sqlite")
    yield found
    await found.close()


def gas(number: int, who: int, co: float) -> RawMessage:
    payload = b'{"ts": %d, "co_ppm": %g}' % (NOON_MS + number * 1000, co)
    return RawMessage(f"city/t/gas/G{who}/telemetry", payload, NOON_MS + number * 1000)


def fresh(_data: bytes | None) -> engine.State:
    if _data is None:
        settings = WorkSettings()
        return engine.State(thresholds.start(BOOK, KINDS, ZONE, NOON_MS), work.start((), (), settings, NOON_MS))
    levels, _ = engine.split(_data)
    return engine.State(
        thresholds.load(BOOK, KINDS, ZONE, levels, NOON_MS), work.start((), (), WorkSettings(), NOON_MS)
    )


def judge_of(log: SqliteLog, database: Engine, step: Step = engine.step) -> tuple[Judge, AsyncDesk]:
    registry = Registry(database)
    desk = AsyncDesk(Desk(database, Routes(())), lambda: NOON_MS)
    feed = Feed(log, Decoder(KINDS, registry.lookup), registry, lambda: NOON_MS)
    hooks = Hooks(lambda _reports: None, lambda state, _now: state, step)
    return Judge(feed, registry, desk, Live(KINDS), lambda: NOON_MS, hooks), desk


async def read(judge: Judge) -> None:
    """Judge what the log has beyond the position, without timers and without saving the memory."""
    for part in await judge.read():
        await judge.judge([part])


async def told(desk: AsyncDesk) -> Sequence[tuple[str, str]]:
    return sorted((a.subject, str(a.status)) for a in (await desk.find(AlertQuery())).items)


async def test_an_alert_that_came_and_went_is_not_raised_again_after_a_crash(log: SqliteLog, engine_: Engine) -> None:
    first, desk = judge_of(log, engine_)
    await first.restore(fresh)
    await log.append([gas(1, 0, 150.0)])
    await log.append([gas(2, 0, 50.0)])
    await read(first)
    assert await told(desk) == [("G0", "resolved")]
    await desk.close()
    second, desk = judge_of(log, engine_)
    await second.restore(fresh)
    await read(second)
    assert await told(desk) == [("G0", "resolved")]
    await desk.close()


async def test_what_was_not_committed_is_judged_after_the_crash(log: SqliteLog, engine_: Engine) -> None:
    """The saved memory lies in the middle of what one read brings; only what lies behind the commit is dropped."""
    first, desk = judge_of(log, engine_)
    await first.restore(fresh)
    await log.append([gas(1, 0, 150.0)])
    await read(first)
    await desk.close()
    await log.append([gas(2, 1, 150.0)])
    await log.append([gas(3, 2, 150.0)])
    second, desk = judge_of(log, engine_)
    await second.restore(fresh)
    assert second.progress.position == {0: 1}
    await read(second)
    assert await told(desk) == [("G0", "firing"), ("G1", "firing"), ("G2", "firing")]
    await desk.close()


async def test_the_memory_is_brought_up_to_the_commit(log: SqliteLog, engine_: Engine) -> None:
    first, desk = judge_of(log, engine_)
    await first.restore(fresh)
    await log.append([gas(1, 1, 20.0)])
    await read(first)
    await first.save()
    assert dict(await log.saved(RULES_CONSUMER)) == {0: 1}
    await log.append([gas(2, 0, 150.0)])
    await read(first)
    await desk.close()
    second, desk = judge_of(log, engine_)
    state = await second.restore(fresh)
    assert second.progress.position == {0: 2}
    assert thresholds.standing(state.levels, "gas.co", device("gas", "G0").key) == "major"
    await log.append([gas(3, 0, 50.0)])
    await read(second)
    assert await told(desk) == [("G0", "resolved")]
    await desk.close()


async def test_a_batch_that_breaks_the_rules_is_skipped_the_second_time(log: SqliteLog, engine_: Engine) -> None:
    def broken(_state: engine.State, _batch: Sequence[Columns], _now_ms: int) -> engine.Outcome:
        raise ZeroDivisionError

    judge, desk = judge_of(log, engine_, broken)
    await judge.restore(fresh)
    await log.append([gas(1, 0, 150.0)])
    with pytest.raises(ZeroDivisionError):
        await read(judge)
    assert judge.progress.position == {}
    await judge.restore(fresh)
    await read(judge)
    assert judge.progress.skipped == 1
    assert judge.progress.position == {0: 1}
    await desk.close()


async def test_while_behind_it_judges_together_what_came_within_a_minute(log: SqliteLog, engine_: Engine) -> None:
    """One step for all would pass over a device that was silent in between."""
    sizes: list[int] = []

    def counting(state: engine.State, batch: Sequence[Columns], now_ms: int) -> engine.Outcome:
        sizes.append(sum(map(len, batch)))
        return engine.step(state, batch, now_ms)

    for second in (0, 30, 60, 61, 600):
        await log.append([gas(second, 0, 50.0)])
    judge, desk = judge_of(log, engine_, counting)
    await judge.restore(fresh)
    running = asyncio.create_task(judge.run())
    while judge.progress.messages < 5:
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait({running})
    assert sizes == [3, 1, 1]
    await desk.close()


async def test_what_was_judged_and_stored_is_not_remembered(log: SqliteLog, engine_: Engine) -> None:
    registry = Registry(engine_)
    desk = AsyncDesk(Desk(engine_, Routes(())), lambda: NOON_MS)
    feed = Feed(log, Decoder(KINDS, registry.lookup), registry, lambda: NOON_MS)
    hooks = Hooks(lambda _reports: None, lambda state, _now: state)
    judge = Judge(feed, registry, desk, Live(KINDS), lambda: NOON_MS, hooks)
    await judge.restore(fresh)
    feed.passed("store", {0: 100})
    for n in range(30):
        await log.append([gas(n, 0, 50.0)])
        await read(judge)
        assert feed.remembered == 0
    assert judge.progress.messages == 30
    await desk.close()


def test_what_is_past_the_end_is_not_behind() -> None:
    assert behind({}, {0: 1}) and behind({0: 4}, {0: 5})
    assert not behind({0: 7}, {0: 5}) and not behind({0: 5}, {})
