"""Registry and broker change together, or say plainly what is left: on SQLite and PostgreSQL."""

import pytest
from sqlalchemy import Engine

from citywarden.model.credential import Rights, login_of
from citywarden.model.errors import CitywardenError, HalfDone, NotFound, Unavailable
from citywarden.provision.book import Book, Pending
from citywarden.provision.contract import account_of
from citywarden.provision.difference import Fault
from citywarden.provision.password import matches
from citywarden.serve.enrolment import Enrolment
from ingest.registry import Registry
from tests.builders import device
from tests.provision.doubles import Office

G1, G2 = device("gas", "g1"), device("gas", "g2")
L1, L2 = login_of(G1.key), login_of(G2.key)


@pytest.fixture
def office(engine: Engine) -> Office:
    return Office(engine)


async def faults(office: Office) -> list[tuple[str, Fault]]:
    return [(d.login, d.fault) for d in await office.enrolment.compare()]


async def test_a_new_device_gets_credentials_and_we_keep_a_digest(office: Office, engine: Engine) -> None:
    (credential,) = await office.enrolment.add([G1])
    assert office.broker.accounts == {L1: account_of(L1)}
    assert office.broker.passwords == {L1: credential.password}
    assert len(credential.password) == 32
    assert credential.password not in repr(credential)
    issued = await office.enrolment.issued(G1.key)
    assert issued is not None
    assert issued.pending is Pending.NOTHING
    assert matches(credential.password, issued.digest) and credential.password not in issued.digest
    assert not matches("x" * 32, issued.digest) and not matches("", "")
    assert Registry(engine).get(G1.key) == G1
    assert await faults(office) == []


@pytest.mark.parametrize("trouble", ["away", "full"])
async def test_what_the_broker_does_not_take_is_not_registered(office: Office, trouble: str) -> None:
    if trouble == "away":
        office.broker.away = True
    else:
        office.broker.full = 1
    with pytest.raises(CitywardenError, match="nothing was registered"):
        await office.enrolment.add([G1, G2])
    assert list(office.registry.all()) == []
    assert office.book.all() == {}
    assert office.broker.accounts == {}
    office.broker.away, office.broker.full = False, 10
    assert len(await office.enrolment.add([G1, G2])) == 2


async def test_rotation_kills_the_old_password_and_fails_whole(office: Office) -> None:
    (old,) = await office.enrolment.add([G1])
    before = office.book.find(L1)
    office.broker.away = True
    with pytest.raises(Unavailable):
        await office.enrolment.rotate(G1.key)
    assert office.book.find(L1) == before
    office.broker.away = False
    new = await office.enrolment.rotate(G1.key)
    assert office.broker.passwords == {L1: new.password} != {L1: old.password}
    assert office.broker.ended[-1] == L1
    with pytest.raises(NotFound):
        await office.enrolment.rotate(G2.key)


async def test_disabling_takes_rights_at_once_and_enabling_gives_them_back(office: Office) -> None:
    (credential,) = await office.enrolment.add([G1])
    await office.enrolment.disable(G1.key)
    assert not office.broker.accounts[L1].allowed and office.broker.ended[-1] == L1
    assert not office.registry.get(G1.key).enabled
    office.broker.away = True
    with pytest.raises(Unavailable):
        await office.enrolment.enable(G1.key)
    assert not office.registry.get(G1.key).enabled, "not half enabled"
    office.broker.away = False
    await office.enrolment.enable(G1.key)
    assert office.broker.accounts[L1].allowed and office.registry.get(G1.key).enabled
    assert office.broker.passwords == {L1: credential.password}


@pytest.mark.parametrize("deed", ["disable", "remove"])
async def test_what_the_broker_could_not_be_told_counts_here_and_is_repaired(office: Office, deed: str) -> None:
    await office.enrolment.add([G1, G2])
    office.broker.away = True
    with pytest.raises(HalfDone, match=r"the broker is away.*citywarden device sync --repair"):
        await (office.enrolment.disable(G1.key) if deed == "disable" else office.enrolment.remove(G1.key))
    assert office.registry.find(G1.key) is None or not office.registry.get(G1.key).enabled
    issued = office.book.find(L1)
    assert issued is not None and issued.pending == deed
    office.broker.away = False
    assert await faults(office) == [(L1, Fault.ALLOWED if deed == "disable" else Fault.EXTRA)]
    repaired = await office.enrolment.repair(await office.enrolment.compare(), renew=False)
    assert [d.login for d in repaired.done] == [L1] and not repaired.left
    assert await faults(office) == []
    assert deed == "disable" or office.book.find(L1) is None


async def test_every_difference_is_named_and_repaired(office: Office) -> None:
    others = [device("gas", f"d{i}") for i in range(4)]
    await office.enrolment.add([G1, G2, *others])
    wide = Rights(frozenset({"city/#"}), frozenset())
    lost, rights, client, refused = (login_of(d.key) for d in others)
    office.broker.accounts["t/gas/stranger"] = account_of("t/gas/stranger")
    await office.broker.remove([lost])
    office.broker.tamper(rights, rights=wide)
    office.broker.tamper(client, client_id=None)
    office.broker.tamper(refused, allowed=False)
    office.registry.enable(G1.key, False)
    assert await faults(office) == [
        (L1, Fault.ALLOWED), (rights, Fault.RIGHTS), (client, Fault.CLIENT_ID), ("t/gas/stranger", Fault.EXTRA),
        (lost, Fault.MISSING), (refused, Fault.REFUSED),
    ]  # fmt: skip
    what = next(d.what for d in await office.enrolment.compare() if d.fault is Fault.RIGHTS)
    assert what.startswith("may also publish city/#; may not publish city/t/gas/d1/command/result")
    repaired = await office.enrolment.repair(await office.enrolment.compare(), renew=False)
    assert [d.login for d in repaired.left] == [lost], "without its password it cannot be made again"
    repaired = await office.enrolment.repair(await office.enrolment.compare(), renew=True)
    assert [c.login for c in repaired.issued] == [lost] and not repaired.left
    assert office.broker.passwords[lost] == repaired.issued[0].password
    assert await faults(office) == []


async def test_an_import_is_all_or_nothing(office: Office) -> None:
    await office.enrolment.add([G1])
    with pytest.raises(CitywardenError, match="already registered: g1"):
        await office.enrolment.add([G2, G1])
    assert [d.id for d in office.registry.all()] == ["g1"]
    assert set(office.broker.accounts) == {L1}


async def test_a_device_registered_before_there_were_credentials_gets_them_by_rotation(office: Office) -> None:
    office.registry.add([G1])
    assert await faults(office) == [(L1, Fault.MISSING)]
    await office.enrolment.disable(G1.key)
    assert await faults(office) == [], "disabled, and the broker does not know it: all is well"
    await office.enrolment.enable(G1.key)
    await office.enrolment.rotate(G1.key)
    assert await faults(office) == []


async def test_without_a_broker_to_tell_there_is_the_registry_alone(engine: Engine) -> None:
    registry = Registry(engine)
    enrolment = Enrolment(registry, Book(engine), None, lambda: 0)
    assert await enrolment.add([G1]) == []
    await enrolment.disable(G1.key)
    await enrolment.enable(G1.key)
    for attempt in (enrolment.rotate(G1.key), enrolment.compare(), enrolment.add([G2], claimed=True)):
        with pytest.raises(CitywardenError, match=r"\[provisioner\] kind"):
            await attempt
    await enrolment.remove(G1.key)
    assert list(registry.all()) == []
