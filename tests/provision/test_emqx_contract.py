"""EMQX's HTTP API as its sources have it: the fake answers so, and the provisioner asks for nothing else."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from citywarden.model.errors import Unavailable
from citywarden.provision.contract import Grant, Refusal, account_of
from citywarden.provision.emqx import Emqx
from tests.provision.emqx_fake import KEY, SECRET, EmqxFake, Exchange, emqx_fake, exchange

CONTRACT: dict[str, Any] = json.loads(Path(__file__).with_name("emqx_contract.json").read_text("utf-8"))
EXCHANGES: list[dict[str, Any]] = CONTRACT["exchanges"]


def state_of(told: dict[str, Any]) -> EmqxFake:
    return EmqxFake(
        users=dict(told.get("users", {})),
        superusers=set(told.get("superusers", ())),
        rules=dict(told.get("rules", {})),
        clients=dict(told.get("clients", {})),
        without=set(told.get("without", ())),
    )


def shape(one: dict[str, Any]) -> Exchange:
    asked = one["request"]
    url = httpx.URL(asked["path"])
    path = url.raw_path.decode().partition("?")[0]
    return exchange(asked["method"], path, set(url.params), asked.get("body"), one["response"]["status"])


@pytest.mark.parametrize("one", EXCHANGES, ids=[one["name"] for one in EXCHANGES])
async def test_the_fake_answers_as_emqx_does(one: dict[str, Any]) -> None:
    asked, answer, key = one["request"], one["response"], one["state"].get("key", KEY)
    transport = httpx.ASGITransport(state_of(one["state"]))
    async with httpx.AsyncClient(transport=transport, base_url="http://emqx") as client:
        auth = httpx.BasicAuth(key, SECRET) if key else None
        found = await client.request(asked["method"], asked["path"], json=asked.get("body"), auth=auth)
    assert found.status_code == answer["status"]
    assert (found.json() if found.content else None) == answer.get("body")
    assert answer.get("headers", {}).items() <= dict(found.headers).items()


async def test_the_provisioner_asks_and_hears_what_the_contract_has_and_nothing_else() -> None:
    logins = ["t/gas/g1", "t/gas/g2", "t/claim"]
    async with emqx_fake() as fake:
        emqx = Emqx(fake.url, KEY, SECRET, 10)
        for _ in range(2):
            await emqx.put([Grant(account_of(login), "Aa1-" * 8) for login in logins])
        await emqx.put([Grant(account_of(logins[0], allowed=False)), Grant(account_of(logins[1]))])
        fake.clients = {"t/gas/g1": "t/gas/g1", "one": "t/claim"}
        await emqx.list()
        await emqx.cut(logins)
        await emqx.remove([*logins, "t/gas/nobody"])
        with pytest.raises(Refusal):
            await emqx.put([Grant(account_of("t/gas/nobody"))])
        await emqx.close()
    assert fake.exchanges <= {shape(one) for one in EXCHANGES}
    assert len(fake.exchanges) > 12


@pytest.mark.parametrize("one", [one for one in EXCHANGES if "key" in one["state"]], ids=lambda one: one["name"])
async def test_a_key_that_is_no_good_is_said(one: dict[str, Any]) -> None:
    async with emqx_fake() as fake:
        emqx = Emqx(fake.url, one["state"]["key"], "x", 10)
        with pytest.raises(Refusal, match="401 BAD_API_KEY_OR_SECRET") as refused:
            await emqx.list()
        await emqx.close()
    assert not isinstance(refused.value, Unavailable)
