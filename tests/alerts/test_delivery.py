"""From the desk to the receiver over real HTTP: order, every way to fail, restarts, signatures."""

import pytest
from sqlalchemy import Engine
from standardwebhooks import Webhook

from citywarden.alerts import outbox
from citywarden.alerts.outbox import State
from citywarden.alerts.verdicts import Schedule
from citywarden.model.alert import Severity
from citywarden.model.errors import NotFound
from tests.alerts.alert_builders import SECRET, desk, finding, target
from tests.alerts.hooks import answer, clock_ms, delivering, hook


async def test_an_alert_is_posted_signed_and_marked(engine: Engine) -> None:
    async with hook() as receiver:
        where = target(url=receiver.url, language="en", headers={"x-city": "sz"})
        async with delivering(desk(engine, where), where) as (front, courier):
            now_ms = clock_ms()
            [raised] = await front.apply([finding("major", now_ms)], now_ms, {0: 1})
            [got] = await receiver.until_count(1)
        assert Webhook(SECRET).verify(got.body, dict(got.headers)) == got.json
        assert (got.json["id"], got.json["status"], got.json["summary"]) == (raised.id, "firing", "Methane 30 %LEL")
        assert (got.headers["content-type"], got.headers["x-city"]) == ("application/json", "sz")
        assert (front.counters.delivered, front.counters.retried, len(courier.latencies_ms)) == (1, 0, 1)
    [sent] = desk(engine).read(outbox.find).items
    assert (sent.state, sent.attempts, sent.code, sent.id) == (State.DELIVERED, 1, 204, got.id)


WAYS_TO_FAIL: dict[str, bytes | None] = {
    "closed": b"",
    "nonsense": b"what?\r\n\r\n",
    "silence": None,
    "redirect": answer(302, "location: http://127.0.0.1:9/\r\n"),
    "unauthorised": answer(401),
    "not found": answer(404),
    "too many": answer(429, "retry-after: 0\r\n"),
    "broken": answer(500),
    "busy": answer(503, "retry-after: 0\r\n"),
    "too slow": answer(504),
}


@pytest.mark.parametrize("way", WAYS_TO_FAIL)
async def test_a_receiver_that_fails_gets_it_again_under_the_same_id_and_in_order(engine: Engine, way: str) -> None:
    async with hook(WAYS_TO_FAIL[way], WAYS_TO_FAIL[way]) as receiver:
        where = target(url=receiver.url, timeout_s=1.5 if way == "silence" else 60.0)
        async with delivering(desk(engine, where), where) as (front, courier):
            now_ms = clock_ms()
            await front.apply([finding("major", now_ms, s) for s in ("g1", "g2")], now_ms, {})
            got = await receiver.until_count(4)
        assert [t.json["subject"] for t in got] == ["g1", "g1", "g1", "g2"]
        assert len({t.id for t in got[:3]}) == 1
        assert got[3].id != got[0].id
        assert (front.counters.retried, front.counters.delivered, front.counters.failed) == (2, 2, 0)
        assert courier.troubles() == {}


@pytest.mark.parametrize("code", [400, 413, 422])
async def test_what_will_never_be_taken_lets_the_next_pass(engine: Engine, code: int) -> None:
    async with hook(answer(code)) as receiver:
        where = target(url=receiver.url)
        async with delivering(desk(engine, where), where) as (front, _):
            await front.apply([finding("major", clock_ms(), s) for s in ("g1", "g2")], clock_ms(), {})
            got = await receiver.until_count(2)
        assert [t.json["subject"] for t in got] == ["g1", "g2"]
        assert (front.counters.refused, front.counters.delivered) == (1, 1)
    [refused] = desk(engine).read(lambda c: outbox.find(c, state=State.REFUSED)).items
    assert (refused.code, refused.notice.alert.subject) == (code, "g1")
    assert f"HTTP {code}" in str(refused.detail)


async def test_gone_disables_until_somebody_enables(engine: Engine) -> None:
    async with hook(answer(410)) as receiver:
        where = target(url=receiver.url)
        front = desk(engine, where)
        async with delivering(front, where) as (first, courier):
            await first.apply([finding("major", clock_ms())], clock_ms(), {})
            await receiver.until_count(1)
            await first.apply([finding("minor", clock_ms(), "g2")], clock_ms(), {})
        assert "410" in courier.troubles()["dispatch"]
        async with delivering(front, where) as (_, courier):
            assert "410" in courier.troubles()["dispatch"]
            assert await courier.waiting() == {"dispatch": 2}
            assert len(receiver.taken) == 1
            await courier.enable("dispatch")
            got = await receiver.until_count(3)
        assert [t.json["subject"] for t in got] == ["g1", "g1", "g2"]
        assert courier.troubles() == {}


async def test_retry_after_is_honoured_also_after_a_restart(engine: Engine) -> None:
    async with hook(answer(503, "retry-after: 1\r\n")) as receiver:
        where = target(url=receiver.url)
        front = desk(engine, where)
        async with delivering(front, where) as (first, _):
            await first.apply([finding("major", clock_ms())], clock_ms(), {})
            await receiver.until_count(1)
        async with delivering(front, where) as (again, _):
            await again.apply([finding("minor", clock_ms(), "g2")], clock_ms(), {})
            got = await receiver.until_count(2)
        assert got[1].at - got[0].at >= 0.95


async def test_a_dead_target_is_in_nobodys_way(engine: Engine) -> None:
    async with hook() as alive, hook(None) as dead:
        targets = target("dead", dead.url, timeout_s=30.0), target("alive", alive.url)
        async with delivering(desk(engine, *targets), *targets, grace_s=0.1) as (front, _):
            await front.apply([finding("major", clock_ms())], clock_ms(), {})
            await alive.until_count(1)
            await dead.until_count(1)
            await front.apply([finding("ok", clock_ms() + 1)], clock_ms() + 1, {})
            got = await alive.until_count(2)
        assert [t.json["status"] for t in got] == ["firing", "resolved"]
        assert len(dead.taken) == 1


async def test_critical_first_and_one_alert_in_order(engine: Engine) -> None:
    async with hook() as receiver:
        where = target(url=receiver.url)
        front = desk(engine, where)
        for level, subject in [("minor", "g1"), ("minor", "g2"), ("major", "g3"), ("critical", "g2"), ("ok", "g2")]:
            front.apply([finding(level, clock_ms(), subject)], clock_ms(), {})
        async with delivering(front, where):
            got = await receiver.until_count(5)
    assert [(t.json["subject"], t.json["severity"], t.json["status"]) for t in got] == [
        ("g2", "minor", "firing"),
        ("g2", "critical", "firing"),
        ("g2", "critical", "resolved"),
        ("g3", "major", "firing"),
        ("g1", "minor", "firing"),
    ]


async def test_what_waits_survives_a_restart_under_its_id(engine: Engine) -> None:
    async with hook(b"") as receiver:
        where = target(url=receiver.url)
        front = desk(engine, where)
        async with delivering(front, where, schedule=Schedule()) as (first, _):
            await first.apply([finding("major", clock_ms(), s) for s in ("g1", "g2", "g3")], clock_ms(), {})
            await receiver.until_count(1)
        async with delivering(desk(engine, where), where):
            got = await receiver.until_count(4)
        assert [t.json["subject"] for t in got] == ["g1", "g1", "g2", "g3"]
        assert got[0].id == got[1].id


async def test_a_new_alert_makes_a_waiting_target_be_tried_again(engine: Engine) -> None:
    async with hook(answer(500)) as receiver:
        where = target(url=receiver.url)
        patient = Schedule(delays_s=(3600.0, 3600.0), longest_wait_s=None, probe_s=0.0)
        async with delivering(desk(engine, where), where, schedule=patient) as (front, courier):
            await front.apply([finding("major", clock_ms())], clock_ms(), {})
            await receiver.until_count(1)
            await front.apply([finding("minor", clock_ms(), "g2")], clock_ms(), {})
            got = await receiver.until_count(3)
        assert [t.json["subject"] for t in got] == ["g1", "g1", "g2"]
        assert courier.troubles() == {}


async def test_a_message_is_given_up_after_the_schedules_length(engine: Engine) -> None:
    async with hook(answer(500), answer(500)) as receiver:
        where = target(url=receiver.url)
        front = desk(engine, where)
        long_ago_ms = clock_ms() - 4_000_000
        front.apply([finding("major", long_ago_ms)], long_ago_ms, {})
        front.apply([finding("minor", clock_ms(), "g2")], clock_ms(), {})
        async with delivering(front, where) as (_, courier):
            got = await receiver.until_count(3)
        assert [t.json["subject"] for t in got] == ["g1", "g2", "g2"]
        assert (front.counters.failed, front.counters.delivered) == (1, 1)
        expired = front.read(lambda c: outbox.find(c, state=State.EXPIRED)).items
        assert [d.notice.alert.subject for d in expired] == ["g1"]
        given_up = expired[0].id
    async with hook() as receiver:
        where = target(url=receiver.url)
        async with delivering(front, where) as (_, courier):
            await courier.replay(given_up)
            [got_again] = await receiver.until_count(1)
            with pytest.raises(NotFound):
                await courier.replay("msg_unknown")
        assert got_again.id == given_up


async def test_targets_hear_of_what_is_severe_enough_for_them(engine: Engine) -> None:
    async with hook() as everyone, hook() as boss:
        targets = target("all", everyone.url), target("boss", boss.url, min_severity=Severity.CRITICAL)
        async with delivering(desk(engine, *targets), *targets) as (front, _):
            for i, level in enumerate(["minor", "critical", "ok"]):
                await front.apply([finding(level, clock_ms() + i)], clock_ms() + i, {})
            await everyone.until_count(3)
            await boss.until_count(2)
        assert [t.json["status"] for t in boss.taken] == ["firing", "resolved"]


async def test_a_storm_becomes_digests_for_a_target_with_a_limit_and_nothing_is_lost(engine: Engine) -> None:
    async with hook(answer(500)) as receiver:
        where = target(url=receiver.url, rate_per_min=20)
        front = desk(engine, where)
        now_ms = clock_ms()
        storm = [finding("critical" if i % 500 == 499 else "minor", now_ms, f"g{i}") for i in range(1500)]
        front.apply(storm, now_ms, {})
        async with delivering(front, where):
            got = await receiver.until_count(2)
        assert got[0].id == got[1].id
        assert got[0].body == got[1].body
        assert (got[0].json["type"], got[0].json["count"]) == ("digest", 1000)
        assert got[0].json["by_severity"] == {"critical": 3, "minor": 997}
        delivered = front.read(lambda c: outbox.find(c, state=State.DELIVERED, limit=2000)).items
        waiting = front.read(outbox.count_waiting)
        assert len(delivered) == 1000
        assert waiting == {"dispatch": 500}


async def test_what_is_done_by_hand_is_told_and_sent_is_listed(engine: Engine) -> None:
    async with hook() as receiver:
        where = target(url=receiver.url)
        async with delivering(desk(engine, where), where) as (front, courier):
            [raised] = await front.apply([finding("major", clock_ms())], clock_ms(), {})
            await front.acknowledge(raised.id, "Li", "on my way")
            await front.resolve(raised.id, "Li", None)
            got = await receiver.until_count(3)
            assert await courier.drain(60)
            listed = await front.deliveries_of(raised.id)
            page = await front.deliveries("dispatch", State.DELIVERED, limit=2)
            rest = await front.deliveries("dispatch", State.DELIVERED, limit=2, cursor=page.next)
        assert [t.json["status"] for t in got] == ["firing", "acknowledged", "resolved"]
        assert [d.seq for d in (*page.items, *rest.items)] == [d.seq for d in reversed(listed)]
        assert rest.next is None
    assert [(d.target, d.state.value, d.notice.change.value) for d in listed] == [
        ("dispatch", "delivered", change) for change in ("opened", "acknowledged", "resolved")
    ]


async def test_from_the_finding_to_the_receiver_takes_milliseconds(engine: Engine) -> None:
    async with hook() as receiver:
        where = target(url=receiver.url)
        async with delivering(desk(engine, where), where) as (front, courier):
            for i in range(20):
                now_ms = clock_ms()
                await front.apply([finding("major", now_ms, f"g{i}")], now_ms, {0: i})
                await receiver.until_count(i + 1)
            assert await courier.drain(60)
        assert len(courier.latencies_ms) == 20
        assert min(courier.latencies_ms) < 1000, "nobody had to look whether there is something"
