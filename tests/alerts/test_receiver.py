"""The demo's receiver takes what the courier sends, and nothing else."""

from pathlib import Path

import httpx

from citywarden.alerts.receiver import Receiver
from tests.alerts.alert_builders import SECRET, desk, file_engine, finding, target
from tests.alerts.hooks import clock_ms, delivering


async def test_the_receiver_shows_what_a_dispatcher_gets(tmp_path: Path) -> None:
    receiver = Receiver(SECRET, clock_ms, keep=2)
    async with receiver.listen() as url:
        where = target(url=url)
        async with delivering(desk(file_engine(tmp_path), where), where) as (front, courier):
            for i, level in enumerate(["major", "critical", "ok"]):
                await front.apply([finding(level, clock_ms() + i)], clock_ms() + i, {})
            assert await courier.drain(60)
            newest = receiver.messages[-1]
            delivery = front.desk.history(str(newest.body["id"]))
            assert len(delivery) == 3
            await courier.replay(newest.id)
            assert await courier.drain(60)
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            assert (await client.post(url, json={"forged": True})).status_code == 401
            told = (await client.get(url)).json()
    assert (receiver.count, receiver.duplicates, receiver.rejected) == (3, 1, 1)
    assert [item["body"]["status"] for item in told["items"]] == ["firing", "resolved"]
    assert told["count"] == 3
