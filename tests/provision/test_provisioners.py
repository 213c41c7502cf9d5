"""One contract, three brokers: Mosquitto with dynamic security, EMQX by its contract, ours behind its gate."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest
from paho.mqtt.reasoncodes import ReasonCode

from citywarden.model.credential import Rights
from citywarden.model.errors import Unavailable
from citywarden.provision.contract import Account, Grant, Provisioner, Refusal, account_of
from citywarden.provision.dynsec import Door, DynamicSecurity
from citywarden.provision.emqx import Emqx
from tests.brokers import free_port, is_cut, needs_mosquitto
from tests.databases import empty_database
from tests.provision.emqx_fake import KEY, SECRET, EmqxFake, emqx_fake
from tests.provision.sites import Site, dynsec_site, embedded_site

G1, G2, CLAIM = "t/gas/g1", "t/gas/g2", "t/claim"
PASSWORD = "Aa1-" * 8


class _Param:
    """What `empty_database` asks of a request."""

    def __init__(self, request: pytest.FixtureRequest, param: str) -> None:
        self.param = param
        self.getfixturevalue = request.getfixturevalue


@pytest.fixture(params=["embedded-sqlite", "embedded-postgresql", pytest.param("dynsec", marks=needs_mosquitto)])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        if request.param == "dynsec":
            yield await stack.enter_async_context(dynsec_site(tmp_path))
        else:
            param = _Param(request, request.param.removeprefix("embedded-"))
            engine = stack.enter_context(empty_database(param, tmp_path))  # type: ignore[arg-type]
            yield await stack.enter_async_context(embedded_site(engine))


@pytest.fixture
async def emqx() -> AsyncIterator[tuple[Provisioner, EmqxFake]]:
    async with emqx_fake() as fake:
        provisioner = Emqx(fake.url, KEY, SECRET, 3)
        yield provisioner, fake
        await provisioner.close()


async def listed(provisioner: Provisioner) -> list[Account]:
    return sorted(await provisioner.list(), key=lambda account: account.login)


async def check_contract(provisioner: Provisioner) -> None:
    """What every broker must do with its accounts."""
    assert await listed(provisioner) == []
    grants = [Grant(account_of(login), PASSWORD) for login in (G1, G2, CLAIM)]
    await provisioner.put(grants)
    await provisioner.put(grants)
    assert await listed(provisioner) == [account_of(CLAIM), account_of(G1), account_of(G2)]
    await provisioner.put([Grant(account_of(G1, allowed=False))])
    assert [a.allowed for a in await listed(provisioner)] == [True, False, True]
    await provisioner.put([Grant(account_of(G1))])
    assert [a.allowed for a in await listed(provisioner)] == [True, True, True]
    await provisioner.remove([G1, "t/gas/nobody"])
    await provisioner.remove([G1])
    assert await listed(provisioner) == [account_of(CLAIM), account_of(G2)]
    with pytest.raises(Refusal, match=G1):
        await provisioner.put([Grant(account_of(G1))])
    await provisioner.put([Grant(account_of(G1, allowed=False), PASSWORD)])
    assert [a.allowed for a in await listed(provisioner)] == [True, False, True]
    await provisioner.cut([G1, G2, "t/gas/nobody"])
    assert [a.allowed for a in await listed(provisioner)] == [True, False, True]
    many = [Grant(account_of(f"t/streetlight/L{i:03}"), PASSWORD) for i in range(45)]
    await provisioner.put(many)
    assert [a.login for a in await listed(provisioner)][3:] == [g.account.login for g in many]


async def test_accounts_are_made_changed_listed_and_taken_away(site: Site) -> None:
    await check_contract(site.provisioner)


async def test_emqx_does_the_same(emqx: tuple[Provisioner, EmqxFake]) -> None:
    await check_contract(emqx[0])


async def test_a_device_may_do_what_its_account_says(site: Site) -> None:
    await site.provisioner.put([Grant(account_of(login), PASSWORD) for login in (G1, G2)])
    with pytest.raises(aiomqtt.MqttError):
        await site.device(G1, "wrong").__aenter__()
    with pytest.raises(aiomqtt.MqttError):
        await site.device(G1, PASSWORD, client_id=G2).__aenter__()
    async with site.own() as server:
        await server.subscribe("city/#", qos=1)
        for topic in (f"city/{G1}/command", f"city/{G1}/telemetry/x", f"city/{G2}/telemetry", "city/t/claim"):
            # Mosquitto ends the connection then, others do not.
            with contextlib.suppress(aiomqtt.MqttError):
                async with site.device(G1, PASSWORD) as device:
                    await device.publish(topic, b"forged", qos=1)
        await _hears_and_says_its_own(site, server)


async def _hears_and_says_its_own(site: Site, server: aiomqtt.Client) -> None:
    async with site.device(G1, PASSWORD) as device:
        for channel in ("telemetry", "event", "status", "command/result"):
            await device.publish(f"city/{G1}/{channel}", channel.encode(), qos=1)
        async with asyncio.timeout(60):
            got = [(str(m.topic), m.payload) for _ in range(4) async for m in _first(server)]
        assert got == [(f"city/{G1}/{c}", c.encode()) for c in ("telemetry", "event", "status", "command/result")]
        for pattern in ("#", f"city/{G2}/command", f"city/{G1}/#"):
            (code,) = await device.subscribe(pattern, qos=1)
            assert (code.value if isinstance(code, ReasonCode) else code) >= 0x80
        await device.subscribe(f"city/{G1}/command", qos=1)
        await server.publish(f"city/{G2}/command", b"not for you", qos=1)
        await server.publish(f"city/{G1}/command", b"on", qos=1)
        async with asyncio.timeout(60):
            assert [m.payload async for m in _first(device)] == [b"on"]


async def _first(client: aiomqtt.Client) -> AsyncIterator[aiomqtt.Message]:
    yield await anext(aiter(client.messages))


@pytest.mark.parametrize("deed", ["disable", "rotate", "remove", "cut"])
async def test_a_session_is_cut_at_once(site: Site, deed: str) -> None:
    await site.provisioner.put([Grant(account_of(G1), PASSWORD)])
    device = site.device(G1, PASSWORD)
    await device.__aenter__()
    match deed:
        case "disable":
            await site.provisioner.put([Grant(account_of(G1, allowed=False))])
        case "rotate":
            await site.provisioner.put([Grant(account_of(G1), "another" * 5)])
        case "remove":
            await site.provisioner.remove([G1])
        case "cut":
            await site.provisioner.cut([G1])
    assert await is_cut(device)
    if deed == "cut":
        async with site.device(G1, PASSWORD):
            pass
    else:
        with pytest.raises(aiomqtt.MqttError):
            await site.device(G1, PASSWORD).__aenter__()
    if deed == "rotate":
        async with site.device(G1, "another" * 5):
            pass


@needs_mosquitto
async def test_rights_that_somebody_changed_at_the_broker_show(tmp_path: Path) -> None:
    async with dynsec_site(tmp_path) as site:
        await site.provisioner.put([Grant(account_of(G1), PASSWORD)])
        wider = Rights(frozenset({"city/#"}), frozenset({"city/#"}))
        await site.provisioner.put([Grant(replace(account_of(G1), rights=wider))])
        assert (await listed(site.provisioner))[0].rights == wider


@needs_mosquitto
async def test_mosquitto_keeps_accounts_over_a_restart_and_says_when_it_is_away(tmp_path: Path) -> None:
    async with dynsec_site(tmp_path) as site:
        await site.provisioner.put([Grant(account_of(G1), PASSWORD)])
        await site.stop()
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
            await site.provisioner.list()
        await site.start()
        assert await listed(site.provisioner) == [account_of(G1)]
        wrong = DynamicSecurity(Door("127.0.0.1", site.devices.port, "administrator", "wrong", timeout_s=60))
        with pytest.raises(Unavailable, match=r"(?i)not authori"):
            await wrong.list()
        device = DynamicSecurity(Door("127.0.0.1", site.devices.port, G1, PASSWORD, timeout_s=1))
        with pytest.raises((Unavailable, Refusal)):
            await device.list()


async def test_nobody_there_is_unavailable() -> None:
    for away in (DynamicSecurity(Door("127.0.0.1", free_port(), "a", "b", timeout_s=1)),
                 Emqx(f"http://127.0.0.1:{free_port()}", "a", "b", 1)):  # fmt: skip
        with pytest.raises(Unavailable):
            await away.put([Grant(account_of(G1), PASSWORD)])
        await away.close()


async def test_emqx_is_told_rules_before_it_knows_a_user(emqx: tuple[Provisioner, EmqxFake]) -> None:
    provisioner, fake = emqx
    await provisioner.put([Grant(account_of(G1), PASSWORD)])
    assert fake.asked == [
        ("PUT", "/api/v5/authorization/sources/built_in_database/rules/users/t%2Fgas%2Fg1"),
        ("POST", "/api/v5/authentication/password_based:built_in_database/users"),
    ]
    assert fake.users == {G1: PASSWORD}
    assert fake.rules[G1] == [
        *({"permission": "allow", "action": "publish", "topic": f"city/{G1}/{channel}"}
          for channel in ("command/result", "event", "status", "telemetry")),
        {"permission": "allow", "action": "subscribe", "topic": f"city/{G1}/command"},
        {"permission": "deny", "action": "all", "topic": "#"},
    ]  # fmt: skip
    fake.users |= {"dashboard": "x", G2: "x"}
    assert await listed(provisioner) == [account_of(G1), Account(G2, G2, Rights(frozenset(), frozenset()))]


@pytest.mark.parametrize("deed", ["disable", "rotate", "remove", "cut"])
async def test_emqx_ends_every_session_of_a_user_whatever_its_client_id(
    emqx: tuple[Provisioner, EmqxFake], deed: str
) -> None:
    provisioner, fake = emqx
    await provisioner.put([Grant(account_of(login), PASSWORD) for login in (G1, CLAIM)])
    fake.clients = {G1: G1, "another": G1, "t/claim/S1": CLAIM, "else": "else"}
    match deed:
        case "disable":
            await provisioner.put([Grant(account_of(G1, allowed=False))])
        case "rotate":
            await provisioner.put([Grant(account_of(G1), "another" * 5)])
        case "remove":
            await provisioner.remove([G1])
        case "cut":
            await provisioner.cut([G1])
    assert fake.clients == {"t/claim/S1": CLAIM, "else": "else"}


async def test_a_superuser_of_emqx_shows_and_only_a_new_password_ends_it(emqx: tuple[Provisioner, EmqxFake]) -> None:
    provisioner, fake = emqx
    await provisioner.put([Grant(account_of(G1), PASSWORD)])
    fake.superusers.add(G1)
    (shown,) = await provisioner.list()
    assert shown.rights.publish == {"#"}
    with pytest.raises(Refusal, match="superuser"):
        await provisioner.put([Grant(account_of(G1))])
    await provisioner.put([Grant(account_of(G1), "another" * 5)])
    assert await listed(provisioner) == [account_of(G1)]


@pytest.mark.parametrize("missing", ["authentication", "authorization"])
async def test_an_emqx_that_is_not_set_up_is_told_from_a_user_that_is_not_there(
    emqx: tuple[Provisioner, EmqxFake], missing: str
) -> None:
    provisioner, fake = emqx
    fake.without = {missing}
    with pytest.raises(Refusal, match=missing):
        await provisioner.list()
    with pytest.raises(Refusal, match=missing):
        await provisioner.put([Grant(account_of(G1), PASSWORD)])
    with pytest.raises(Refusal, match=missing):
        await provisioner.remove([G1])


async def test_emqx_that_refuses_or_is_away(emqx: tuple[Provisioner, EmqxFake]) -> None:
    provisioner, fake = emqx
    stranger = Emqx(fake.url, KEY, "wrong", 3)
    with pytest.raises(Refusal, match="401 BAD_API_KEY_OR_SECRET"):
        await stranger.list()
    await stranger.close()
    fake.away = True
    with pytest.raises(Unavailable, match="503"):
        await provisioner.put([Grant(account_of(G1), PASSWORD)])
