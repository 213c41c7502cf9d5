"""Faults of the matrix in their short form: one stack of real processes, nothing lost and nothing twice.

One of each part that can fail; `./scripts/bench faults --short` does every row in some minutes.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bench.faults import line, plain
from bench.parts.programs import missing
from tests.faults.harness import Outcome, endure
from tests.faults.ledger import Count, count
from tests.faults.table import TABLE
from tests.faults.traffic import Mark

WHY = missing(with_postgres=True)
NAMES = ("server-killed", "broker-killed", "influx-reset", "influx-422", "database-killed")
CHOSEN = [fault for fault in TABLE if fault.name in NAMES]


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Outcome]]:
    """Of the chosen faults, by name; the stack is started once."""

    async def run() -> dict[str, Outcome]:
        return {outcome.fault.name: outcome async for outcome in endure(CHOSEN, short=True)}

    if WHY:
        pytest.skip(WHY)
    yield asyncio.run(run())


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_lost_and_nothing_twice(name: str, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[name]
    assert outcome.complaints == ()
    assert outcome.count.published > 100
    assert outcome.count.leaks > 0
    assert outcome.count.clean, outcome.count
    assert outcome.recovery_s is not None


def test_the_books_see_what_is_missing_and_what_is_twice() -> None:
    """A ledger that cannot fail proves nothing."""
    from collections import Counter

    span, ended = (Mark(10, 0, 0), Mark(15, 3, 0)), {0}
    rows = Counter({10: 1, 11: 2, 13: 1, 14: 1, 99: 1})
    known = {"leak-0000": ["resolved"], "leak-0001": ["firing", "firing"]}
    heard = {("leak-0000", "firing"): {"a"}, ("leak-0000", "resolved"): {"b", "c"}, ("leak-0001", "firing"): {"d"}}
    found = count(span, ended, rows, known, heard, 0)
    assert found == Count(
        published=5, lost=1, duplicates=1, leaks=3, alerts_lost=1, alerts_doubled=1, webhooks_lost=1,
        webhooks_doubled=1, dead_letters=0,
    )  # fmt: skip
    assert not found.clean
    worst = Outcome(TABLE[0], 1.0, found, None, ("it said nothing",))
    assert not worst.ok
    assert "**not back** | **it said nothing**" in line(worst)
    assert plain(worst)["lost"] == 1
    good = replace(found, lost=0, duplicates=0, alerts_lost=0, alerts_doubled=0, webhooks_lost=0, webhooks_doubled=0)
    assert Outcome(TABLE[0], 1.0, good, 1.0, ()).ok
