"""How the targets do, what was tried, and what a message looks like to those who look into it."""

import asyncio
from pathlib import Path

import pytest

from citywarden.alerts import outbox, standing
from citywarden.alerts.inspection import blot_url, look, without_secret
from citywarden.alerts.outbox import TargetState
from citywarden.alerts.standing import Account, standings
from citywarden.alerts.target import Target
from tests.alerts.alert_builders import NOW_MS, desk, file_engine, finding, target
from tests.alerts.hooks import answer, clock_ms, delivering, hook


async def test_every_attempt_is_kept_with_its_answer(tmp_path: Path) -> None:
    async with hook(answer(500), answer(503)) as receiver:
        where = target(url=receiver.url)
        front = desk(file_engine(tmp_path), where)
        async with delivering(front, where) as (taking, _):
            await taking.apply([finding("major", clock_ms())], clock_ms(), {})
            await receiver.until_count(3)
    [sent] = front.read(outbox.find).items
    tries = front.read(lambda c: outbox.read_tries(c, sent.seq))
    assert [(t.state, t.code) for t in tries] == [("waiting", 500), ("waiting", 503), ("delivered", 204)]
    account = front.read(standing.read_accounts)["dispatch"]
    assert (account.waiting, account.ok_ms, account.error) == (0, sent.done_ms, tries[1].detail)


async def test_a_target_enabled_by_another_process_is_used_again(tmp_path: Path) -> None:
    async with hook(answer(410)) as receiver:
        where = target(url=receiver.url)
        engine = file_engine(tmp_path)
        front = desk(engine, where)
        async with delivering(front, where) as (taking, courier):
            await taking.apply([finding("major", clock_ms())], clock_ms(), {})
            await receiver.until_count(1)
            while not await taking.read(outbox.read_states):
                await asyncio.sleep(0)
            accounts = front.read(standing.read_accounts)
            [health] = standings([where], accounts, courier.troubles(), clock_ms())
            assert (health.state, health.waiting) == ("disabled", 1)
            desk(engine, where).write(lambda c: outbox.write_state(c, "dispatch", TargetState()))
            await taking.apply([finding("minor", clock_ms(), "g2")], clock_ms(), {})
            assert [t.json["subject"] for t in await receiver.until_count(3)] == ["g1", "g1", "g2"]


def test_standings_say_what_is_wrong_now() -> None:
    known = [target(name) for name in ("fine", "slow", "held", "off")]
    accounts = {
        "slow": Account(3, 10, 20, "HTTP 503"),
        "held": Account(1, 10, 20, "HTTP 429", TargetState(held_until_ms=NOW_MS + 1)),
        "off": Account(1, 10, 20, "HTTP 410", TargetState(disabled_ms=5, detail="HTTP 410")),
        "old": Account(2),
        "forgotten": Account(0, 10),
    }
    found = standings(known, accounts, {}, NOW_MS)
    assert [(h.name, h.state, h.since_ms) for h in found] == [
        ("fine", "ok", None), ("slow", "failing", None), ("held", "held", NOW_MS + 1), ("off", "disabled", 5),
        ("old", "gone", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://qyapi.example/cgi-bin/webhook/send?key=693a91f6-7xxx", "https://qyapi.example/cgi-bin/webhook/send?key=***"),
        ("https://open.example/hook/0a1b2c3d4e5f60718293a4b5", "https://open.example/hook/***"),
        ("smtps://li:pw@mail.example/?from=a@b.c&to=d@e.f", "smtps://li:***@mail.example/?from=a@b.c&to=d@e.f"),
        ("http://127.0.0.1:9/alerts", "http://127.0.0.1:9/alerts"),
    ],
)  # fmt: skip
def test_addresses_are_shown_without_their_secrets(url: str, shown: str) -> None:
    assert blot_url(url) == shown


@pytest.mark.parametrize("form", ["citywarden", "alertmanager", "cloudevents", "wecom", "dingtalk", "feishu", "email"])
def test_a_message_is_shown_without_secrets(tmp_path: Path, form: str) -> None:
    url = "smtp://h/?from=a@b&to=c@d" if form == "email" else "https://h.example/x?access_token=hidden-token"
    where = Target("dispatch", url, "very-secret-word", form, headers={"Authorization": "Bearer hidden-token"})
    front = desk(file_engine(tmp_path), where)
    front.apply([finding("major")], NOW_MS, {})
    seen = look(without_secret(where), front.read(outbox.find).items, NOW_MS)
    said = f"{seen}"
    assert "gas.methane" in seen.body
    assert "very-secret-word" not in said and "hidden-token" not in said
    assert "v1," not in said and seen.headers["Authorization"] == "***"
    assert '"sign": "***"' in seen.body or form != "feishu"
