"""The demo: the whole server on embedded parts, a simulated city that speaks real MQTT, and a dispatcher's webhook."""

import asyncio
import base64
import contextlib
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib.resources import files

import orjson
from pydantic import SecretStr

from citywarden.alerts.receiver import Receiver
from citywarden.model.alert import Alert, Status
from citywarden.model.errors import CitywardenError
from citywarden.model.message import Channel, parse_topic
from citywarden.sections import AlertsSettings, MqttSettings, Settings, StoreSettings, TargetSettings
from citywarden.serve.commanding import obey
from citywarden.serve.judge import behind
from citywarden.serve.prepare import Prepared, prepare
from citywarden.serve.server import Clock, Options, Running, running
from citywarden.serve.staff import work_off
from citywarden.store.contract import Fold
from fleet.city import City, city
from fleet.simulator import Doors, Simulator
from ingest.pipeline import STORE_CONSUMER
from ingest.publisher import Publisher
from rules import night
from rules.worksettings import WorkSettings

TENANT = "demo"
DRAIN_S = 60.0
WATCHED = WorkSettings(offline_s=45.0, peak_bans_min=())
"""A silent vehicle is missed soon enough to be watched, and no peak ban makes the demo differ by the hour."""

OPENING = ("waterlogging.depth", "gas.methane", "streetlight.dark", "route.missed")
"""Rules whose alerts open a case, for the demo's people to work off."""

EVER_PRESENT = {"streetlight": "on", "waterlogging": "depth_cm", "gas": "methane_lel_pct", "vehicle": "lat"}
"""A field that every simulated reading of a kind has: what is counted to find losses."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How this run differs: `seconds` None runs until stopped; ports 0 are any free one."""

    seconds: float | None = None
    port: int | None = None
    mqtt_port: int = 0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of it. `lost`: readings the city sent that are neither stored nor refused; `duplicates`: stored more
    often than sent.
    """

    messages: int
    stored: int
    lost: int
    duplicates: int
    dead_letters: int
    alerts_raised: int
    alerts_resolved: int
    webhooks_delivered: int
    kinds: Mapping[str, int]


@dataclass(slots=True)
class Ledger:
    """What the broker has taken from the city: messages, and readings by (kind, device)."""

    messages: int = 0
    readings: Counter[tuple[str, str]] = field(default_factory=Counter)

    def note(self, topic: str, payload: bytes) -> None:
        address = parse_topic(topic)
        if address is None or address.channel not in (Channel.TELEMETRY, Channel.EVENT):
            return
        self.messages += 1
        items = len(orjson.loads(payload)) if payload.startswith(b"[") else 1
        self.readings[(address.kind, address.device)] += items


@dataclass(frozen=True, slots=True)
class Stage:
    """A demo that is on: the running server, its city and what the dispatcher has got."""

    server: Running
    city: City
    receiver: Receiver
    receiver_url: str
    ledger: Ledger
    finish: Callable[[], Awaitable[Summary]]


def demo_settings(base: Settings, receiver_url: str, secret: str) -> Settings:
    """The embedded defaults whatever is configured, tenant `demo`, alerts to the demo's own receiver too."""
    dispatcher = TargetSettings(name="dispatcher", url=receiver_url, secret=SecretStr(secret))
    return base.model_copy(
        update={
            "tenant": TENANT,
            "mqtt": MqttSettings(),
            "store": StoreSettings(),
            "alerts": AlertsSettings(targets=(*base.alerts.targets, dispatcher)),
            "cases": base.cases.model_copy(update={"from_alerts": OPENING, "from_severity": "minor"}),
            "api": base.api.model_copy(update={"city_zh": "福田示范城区", "city_en": "Futian demo city"}),
        }
    )


def prepare_demo(settings: Settings, stage: City) -> Prepared:
    """The demo city's plan, rules and outlines, checked like a user's own."""
    rules = files("fleet").joinpath("demo/rules.yaml").read_text("utf-8")
    prepared = prepare(settings, rules, stage.plan_text)
    return replace(
        prepared, districts={**stage.districts, **prepared.districts, "features": stage.districts["features"]}
    )


@asynccontextmanager
async def demo(base: Settings, options: DemoOptions, clock_ms: Clock) -> AsyncIterator[Stage]:
    """A demo until the block ends; `finish()` stops the city, waits until all is judged, stored and sent, counts."""
    stage = city(options.seed, clock_ms(), TENANT)
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    receiver = Receiver(secret, clock_ms)
    async with receiver.listen() as address:
        prepared = prepare_demo(demo_settings(base, address, secret), stage)
        server_options = Options(options.port, options.mqtt_port, WATCHED)
        async with running(prepared, server_options, clock_ms) as server:
            if not server.vitals.connected.is_set():
                raise CitywardenError(f"the embedded broker does not answer: {server.vitals.mqtt.detail}")
            server.registry.put(stage.devices)
            before = await _stored(server, stage)
            ledger = Ledger()
            async with Publisher(server.broker, "citywarden-demo-city") as publisher:

                async def publish(topic: str, payload: bytes, retain: bool) -> None:
                    await publisher.publish(topic, payload, retain)
                    ledger.note(topic, payload)

                doors = Doors(publish, clock_ms, asyncio.sleep, night.is_night)
                simulator = Simulator(stage, prepared.kinds, doors)
                playing = asyncio.create_task(simulator.run(), name="city")
                obeying = asyncio.create_task(obey(server.broker, TENANT, simulator.take), name="lamps")
                working = asyncio.create_task(work_off(server.cases, TENANT, clock_ms), name="staff")

                async def finish() -> Summary:
                    simulator.stop()
                    await playing
                    await _drained(server)
                    return await _count(server, stage, ledger, before)

                try:
                    yield Stage(server, stage, receiver, address, ledger, finish)
                finally:
                    playing.cancel()
                    working.cancel()
                    obeying.cancel()
                    await asyncio.wait({playing, working, obeying})


async def narrate(stage: Stage, say: Callable[[str], None]) -> None:
    """Tell every alert as it comes and goes, until cancelled."""
    with stage.server.live.listen(readings=False) as listener:
        async for change in listener:
            if isinstance(change, Alert) and change.status is not Status.PENDING and not change.stale:
                text = change.summary.get("en") or next(iter(change.summary.values()), "")
                say(f"{change.severity.word:<8} {change.status:<12} {change.rule:<24} {change.subject:<12} {text}")


async def _drained(server: Running) -> None:
    """Until rules, store and webhooks have caught up with the log, at most DRAIN_S for each."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            end = await server.log.end()
            while (  # noqa: ASYNC110 (three parties, none of which knows of the others)
                await server.log.backlog(STORE_CONSUMER) or behind(server.judge.progress.position, end)
            ):
                await asyncio.sleep(0.05)
    await server.courier.drain(DRAIN_S)


async def _stored(server: Running, stage: City) -> dict[tuple[str, str], int]:
    """Stored readings by (kind, device) of the city's devices."""
    counts: dict[tuple[str, str], int] = {}
    mine = {(d.kind, d.id) for d in stage.devices}
    for kind, present in EVER_PRESENT.items():
        far = 1 << 52
        for series in await server.store.aggregate(kind, present, 0, far, far, Fold.COUNT, "device"):
            if (kind, series.group) in mine:
                counts[(kind, series.group)] = int(series.values.sum())
    return counts


async def _count(server: Running, stage: City, ledger: Ledger, before: Mapping[tuple[str, str], int]) -> Summary:
    after = await _stored(server, stage)
    new = {key: after.get(key, 0) - before.get(key, 0) for key in ledger.readings}
    dead = sum(server.drain.dead.values())
    missing = sum(max(0, sent - new[key]) for key, sent in ledger.readings.items())
    counters = server.vitals.alerts
    kinds: Counter[str] = Counter()
    for (kind, _), count in new.items():
        kinds[kind] += count
    return Summary(
        messages=ledger.messages,
        stored=server.drain.stored,
        lost=max(0, missing - dead),
        duplicates=sum(max(0, new[key] - sent) for key, sent in ledger.readings.items()),
        dead_letters=dead,
        alerts_raised=counters.raised,
        alerts_resolved=counters.resolved,
        webhooks_delivered=counters.delivered,
        kinds=dict(sorted(kinds.items())),
    )
