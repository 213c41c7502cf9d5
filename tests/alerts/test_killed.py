"""kill -9 between any two steps: no alert lost, none doubled, each message delivered under one id."""

import asyncio
import signal
import sys
from collections import defaultdict
from pathlib import Path

from citywarden.alerts import outbox
from citywarden.alerts.outbox import State
from citywarden.model.alert import AlertQuery
from tests.alerts import mortal
from tests.alerts.alert_builders import desk, file_engine
from tests.alerts.hooks import Taken, hook

ROOT = Path(__file__).parents[2]


async def run(folder: Path, url: str, *die_after: int) -> list[int]:
    """How each server ended."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.alerts.mortal", str(folder), url, *map(str, die_after),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(child.communicate(), 600)
    return [int(word) for word in said.split()]


async def test_a_server_that_is_killed_again_and_again_tells_everything_once(tmp_path: Path) -> None:
    async with hook() as receiver:
        *ends, last = await run(tmp_path, receiver.url, 12, 19, 33, 46, 0)
    assert (ends.count(-signal.SIGKILL) >= 3, last) == (True, 0)
    front = desk(file_engine(tmp_path))
    assert front.position() == {0: len(mortal.story())}
    everything = front.find(AlertQuery(limit=1000)).items
    assert sorted(a.subject for a in everything) == sorted(f"g{i}" for i in range(mortal.SUBJECTS))
    assert sorted(a.subject for a in front.open()) == sorted(f"g{i}" for i in range(1, mortal.SUBJECTS, 2))

    ledger: dict[str, list[Taken]] = defaultdict(list)
    for taken in receiver.taken:
        ledger[taken.id].append(taken)
    assert len(ledger) == len(mortal.story())
    assert all(len({taken.body for taken in same}) == 1 for same in ledger.values())
    deliveries = front.read(lambda c: outbox.find(c, limit=1000)).items
    assert {d.id for d in deliveries} == set(ledger)
    assert {d.state for d in deliveries} == {State.DELIVERED}

    told: dict[str, list[object]] = defaultdict(list)
    for first, *_ in ledger.values():
        told[str(first.json["subject"])].append((first.json["severity"], first.json["status"]))
    risen = [("major", "firing"), ("critical", "firing"), ("critical", "resolved")]
    assert told == {f"g{i}": risen if i % 2 == 0 else risen[:1] for i in range(mortal.SUBJECTS)}
