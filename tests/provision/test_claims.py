"""Claims: what is proved, what is refused and why, and the whole way over a real broker."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from citywarden.model.claim import Mode, State
from citywarden.model.credential import is_claim_topic
from citywarden.model.errors import CitywardenError, NotFound
from citywarden.provision import claimant
from citywarden.provision.book import Book
from citywarden.provision.bucket import Buckets, Pace
from citywarden.provision.claimbook import ClaimBook
from citywarden.provision.claims import FRESH_MS, Request, bootstrap_password, parse_request, prove
from citywarden.provision.sealing import fresh_key, public_text, seal, unseal
from citywarden.serve.claimoffice import ClaimOffice, claiming
from citywarden.serve.enrolment import Enrolment, Entrance
from ingest.registry import Registry
from tests.brokers import needs_mosquitto
from tests.builders import KINDS, NOON_MS, device
from tests.provision.doubles import Office
from tests.provision.sites import Site, dynsec_site, embedded_site
from tests.record import Record

S1 = device("gas", "S1")
KEY = fresh_key()


@pytest.fixture
def office(engine: Engine) -> Office:
    return Office(engine)


def request_of(
    secret: str, serial: str = "S1", kind: str = "gas", nonce: str = "n" * 16, ts_ms: int = NOON_MS
) -> Request:
    request = Request(serial, kind, nonce, ts_ms, public_text(KEY), "")
    return replace(request, proof=prove(secret, "t", request))


async def ask(office: Office, request: Request) -> dict[str, Any] | None:
    """The server's answer, opened."""
    found = await office.claims.answer("t", claimant.payload_of(request))
    if found is None:
        return None
    topic, payload = found
    assert topic == f"city/t/claim/{request.serial}/result"
    answer: dict[str, Any] = json.loads(payload)
    assert (answer["serial"], answer["nonce"]) == (request.serial, request.nonce)
    if "sealed" in answer:
        answer["opened"] = unseal(answer["sealed"], KEY, request.nonce)
    return answer


async def secret_of(office: Office, mode: Mode = Mode.LISTED) -> str:
    return (await office.claims.make_key("t", mode)).secret


def nonces() -> Iterator[str]:
    return (f"nonce-{i:012}" for i in range(1000))


async def test_a_listed_device_gets_its_identity_once(office: Office) -> None:
    secret = await secret_of(office)
    assert office.broker.passwords["t/claim"] == bootstrap_password(secret)
    await office.enrolment.add([S1], claimed=True)
    assert "t/gas/S1" not in office.broker.accounts
    assert await office.enrolment.compare() == []
    answer = await ask(office, request_of(secret))
    assert answer is not None
    assert answer["status"] == "issued"
    opened = answer["opened"]
    assert (opened["username"], opened["client_id"]) == ("t/gas/S1", "t/gas/S1")
    assert office.broker.passwords["t/gas/S1"] == opened["password"]
    assert opened["password"] not in json.dumps({k: v for k, v in answer.items() if k != "opened"})
    again = await ask(office, request_of(secret, nonce="m" * 16))
    assert again is not None and again["status"] == "already_claimed" and "sealed" not in again
    assert [(a, s) for _, a, s in office.record.notes] == [
        ("device.claim.issued", "t/gas/S1"), ("device.claim.already_claimed", "t/gas/S1")
    ]  # fmt: skip
    await office.enrolment.await_claim(S1.key)
    assert "t/gas/S1" not in office.broker.accounts, "what it had is dead"
    third = await ask(office, request_of(secret, nonce="o" * 16))
    assert third is not None and third["status"] == "issued"
    assert third["opened"]["password"] != opened["password"]


async def test_what_is_not_proved_gets_no_answer(office: Office) -> None:
    assert await ask(office, request_of("no key yet")) is None
    secret = await secret_of(office)
    await office.enrolment.add([S1], claimed=True)
    good = request_of(secret)
    other = "x" * 16
    changed = [
        replace(good, serial=other), replace(good, kind=other), replace(good, nonce=other),
        replace(good, public_key=public_text(fresh_key())),
    ]  # fmt: skip
    for forged in (request_of("wrong"), replace(good, ts_ms=good.ts_ms + 1), replace(good, proof=""), *changed):
        assert await ask(office, forged) is None
    assert office.claims.outcomes["bad_proof"] == 7
    assert office.broker.accounts.keys() == {"t/claim"}
    old = secret
    await secret_of(office)
    assert await ask(office, request_of(old)) is None, "a new key kills the old one"


async def test_a_replay_is_refused_also_by_a_server_that_has_restarted(office: Office, engine: Engine) -> None:
    secret = await secret_of(office)
    await office.enrolment.add([S1], claimed=True)
    request = request_of(secret)
    assert (await ask(office, request) or {})["status"] == "issued"
    await office.enrolment.await_claim(S1.key)
    restarted = Office(engine)
    restarted.enrolment = office.enrolment
    assert await ask(restarted, request) is None
    assert restarted.claims.outcomes["replayed"] == 1


@pytest.mark.parametrize("off_ms", [FRESH_MS + 1, -FRESH_MS - 1])
async def test_an_old_request_is_stale(office: Office, off_ms: int) -> None:
    secret = await secret_of(office)
    await office.enrolment.add([S1], claimed=True)
    answer = await ask(office, request_of(secret, ts_ms=NOON_MS + off_ms))
    assert answer is not None and answer["status"] == "stale"


async def test_unknown_serials_are_refused_or_wait_for_a_person(office: Office) -> None:
    names = nonces()
    secret = await secret_of(office)
    answer = await ask(office, request_of(secret, "S9", nonce=next(names)))
    assert answer is not None and answer["status"] == "unknown_serial"
    secret = await secret_of(office, Mode.APPROVAL)
    answer = await ask(office, request_of(secret, "S9", "boat", next(names)))
    assert answer is not None and answer["status"] == "unknown_kind"
    for serial in ("S9", "S8"):
        answer = await ask(office, request_of(secret, serial, nonce=next(names)))
        assert answer is not None and (answer["status"], answer["retry_s"]) == ("waiting", 60)
    assert [a.key.id for a in await office.claims.asked("t", State.WAITING)] == ["S8", "S9"]
    await office.claims.approve(replace(device("gas", "S9"), name="new"), "ann")
    await office.claims.reject(device("gas", "S8").key, "ann")
    answer = await ask(office, request_of(secret, "S9", nonce=next(names)))
    assert answer is not None and answer["status"] == "issued"
    answer = await ask(office, request_of(secret, "S8", nonce=next(names)))
    assert answer is not None and answer["status"] == "rejected"
    assert {a.key.id: (a.state, a.decided_by) for a in await office.claims.asked(None, None)} == {
        "S9": (State.CLAIMED, "device S9"), "S8": (State.REJECTED, "ann")
    }  # fmt: skip
    with pytest.raises(NotFound):
        await office.claims.find_waiting("t", "S9", None)


async def test_too_many_tries_of_a_serial_or_a_tenant_are_not_looked_at(office: Office) -> None:
    secret, names = await secret_of(office), nonces()
    answers = [await ask(office, request_of(secret, "S9", nonce=next(names))) for _ in range(7)]
    assert [answer is None for answer in answers] == [False] * 5 + [True] * 2
    office.now_ms += 60_000
    assert await ask(office, request_of(secret, "S9", nonce=next(names), ts_ms=office.now_ms)) is not None
    for _ in range(300):
        await office.claims.answer("u", b"rubbish")
    assert office.claims.outcomes["malformed"] == 200
    assert office.claims.outcomes["too_many"] == 102


async def test_a_broker_that_is_away_costs_the_device_nothing(office: Office) -> None:
    secret = await secret_of(office)
    await office.enrolment.add([S1], claimed=True)
    office.broker.away = True
    answer = await ask(office, request_of(secret))
    assert answer is not None and answer["status"] == "failed"
    with pytest.raises(CitywardenError):
        await office.claims.make_key("t", Mode.APPROVAL)
    kept = office.claimbook.key("t")
    assert kept is not None and kept.secret == secret, "the old key still counts"
    office.broker.away = False
    answer = await ask(office, request_of(secret, nonce="m" * 16))
    assert answer is not None and answer["status"] == "issued"


async def test_a_disabled_device_does_not_claim(office: Office) -> None:
    secret = await secret_of(office)
    await office.enrolment.add([S1], claimed=True)
    await office.enrolment.disable(S1.key)
    answer = await ask(office, request_of(secret))
    assert answer is not None and answer["status"] == "already_claimed"


@given(st.binary(max_size=200) | st.dictionaries(
    st.sampled_from(["serial", "kind", "nonce", "ts", "public_key", "proof"]),
    st.text(max_size=40) | st.integers() | st.none() | st.just(public_text(KEY)),
).map(lambda found: json.dumps(found).encode()))  # fmt: skip
def test_any_bytes_are_a_request_or_none(payload: bytes) -> None:
    request = parse_request(payload)
    assert request is None or "/" not in request.serial + request.kind


def test_only_the_key_that_asked_opens_the_answer() -> None:
    sealed = seal({"password": "x"}, public_text(KEY), "nonce")
    assert unseal(sealed, KEY, "nonce") == {"password": "x"}
    for key, nonce in ((fresh_key(), "nonce"), (KEY, "other")):
        with pytest.raises(ValueError, match="not for this device"):
            unseal(sealed, key, nonce)


@given(st.lists(st.integers(0, 120_000), max_size=40))
def test_a_bucket_never_gives_more_than_its_pace(gaps: list[int]) -> None:
    buckets, now_ms, given_ = Buckets(Pace(3, 6)), 0, 0
    for gap in gaps:
        now_ms += gap
        given_ += buckets.take("a", now_ms)
    assert given_ <= 3 + now_ms * 6 / 60_000


@pytest.mark.parametrize(
    ("topic", "is_one"),
    [("city/t/claim", True), ("city/t/claim/S1/result", True), ("city/t/gas/S1/telemetry", False),
     ("city//claim", False), ("city/t/claim/S1/telemetry", False), ("x/t/claim", False)],
)  # fmt: skip
def test_topics_of_claims(topic: str, is_one: bool) -> None:
    assert is_claim_topic(topic) == is_one


@asynccontextmanager
async def claiming_site(site: Site, engine: Engine) -> AsyncIterator[tuple[ClaimOffice, Enrolment]]:
    """The server's part over a real broker."""
    book = ClaimBook(engine)

    enrolment = Enrolment(
        Registry(engine), Book(engine), site.provisioner, lambda: NOON_MS, Entrance(site.devices), claiming(book)
    )  # fmt: skip
    office = ClaimOffice(enrolment, book, KINDS.keys(), Record().doing, lambda: NOON_MS)
    listening = asyncio.create_task(office.listen(site.server, "server-claims"))
    await office.listening.wait()
    try:
        yield office, enrolment
    finally:
        listening.cancel()
        await asyncio.wait({listening})


async def claim_over_the_wire(site: Site, engine: Engine) -> None:
    """Key, claim, log in with what was claimed, and nobody else reads or repeats it."""
    async with claiming_site(site, engine) as (office, enrolment):
        secret = (await office.make_key("t", Mode.LISTED)).secret
        await enrolment.add([S1], claimed=True)
        place = claimant.Place(site.devices.host, site.devices.port)
        answer = await claimant.claim(place, "t", "gas", "S1", secret, lambda: NOON_MS)
        assert answer.status == "issued" and answer.credentials is not None
        login, password = str(answer.credentials["username"]), str(answer.credentials["password"])
        async with site.own() as server, site.device(login, password) as lamp:
            await server.subscribe("city/#", qos=1)
            await lamp.publish("city/t/gas/S1/telemetry", b"{}", qos=1)
            async with asyncio.timeout(60):
                assert str((await anext(aiter(server.messages))).topic) == "city/t/gas/S1/telemetry"
        answer = await claimant.claim(place, "t", "gas", "S1", secret, lambda: NOON_MS)
        assert (answer.status, answer.credentials) == ("already_claimed", None)
        with pytest.raises(CitywardenError):
            await claimant.claim(place, "t", "gas", "S1", "another key", lambda: NOON_MS, timeout_s=60)
        bootstrap = site.device("t/claim", bootstrap_password(secret), "t/claim/S2")
        async with bootstrap:
            for wrong in ("city/t/claim", "city/#", "city/t/gas/S1/command"):
                (code,) = await bootstrap.subscribe(wrong, qos=1)
                assert (code if isinstance(code, int) else code.value) >= 0x80
        await office.drop_key("t")
        with pytest.raises(aiomqtt.MqttError):
            await site.device("t/claim", bootstrap_password(secret), "t/claim/S2").__aenter__()


@needs_mosquitto
async def test_a_claim_over_mosquitto(tmp_path: Path, engine: Engine) -> None:
    async with dynsec_site(tmp_path) as site:
        await claim_over_the_wire(site, engine)


async def test_a_claim_through_the_gate(engine: Engine) -> None:
    async with embedded_site(engine) as site:
        await claim_over_the_wire(site, engine)
