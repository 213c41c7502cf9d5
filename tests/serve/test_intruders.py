"""What a device gone mad, or somebody with its password, sends: refused with a reason, counted, and without effect."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from citywarden.cli.running import wall_ms
from citywarden.model.device import DeviceKey
from citywarden.model.message import MAX_PAYLOAD_BYTES
from citywarden.sections import MqttSettings, RegistrySettings, Settings
from citywarden.serve.prepare import prepare
from citywarden.serve.server import Options, Running, running
from ingest.publisher import Publisher
from tests.brokers import mosquitto, needs_mosquitto
from tests.builders import device
from tests.serve.conftest import Serving
from tests.serve.test_wire_to_webhook import until

TOPIC = "city/t/gas/G1/telemetry"


async def publish(server: Running, *payloads: bytes, topic: str = TOPIC, retain: bool = False) -> None:
    async with Publisher(server.broker) as publisher:
        for payload in payloads:
            await publisher.publish(topic, payload, retain)


def reading(ts_ms: int, methane: float) -> bytes:
    return json.dumps({"ts": ts_ms, "methane_lel_pct": methane}).encode()


def judged(server: Running, messages: int) -> Callable[[], Awaitable[bool]]:
    async def passed() -> bool:
        return server.judge.progress.messages >= messages and not await server.log.backlog("store")

    return passed


async def test_replayed_messages_change_nothing(serving: Serving) -> None:
    async with serving() as (server, receiver):
        server.registry.put([device("gas", "G1")])
        now_ms = wall_ms()
        story = [reading(now_ms - 40_000 + i * 10_000, value) for i, value in enumerate((1.0, 60.0, 30.0, 1.0))]
        await publish(server, *story)
        await until(judged(server, 4))
        await server.courier.drain(60)
        before = (await server.store.count("gas"), receiver.count, server.vitals.alerts.raised)
        assert before[0] == 4
        assert before[2] == 1
        for again in (story, story[::-1], [b"[" + b",".join(story) + b"]"], story[1:2] * 5):
            await publish(server, *again)
        await until(judged(server, 4 + 4 + 4 + 1 + 5))
        await server.courier.drain(60)
        assert (await server.store.count("gas"), receiver.count, server.vitals.alerts.raised) == before
        assert server.drain.known >= 4
        assert await server.desk.open() == []


@needs_mosquitto
async def test_retained_telemetry_is_counted_and_ignored_a_retained_status_is_not(tmp_path: Path) -> None:
    """A retained reading would come again, as if new, at each new subscription."""
    async with mosquitto(tmp_path) as broker:
        async with Publisher(broker.endpoint) as publisher:
            await publisher.publish(TOPIC, reading(wall_ms(), 60.0), retain=True)
            await publisher.publish("city/t/gas/G1/status", b"offline", retain=True)
        settings = Settings(
            tenant="t",
            data=tmp_path / "data",
            mqtt=MqttSettings(url=f"mqtt://127.0.0.1:{broker.port}"),
            registry=RegistrySettings(unknown_devices="register"),
        )
        async with running(prepare(settings), Options(port=0), wall_ms) as server:
            await until(judged(server, 2))
            async with httpx.AsyncClient(base_url=server.url, timeout=60) as api:
                assert "citywarden_retained_ignored_total 1.0" in (await api.get("/metrics")).text
            assert await server.store.count("gas") == 0
            assert await server.desk.open() == []
            assert server.live.presence(DeviceKey("t", "gas", "G1")) is False


async def test_what_is_too_large_too_deep_or_too_much_is_a_dead_letter(serving: Serving) -> None:
    async with serving() as (server, receiver), httpx.AsyncClient(base_url=server.url, timeout=60) as api:
        server.registry.put([device("gas", "G1")])
        large = b'{"methane_lel_pct": 60, "x": "%b"}' % (b"y" * MAX_PAYLOAD_BYTES)
        deep = b'{"methane_lel_pct": 60, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}"
        many = b"[" + b",".join([b"1"] * 500) + b"]"
        await publish(server, large, deep, many, b"\xff\xfe", b"{" * 1000, b'{"methane_lel_pct": 1e999}')
        await until(judged(server, 6))
        letters = (await api.get("/api/v1/deadletters", params={"limit": 1000})).json()["items"]
        reasons = {letter["reason"] for letter in letters}
        assert reasons == {"oversize", "too_deep", "not_an_object", "bad_utf8", "bad_json", "out_of_range"}
        assert await server.store.count("gas") == 0
        assert receiver.count == 0


async def test_only_registered_names_become_series(serving: Serving) -> None:
    """A thousand invented devices, districts or fields are a thousand dead letters and no new series."""
    async with serving() as (server, _), httpx.AsyncClient(base_url=server.url, timeout=60) as api:
        server.registry.put([device("gas", "G1")])
        async with Publisher(server.broker) as publisher:
            now_ms = wall_ms()
            made_up = [
                publisher.publish(f"city/t{n % 7}/gas/X{n},district=\\ {n}/telemetry", reading(now_ms, 60.0))
                for n in range(300)
            ]
            fields = json.dumps({"methane_lel_pct": 1.0, **{f"field{n}": n for n in range(500)}}).encode()
            await asyncio.gather(*made_up, publisher.publish(TOPIC, fields))
        await until(judged(server, 301))
        assert await server.store.count("gas") == 1
        found = await server.store.latest("gas")
        assert [one.id for one in found.devices] == ["G1"]
        metrics = (await api.get("/metrics")).text
        assert metrics.count("citywarden_unknown_fields_total{") <= 257
        assert 'citywarden_dead_letters_total{reason="unknown_device"} 300.0' in metrics
