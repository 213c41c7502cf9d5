"""What a tenant is shown is what there is, without the others': on random cities."""

import asyncio
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from citywarden.columns import Reading, from_readings
from citywarden.live import Live
from citywarden.model.access import Forbidden
from citywarden.model.alert import Alert, AlertQuery
from citywarden.model.device import Device
from citywarden.model.identity import Identity, Role
from citywarden.model.message import DeadLetter, Reject
from citywarden.model.page import Page
from citywarden.store.contract import Fold
from dashboards.scoping import narrowed, scoped
from dashboards.scoping.desks import sift
from dashboards.sources import Sources
from tests.api.fakes import FakeDesk, FakeDirectory, FakeInbox, FakeLetters, alert, cut, report, sources, task
from tests.builders import KINDS, NOON_MS, device
from tests.store.twin import MemoryStore

TENANTS = ("north", "south", "t")
OWNERS = st.lists(st.sampled_from(TENANTS), max_size=12)


def city(owners: Sequence[str]) -> tuple[Sources, list[Device], list[Alert]]:
    """One detector, alert and dead letter for each of `owners`; all readings in the live picture and the store."""
    things = [device("gas", f"g{n:02}", tenant=tenant) for n, tenant in enumerate(owners)]
    alerts = [alert(f"a{n}", tenant=tenant, subject=f"g{n}") for n, tenant in enumerate(owners)]
    letters = [
        DeadLetter(0, n, -1, f"city/{tenant}/gas/g{n}/telemetry", b"", NOON_MS, Reject.BAD_TOPIC, "")
        for n, tenant in enumerate(owners)
    ]
    live, store = Live(KINDS), MemoryStore(KINDS)
    if things:
        rows = [Reading(d, NOON_MS + n, NOON_MS + n, {"methane_lel_pct": float(n)}) for n, d in enumerate(things)]
        live.update(from_readings(KINDS["gas"], rows))
        asyncio.run(store.write(from_readings(KINDS["gas"], rows)))
    known = sources(
        live=live, store=store, alerts=FakeInbox(alerts), devices=FakeDirectory(things), letters=FakeLetters(letters)
    )
    return known, things, alerts


@given(OWNERS, st.sampled_from(TENANTS))
@settings(max_examples=40, deadline=None)
def test_a_tenant_sees_its_own_and_nothing_else(owners: list[str], tenant: str) -> None:
    known, things, alerts = city(owners)
    mine = [d for d in things if d.tenant == tenant]
    own = narrowed(known, tenant)

    async def look() -> None:
        assert list((await own.devices.find(None, None, 100, None)).items) == mine
        assert {a.id for a in await own.alerts.open()} == {a.id for a in alerts if a.tenant == tenant}
        found = await own.alerts.find(AlertQuery())
        assert {a.tenant for a in found.items} <= {tenant}
        assert (await own.alerts.find(AlertQuery(tenant="north"))).items == [
            a for a in alerts if a.tenant == tenant == "north"
        ]
        letters = await own.letters.find(None, 100, None)
        assert [letter.topic.split("/")[1] for letter in letters.items] == [tenant] * len(mine)
        latest = await own.store.latest("gas")
        assert {d.key for d in latest.devices} == {d.key for d in mine}
        window = await own.store.window("gas", 0, NOON_MS * 2)
        assert {window.devices[i].key for i in window.device} == {d.key for d in mine}
        for d in things:
            assert bool(await own.store.series(d.key, 0, NOON_MS * 2)) == (d.tenant == tenant)
            assert (own.live.of(d.key) is not None) == (d.tenant == tenant)

    asyncio.run(look())
    order = [d.id for d in own.live.devices("gas")]
    assert sorted(order) == [d.id for d in mine]
    assert [r.device.id for r in own.live.latest("gas")] == order
    columns = own.live.columns("gas")
    assert {len(column) for column in columns.values()} == {len(mine)}
    assert list(columns["methane_lel_pct"]) == [float(name.removeprefix("g")) for name in order]
    assert all(len(words) == len(mine) for words in own.live.texts("gas").values())


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_sifted_pages_hold_all_that_is_mine_in_order(belongs: list[bool], limit: int) -> None:
    async def read(n: int, cursor: str | None) -> Page[tuple[int, bool]]:
        return cut(list(enumerate(belongs)), n, cursor)

    async def walk() -> list[int]:
        found: list[int] = []
        cursor: str | None = None
        while True:
            page = await sift(read, lambda one: one[1], limit, cursor)
            assert len(page.items) <= limit
            found += [n for n, _ in page.items]
            if (cursor := page.next) is None:
                return found

    assert asyncio.run(walk()) == [n for n, mine in enumerate(belongs) if mine]


async def test_the_live_picture_grows_with_the_city() -> None:
    known = sources(live=Live(KINDS))
    own = narrowed(known, "north")
    for n, tenant in enumerate(("south", "north", "south", "north")):
        one = device("gas", f"g{n}", tenant=tenant)
        known.live.update(from_readings(KINDS["gas"], [Reading(one, NOON_MS, NOON_MS, {"methane_lel_pct": 1.0})]))
        assert [d.tenant for d in own.live.devices("gas")] == ["north"] * ((n + 1) // 2)


async def test_a_listener_of_a_tenant_hears_its_own_readings_alerts_and_tasks() -> None:
    tasks = [task("N@2026-11-23", tenant="north"), task("S@2026-11-23", tenant="south")]
    known = sources(live=Live(KINDS), work=FakeDesk(tasks))
    with narrowed(known, "north").live.listen() as listener:
        for tenant, name in (("south", "S"), ("north", "N")):
            one = device("gas", name, tenant=tenant)
            known.live.tell(Reading(one, NOON_MS, NOON_MS, {"battery_v": 3.0}))
            known.live.tell(alert(name, tenant=tenant))
            known.live.tell(report(f"{name}@2026-11-23"))
        heard = aiter(listener)
        told = [str(await anext(heard)) for _ in range(3)]
    assert all("N" in one and "south" not in one for one in told)
    assert not known.live._listeners


async def test_work_is_the_tenants() -> None:
    tasks = [task("N@2026-11-23", tenant="north"), task("S@2026-11-23", tenant="south", vehicle="v2")]
    desk = FakeDesk(tasks, [report("N@2026-11-23"), report("S@2026-11-23", vehicle="v2")])
    own = narrowed(sources(work=desk), "north").work
    day = tasks[0].day
    assert [t.id for t in await own.tasks(day)] == ["N@2026-11-23"]
    assert [r.task for r in await own.reports(day)] == ["N@2026-11-23"]
    assert await own.track("v2", day) == ()


async def test_sums_over_tenants_and_writes_are_refused() -> None:
    store = narrowed(sources(), "north").store
    for refused in (
        store.aggregate("gas", "methane_lel_pct", 0, 1, 1, Fold.MEAN),
        store.count("gas"),
        store.trim("gas", 0),
        store.write_points([]),
        store.close(),
    ):
        try:
            await refused
        except Forbidden:
            continue
        raise AssertionError("this was done")


def test_health_tells_a_tenant_no_figures_of_others() -> None:
    own = narrowed(sources(), "north")
    assert dict(own.health().figures) == {}
    assert own.metrics() == b""


def test_who_sees_every_tenant_is_not_narrowed() -> None:
    known = sources()
    assert scoped(known, Identity("a", Role.VIEWER)) is known
    assert scoped(known, Identity("a", Role.VIEWER, "north")) is not known
