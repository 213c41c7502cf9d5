"""The log's files over many rounds of coming and going: they stay as large as what waits needs, not as what went by."""

from pathlib import Path

from citywarden.log.sqlite import SqliteLog
from citywarden.model.message import RawMessage

ROUNDS, MESSAGES, BYTES = 40, 2000, 1000
ROUND_MB = MESSAGES * BYTES / 2**20


def size_mb(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.glob("raw.log*")) / 2**20


async def test_what_went_by_leaves_no_trace_on_the_disk(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path / "raw.log")
    sizes = []
    for number in range(ROUNDS):
        await log.append([RawMessage(f"city/t/gas/g{i}/telemetry", bytes(BYTES), number) for i in range(MESSAGES)])
        for consumer in ("store", "rules"):
            await log.save(consumer, await log.end())
        await log.trim(("store", "rules"))
        sizes.append(size_mb(tmp_path))
    assert sum(sizes[-5:]) / 5 <= max(sizes[ROUNDS // 2 - 10 : ROUNDS // 2]) + 1, "it does not grow any more"
    assert sizes[-1] < ROUNDS * ROUND_MB / 1.5, "far less than what went by"
    assert await log.end() == {0: ROUNDS * MESSAGES}
    await log.close()


async def test_room_that_a_long_outage_took_is_given_back(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path / "raw.log")
    for number in range(ROUNDS):
        await log.append([RawMessage(f"city/t/gas/g{i}/telemetry", bytes(BYTES), number) for i in range(MESSAGES)])
        await log.save("rules", await log.end())
        assert await log.trim(("store", "rules")) == 0, "the store has nothing yet"
    grown = (tmp_path / "raw.log").stat().st_size / 2**20
    assert grown > 0.5 * ROUNDS * ROUND_MB
    await log.save("store", await log.end())
    for _ in range(30):
        await log.trim(("store", "rules"))
    await log.close()
    assert (tmp_path / "raw.log").stat().st_size / 2**20 < 20, "16 MiB of free pages are kept"
