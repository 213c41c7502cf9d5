"""Servers that judge and deliver and are killed in the middle: `python mortal.py DATABASE URL DIE_AFTER...`.

One after the other, each a process of its own. A server dies by SIGKILL before its DIE_AFTER-th step on the database
(statement or commit); 0: never. Prints how each of them ended: 0, or minus the signal.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from sqlalchemy import event

from tests.alerts.alert_builders import desk, file_engine, finding, target
from tests.alerts.hooks import clock_ms, delivering

SUBJECTS = 12


def story() -> list[tuple[str, str]]:
    """(level, subject) of every finding in the log: each comes, every other one rises, all of those go."""
    came = [("major", f"g{i}") for i in range(SUBJECTS)]
    rose = [("critical", f"g{i}") for i in range(0, SUBJECTS, 2)]
    went = [("ok", f"g{i}") for i in range(0, SUBJECTS, 2)]
    return came + rose + went


async def live(folder: Path, url: str, die_after: int) -> None:
    engine = file_engine(folder)
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == die_after:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "before_cursor_execute", count)
    event.listen(engine, "commit", count)
    where = target(url=url)
    front = desk(engine, where)
    async with delivering(front, where) as (busy, courier):
        for i, (level, subject) in list(enumerate(story()))[front.position().get(0, 0) :]:
            now_ms = clock_ms()
            await busy.apply([finding(level, now_ms, subject)], now_ms, {0: i + 1})
        assert await courier.drain(60)


def life(folder: Path, url: str, die_after: int) -> int:
    """One server's whole life in a child of this process, which knows the modules already; returns how it ended."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.run(live(folder, url, die_after))
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    for word in sys.argv[3:]:
        print(life(Path(sys.argv[1]), sys.argv[2], int(word)), flush=True)
