"""Logging in on an event loop, with a brake."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from citywarden.access.desk import Desk
from citywarden.access.passwords import Passwords
from citywarden.access.reception import FRESH_MS, Reception
from citywarden.model.access import AuditQuery, Denied, NewToken, NewUser, TooOften, UserChange
from citywarden.model.identity import Identity, Role
from citywarden.serve.tables import open_database
from tests.access.conftest import CHEAP
from tests.builders import NOON_MS

ROOT = Identity("root", Role.ADMINISTRATOR)
GOOD = "river-lantern-42"


class Clock:
    def __init__(self) -> None:
        self.ms = NOON_MS

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def reception(tmp_path: Path, clock: Clock) -> AsyncIterator[Reception]:
    engine = open_database(f"sqlite:///{tmp_path / 'a.sqlite'}")
    made = Reception(Desk(engine, Passwords(CHEAP)), clock)
    await made.add_user(ROOT, NewUser("zhang", Role.DISPATCHER, "north", GOOD))
    yield made
    await made.close()
    engine.dispose()


async def test_the_right_password_opens_a_session(reception: Reception) -> None:
    user, cookie = await reception.login("zhang", GOOD, "10.0.0.1", "Firefox")
    visit = await reception.visit(cookie)
    assert visit is not None
    assert visit.user.name == user.name == "zhang"
    assert visit.user.login_ms == NOON_MS
    assert await reception.visit("another") is None


async def test_a_wrong_password_and_an_unknown_name_are_told_apart_by_nobody(reception: Reception) -> None:
    said = []
    for name in ("zhang", "nobody"):
        with pytest.raises(Denied) as refused:
            await reception.login(name, "wrong wrong wrong", "10.0.0.1", "")
        said.append(str(refused.value))
    assert len(set(said)) == 1
    failed = (await reception.find(ROOT, AuditQuery(action="login.failed"))).items
    assert [(e.note.subject, e.note.source) for e in failed] == [("nobody", "10.0.0.1"), ("zhang", "10.0.0.1")]


async def test_after_five_failures_even_the_right_password_waits(reception: Reception, clock: Clock) -> None:
    for _ in range(5):
        with pytest.raises(Denied):
            await reception.login("zhang", "wrong wrong wrong", "10.0.0.1", "")
    with pytest.raises(TooOften) as waiting:
        await reception.login("zhang", GOOD, "10.0.0.2", "")
    assert waiting.value.retry_after_s == 30
    clock.ms += 30_000
    await reception.login("zhang", GOOD, "10.0.0.2", "")


async def test_what_ends_here_ends_at_once_and_elsewhere_within_seconds(reception: Reception, clock: Clock) -> None:
    _, cookie = await reception.login("zhang", GOOD, "", "")
    assert await reception.visit(cookie) is not None
    await reception.change_user(ROOT, "zhang", UserChange(role=Role.VIEWER))
    assert await reception.visit(cookie) is None
    _, cookie = await reception.login("zhang", GOOD, "", "")
    assert await reception.visit(cookie) is not None
    reception.desk.change_user(ROOT, "zhang", UserChange(enabled=False), clock.ms)  # as another process would
    clock.ms += FRESH_MS
    assert await reception.visit(cookie) is None


async def test_a_revoked_token_is_nobody_at_once(reception: Reception) -> None:
    _, text = await reception.add_token(ROOT, NewToken("crm", Role.VIEWER))
    assert await reception.recognise(text) is not None
    await reception.revoke_token(ROOT, "crm")
    assert await reception.recognise(text) is None


async def test_a_password_hashed_with_less_work_is_hashed_anew(tmp_path: Path, clock: Clock) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'b.sqlite'}")
    Desk(engine, Passwords(CHEAP)).add_user(ROOT, NewUser("zhang", Role.VIEWER, None, GOOD), NOON_MS)
    stronger = Reception(Desk(engine), clock)
    before = stronger.desk.password_of("zhang")
    await stronger.login("zhang", GOOD, "", "")
    assert stronger.desk.password_of("zhang") != before
    await stronger.login("zhang", GOOD, "", "")
    await stronger.close()
    engine.dispose()


async def test_a_tenant_reads_its_own_record(reception: Reception) -> None:
    for name, tenant, subject in (("a", "north", "1"), ("b", "south", "2")):
        async with reception.doing(Identity(name, Role.DISPATCHER, tenant), "alert.close", [subject]):
            pass
    north = Identity("n", Role.ADMINISTRATOR, "north")
    found = (await reception.find(north, AuditQuery(tenant="south"))).items
    assert [entry.note.subject for entry in found] == ["1"]
