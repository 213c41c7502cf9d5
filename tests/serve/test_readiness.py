"""InfluxDB is made ready while the server runs: again and again until it works, then what there was is folded."""

import asyncio
import contextlib
from collections.abc import Sequence

from citywarden.model.errors import Unavailable
from citywarden.serve.readiness import AGAIN_S, NAME, Readiness, Told
from citywarden.store.influx import Filling

HOUR_MS = 3_600_000
A_DAY = Filling("_1h", 0, 24 * HOUR_MS)


class Database:
    """An InfluxDB that is away for the first tries, then has four pieces to fold; each takes 3 s of this clock."""

    def __init__(self, away: int, breaks_at: int | None = None) -> None:
        self.away, self.breaks_at = away, breaks_at
        self.left: Filling | None = A_DAY
        self.now_s = 0.0
        self.waits: list[float] = []
        self.reports: list[dict[str, str]] = []
        self.readiness = Readiness(self.tend, self.fill, self.sleep, lambda: self.now_s)

    async def tend(self) -> Sequence[str]:
        if self.away:
            self.away -= 1
            raise Unavailable("InfluxDB cannot be reached", retry_after_s=20.0 if self.away == 0 else None)
        return ["bucket city_1h made"]

    async def fill(self, told: Told) -> Sequence[str]:
        while self.left is not None:
            await told([self.left])
            if self.breaks_at == self.left.pieces:
                self.breaks_at = None
                raise Unavailable("InfluxDB is gone again")
            self.now_s += 3.0
            self.left = self.left.after()
        await told([])
        return []

    async def sleep(self, seconds: float) -> None:
        self.reports.append(dict(self.readiness.report()))
        self.waits.append(seconds)
        self.now_s += seconds
        if seconds == AGAIN_S:
            raise asyncio.CancelledError

    async def run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await self.readiness.run()


async def test_an_influxdb_that_is_away_is_tried_again_with_longer_waits_until_it_is_there() -> None:
    database = Database(away=9)
    database.left = None
    await database.run()
    assert database.waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, AGAIN_S]
    assert database.reports == [{NAME: "InfluxDB cannot be reached"}] * 9 + [{}]
    assert database.readiness.ready


async def test_its_own_wish_for_a_longer_wait_is_granted() -> None:
    database = Database(away=1)
    database.left = None
    await database.run()
    assert database.waits == [20.0, AGAIN_S]


async def test_between_two_pieces_the_city_has_the_database_for_as_long_as_one_takes() -> None:
    database = Database(away=0)
    await database.run()
    assert database.waits == [3.0, 3.0, 3.0, AGAIN_S]
    said = [f"old readings are being folded, {left} pieces left" for left in (3, 2, 1)]
    assert database.reports == [*({NAME: text} for text in said), {}]


async def test_folding_that_breaks_off_goes_on_where_it_was() -> None:
    database = Database(away=0, breaks_at=2)
    await database.run()
    assert database.waits == [3.0, 3.0, 1.0, 3.0, AGAIN_S]
    assert database.reports[2] == {NAME: "InfluxDB is gone again"}
    assert database.left is None and database.readiness.pieces == 0


async def test_the_start_waits_for_the_first_try_but_not_for_ever() -> None:
    database = Database(away=1)
    waiting = asyncio.create_task(database.readiness.first_try(patience_s=30.0))
    await database.run()
    await waiting
    hanging = Database(away=0)
    await hanging.readiness.first_try(patience_s=0.0)
    assert hanging.readiness.report() == {NAME: "not done yet"}
