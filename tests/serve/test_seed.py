"""The wall after a restart: the last known values, also when the store answers late."""

from citywarden.columns import Columns
from citywarden.live import Live
from citywarden.model.errors import Unavailable
from citywarden.serve.ground import seed
from ingest.kinds import all_kinds
from tests.builders import NOON_MS, columns, device
from tests.store.twin import MemoryStore

KINDS = all_kinds()
GAS = device("gas", "g1")


class LateStore(MemoryStore):
    """Away the first two times it is asked."""

    def __init__(self) -> None:
        super().__init__(KINDS)
        self.asked = 0

    async def latest(self, kind: str, tenant: str | None = None) -> Columns:
        self.asked += 1
        if self.asked <= 2:
            raise Unavailable("away")
        return await super().latest(kind, tenant)


async def test_a_store_that_is_away_is_asked_again_and_what_has_come_since_stays() -> None:
    store, live, waited = LateStore(), Live(KINDS), list[float]()
    await store.write(columns("gas", [(10, {"methane_lel_pct": 3.0, "co_ppm": 7.0})], GAS))

    async def sleep(s: float) -> None:
        waited.append(s)
        live.update(columns("gas", [(20, {"methane_lel_pct": 9.0})], GAS))

    await seed(live, store, sleep)
    known = live.of(GAS.key)
    assert known is not None
    assert (known.ts_ms, known.values["methane_lel_pct"]) == (NOON_MS + 20_000, 9.0)
    assert waited == [1.0, 2.0]
