"""A part that fails is named, restored and started again; one that is stopped ends."""

import asyncio

from citywarden.serve import supervision


async def test_a_part_that_fails_is_named_and_started_again() -> None:
    crashed: dict[str, str] = {}
    happened: list[str] = []
    up = asyncio.Event()

    async def run() -> None:
        happened.append("run")
        if len(happened) == 1:
            raise ValueError("broken")
        up.set()
        await asyncio.Event().wait()

    async def restore() -> None:
        happened.append(f"restore after {crashed}")

    part = asyncio.create_task(supervision.kept_running("rules", supervision.restored(run, restore), crashed))
    async with asyncio.timeout(60):
        while not crashed:
            await asyncio.sleep(0)
        assert crashed == {"rules": "failed: ValueError: broken"}
        await up.wait()
    assert happened == ["run", "restore after {}", "run"]
    await supervision.stop(part)
    assert part.cancelled()
