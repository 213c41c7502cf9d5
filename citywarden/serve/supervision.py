"""Parts that run as long as the server: started again when they fail, stopped in good order."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0

_log = logging.getLogger(__name__)
Run = Callable[[], Awaitable[None]]


async def kept_running(name: str, run: Run, crashed: MutableMapping[str, str]) -> None:
    """Run a part until cancelled. One that fails is named in `crashed`, for the health, and started again after a
    while that doubles up to a minute, and is short again once the part has run for a minute.
    """
    wait_s, loop = FIRST_WAIT_S, asyncio.get_running_loop()
    while True:
        began_s = loop.time()
        try:
            await run()
        except Exception as error:
            if loop.time() - began_s >= LONGEST_WAIT_S:
                wait_s = FIRST_WAIT_S
            _log.exception("%s failed; it starts again in %.0f s", name, wait_s)
            crashed[name] = f"failed: {type(error).__name__}: {error}"[:200]
            await asyncio.sleep(wait_s)
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)
            crashed.pop(name, None)


def restored(run: Run, restore: Callable[[], Awaitable[object]]) -> Run:
    """`run`, with `restore` before every time but the first."""
    first = True

    async def again() -> None:
        nonlocal first
        if not first:
            await restore()
        first = False
        await run()

    return again


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has ended."""
    task.cancel()
    await asyncio.wait({task})
