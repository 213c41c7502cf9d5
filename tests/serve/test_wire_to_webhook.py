"""The whole way in one process: a message on the wire becomes a row, an alert, a webhook and a line of the API."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from citywarden.alerts.receiver import Receiver
from citywarden.cli.running import wall_ms
from citywarden.serve.server import Running
from ingest.publisher import Publisher
from tests.builders import device
from tests.serve.conftest import Serving

ROOT = Path(__file__).parents[2]
TOPIC = "city/t/gas/G1/telemetry"


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not await true():
            await asyncio.sleep(0.02)


async def leak(server: Running, methane: float) -> None:
    async with Publisher(server.broker) as publisher:
        await publisher.publish(TOPIC, json.dumps({"ts": wall_ms(), "methane_lel_pct": methane}))


async def webhooks(receiver: Receiver, count: int) -> list[dict[str, object]]:
    async def there() -> bool:
        return receiver.count >= count

    await until(there)
    return [dict(message.body) for message in receiver.messages]


async def test_a_leak_on_the_wire_is_a_webhook_and_clears(serving: Serving) -> None:
    async with serving() as (server, receiver), httpx.AsyncClient(base_url=server.url, timeout=60) as api:
        server.registry.put([device("gas", "G1", owner="Gas Co.")])
        await leak(server, 60.0)
        (raised,) = await webhooks(receiver, 1)
        assert (raised["rule"], raised["subject"], raised["severity"], raised["status"]) == (
            "gas.methane", "G1", "critical", "firing",
        )  # fmt: skip
        assert raised["location"] == {"lat": 22.5431, "lon": 114.0579}
        (shown,) = (await api.get("/api/v1/alerts", params={"status": "firing"})).json()["items"]
        assert shown == raised
        answer = await api.post(f"/api/v1/alerts/{raised['id']}/acknowledge", json={"by": "Li", "note": "on my way"})
        assert answer.json()["status"] == "acknowledged"
        await leak(server, 1.0)
        assert (await webhooks(receiver, 3))[-1]["status"] == "resolved"

        async def stored() -> bool:
            return await server.store.count("gas") == 2

        await until(stored)
        readings = (await api.get("/api/v1/readings/gas/G1", params={"tenant": "t"})).json()["items"]
        assert [r["methane_lel_pct"] for r in readings] == [60.0, 1.0]
        assert (await api.get("/healthz")).status_code == 200
        metrics = (await api.get("/metrics")).text
        assert "citywarden_messages_received_total 2.0" in metrics
        assert "citywarden_alerts_raised_total 1.0" in metrics


async def test_an_alert_is_with_its_receiver_within_a_second(serving: Serving) -> None:
    async with serving() as (server, receiver), Publisher(server.broker) as publisher:
        server.registry.put([device("gas", f"G{n}") for n in range(5)])
        took_ms = []
        for n in range(5):
            began_ms = wall_ms()
            await publisher.publish(f"city/t/gas/G{n}/telemetry", json.dumps({"ts": began_ms, "methane_lel_pct": 60}))
            await webhooks(receiver, n + 1)
            took_ms.append(receiver.messages[n].received_ms - began_ms)
    assert min(took_ms) < 1000


async def test_what_nobody_knows_is_a_dead_letter_with_its_reason(serving: Serving) -> None:
    async with serving() as (server, _), httpx.AsyncClient(base_url=server.url, timeout=60) as api:
        await leak(server, 60.0)

        async def dead() -> bool:
            return bool((await api.get("/api/v1/deadletters")).json()["items"])

        await until(dead)
        (letter,) = (await api.get("/api/v1/deadletters")).json()["items"]
        assert (letter["reason"], letter["topic"]) == ("unknown_device", TOPIC)
        assert await server.store.count("gas") == 0


async def test_an_open_alert_survives_a_restart_and_is_not_raised_again(serving: Serving) -> None:
    async with serving() as (server, receiver):
        server.registry.put([device("gas", "G1")])
        await leak(server, 60.0)
        (first,) = await webhooks(receiver, 1)
        assert await server.courier.drain(60)
    async with serving() as (server, receiver):
        assert [alert.id for alert in await server.desk.open()] == [first["id"]]
        await leak(server, 61.0)
        await leak(server, 2.0)
        messages = await webhooks(receiver, 1)
        assert [(m["id"], m["status"]) for m in messages] == [(first["id"], "resolved")]


async def test_a_silent_detector_is_missed_by_timer_and_comes_back(serving: Serving) -> None:
    rules = """
rules:
  - id: gas.methane
    kind: gas
    levels: {critical: {when: "methane_lel_pct >= 50"}}
    no_data: 2s
    summary: {zh-CN: "甲烷", en: "Methane"}
"""
    async with serving(rules) as (server, receiver):
        server.registry.put([device("gas", "G1")])
        (missed,) = await webhooks(receiver, 1)
        assert (missed["rule"], missed["status"]) == ("gas.methane.no_data", "firing")
        await leak(server, 1.0)
        assert (await webhooks(receiver, 2))[1]["status"] == "resolved"


async def test_an_event_older_than_15_minutes_is_recorded_and_pages_nobody(serving: Serving) -> None:
    async with serving() as (server, receiver), httpx.AsyncClient(base_url=server.url, timeout=60) as api:
        server.registry.put([device("gas", "G1"), device("gas", "G2")])
        async with Publisher(server.broker) as publisher:
            await publisher.publish(TOPIC, json.dumps({"ts": wall_ms() - 3_600_000, "methane_lel_pct": 60}))
            await publisher.publish("city/t/gas/G2/telemetry", json.dumps({"ts": wall_ms(), "methane_lel_pct": 60}))
        (told,) = await webhooks(receiver, 1)
        assert told["subject"] == "G2"
        alerts = (await api.get("/api/v1/alerts")).json()["items"]
        assert {alert["subject"] for alert in alerts} == {"G1", "G2"}


async def test_alerts_of_a_removed_device_are_closed(serving: Serving) -> None:
    async with serving() as (server, receiver):
        gas = device("gas", "G1")
        server.registry.put([gas])
        await leak(server, 60.0)
        await webhooks(receiver, 1)
        server.registry.remove(gas.key)
        assert (await webhooks(receiver, 2))[1]["status"] == "resolved"
        assert await server.desk.open() == []


async def test_alerts_of_a_rule_that_is_gone_are_closed_at_start(serving: Serving) -> None:
    async with serving() as (server, receiver):
        server.registry.put([device("gas", "G1")])
        await leak(server, 60.0)
        await webhooks(receiver, 1)
    async with serving("rules: []") as (server, receiver):
        assert (await webhooks(receiver, 1))[0]["status"] == "resolved"


async def test_what_a_device_says_of_itself_is_shown(serving: Serving) -> None:
    async with serving() as (server, _), httpx.AsyncClient(base_url=server.url, timeout=60) as api:
        server.registry.put([device("gas", "G1")])
        async with Publisher(server.broker) as publisher:
            await publisher.publish("city/t/gas/G1/status", b"offline", retain=True)

        async def told() -> bool:
            return (await api.get("/api/v1/devices")).json()["items"][0]["online"] is False

        await until(told)


async def test_the_doctor_leaves_a_running_server_alone(serving: Serving, tmp_path: Path) -> None:
    script = (
        "import asyncio, sys; from pathlib import Path; from citywarden.serve.examination import examine; "
        "from citywarden.sections import Settings; "
        "print([c.found for c in asyncio.run(examine(Settings(data=Path(sys.argv[1])))) if c.name == 'store'])"
    )
    async with serving():
        command = (sys.executable, "-c", script, str(tmp_path / "data"))
        doctor = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
        said, _ = await doctor.communicate()
    assert said.decode().strip() == "['in use by the running server']"
