"""The running server: every part made, started in order, watched, and stopped in the opposite order.

broker -> MQTT -> log -> +-> store drain -> store
                         +-> judge -> alert desk -> courier -> webhooks
console and API read the live picture, the store and the desks
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from citywarden.alerts.delivery import Courier
from citywarden.alerts.desk import AsyncDesk
from citywarden.cases.desk import CaseDesk
from citywarden.commands.desk import CommandDesk
from citywarden.live import Live
from citywarden.log.sqlite import SqliteLog
from citywarden.serve.alerting import attend
from citywarden.serve.belonging import Belonging, open_belonging
from citywarden.serve.brokers import Brokers
from citywarden.serve.cases import open_cases
from citywarden.serve.chores import DAY_MS, Chores
from citywarden.serve.clock import ServerClock
from citywarden.serve.commanding import command_desk, publishing
from citywarden.serve.desks import DeviceDesk, LetterDesk
from citywarden.serve.disk import Reserve
from citywarden.serve.dispatchdesk import DispatchDesk
from citywarden.serve.door import Door
from citywarden.serve.folder import claimed
from citywarden.serve.frame import Clock, Frame, Options
from citywarden.serve.ground import Ground, open_ground
from citywarden.serve.http import application, bind, certificate_of, serving, url_of
from citywarden.serve.judge import Judge
from citywarden.serve.judging import open_judging
from citywarden.serve.prepare import Prepared
from citywarden.serve.receiving import Receiving
from citywarden.serve.reception import behind_door, is_demanded, make_first, open_reception, session_key
from citywarden.serve.recordkeeping import RecordKeeper
from citywarden.serve.rulecards import rule_cards
from citywarden.serve.selfcare import Selfcare
from citywarden.serve.vitals import Rate, Vitals
from citywarden.serve.wicket import Bounds
from citywarden.serve.workdesk import WorkDesk
from citywarden.store.contract import Store
from dashboards.sources import Sources
from ingest.deadletters import DeadLetters
from ingest.decode import Decoder
from ingest.endpoint import Endpoint
from ingest.feed import Feed
from ingest.limiter import Limiter
from ingest.pipeline import StoreDrain
from ingest.registry import Registry
from rules import night

__all__ = ["Clock", "Options", "Running", "running"]


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is up: where it is, and its parts for those who drive it. `broker`: where devices publish to."""

    url: str
    broker: Endpoint
    registry: Registry
    store: Store
    log: SqliteLog
    desk: AsyncDesk
    courier: Courier
    judge: Judge
    drain: StoreDrain
    vitals: Vitals
    live: Live
    work: WorkDesk
    cases: CaseDesk


@asynccontextmanager
async def running(prepared: Prepared, options: Options, clock_ms: Clock) -> AsyncIterator[Running]:
    """A server until the block ends. Raises CitywardenError when a part cannot start; nothing stays behind then."""
    async with AsyncExitStack() as stack:
        yield await _start(Frame(prepared, options, ServerClock(clock_ms, options.steady_ms), stack))


async def _start(frame: Frame) -> Running:
    """Make the parts one after the other; what is made first is stopped last."""
    settings, stack, clock_ms = frame.settings, frame.stack, frame.clock_ms
    stack.enter_context(claimed(settings.data))
    listener, tls = bind(frame.listen), certificate_of(settings)
    stack.callback(listener.close)
    ground = await open_ground(frame)
    engine, desk, limits = ground.alerts.engine, ground.alerts.desk, settings.limits
    letters = DeadLetters(engine, limits.dead_letters, limits.dead_letters_mb << 20)
    feed = Feed(ground.log, Decoder(frame.kinds, ground.registry.lookup), ground.registry, clock_ms)
    drain = StoreDrain(feed, ground.store, letters, settings.store.batch)
    reception = open_reception(settings, engine, clock_ms)
    stack.push_async_callback(reception.close)
    if is_demanded(settings, frame.listen):
        make_first(settings, reception.desk, clock_ms())
    belonging = open_belonging(settings, engine, ground.registry, frame.kinds, reception.doing, clock_ms)
    workdesk = WorkDesk(
        frame.prepared.plan, settings.tenant, settings.zone, ground.store, frame.options.work, clock_ms
    )  # fmt: skip
    cases = await open_cases(frame, ground)
    commands = command_desk(engine, frame.kinds, ground.registry, clock_ms)
    judging = await open_judging(frame, ground, feed, workdesk, commands.hear)
    judge = judging.judge
    vitals = Vitals(
        Rate(), judge.progress, drain, feed, desk.counters, lambda: len(desk.desk.open()),
        lambda: len(ground.registry), ground.alerts.courier.troubles, crashed=frame.crashed,
        readiness=ground.readiness,
    )  # fmt: skip
    reserve = Reserve((settings.log_path.parent, settings.data), settings.log.reserve_mb)
    care = Selfcare(vitals, desk, clock_ms, reserve, (settings.tenant, settings.mqtt.client_id))
    frame.watch("selfcare", care.run)
    frame.watch("store", drain.run)
    frame.watch("rules", judging.run)
    _watch_beside(frame, ground, Chores(frame, ground, vitals, judge))
    keeper = RecordKeeper(reception.desk, settings.access.audit_days, ground.exporter.offer, clock_ms)
    frame.watch("audit", keeper.run)
    sources = Sources(
        kinds=frame.kinds, live=ground.live, store=ground.store, alerts=desk, work=workdesk,
        letters=LetterDesk(letters), devices=DeviceDesk(ground.registry), health=vitals.health,
        metrics=vitals.exposition, districts=frame.prepared.districts, timezone=settings.zone,
        language=settings.language, now_ms=clock_ms, is_night=night.is_night,
        dispatch=DispatchDesk(desk, ground.alerts.courier, clock_ms, settings.zone), audit=reception,
        access=reception, cases=cases, enrolment=belonging.enrolment, claims=belonging.claims, commands=commands,
        rules=rule_cards(
            frame.prepared.book, frame.kinds, frame.options.work, cases.categories, settings.rules.file is not None
        ),
    )  # fmt: skip
    brokers = await belonging.open(frame.prepared.endpoint, frame.options.mqtt_port, stack)
    door = Door(Limiter(limits.device_messages_per_min), letters, drain.dead, clock_ms)
    receiving = Receiving(settings.mqtt, ground.log, vitals, door, reserve, clock_ms)
    await _open_to_devices(frame, brokers, receiving, commands, belonging)
    doorman = behind_door(application(sources, session_key(settings.data)), reception, settings, frame.listen)
    frame.watch("sessions", doorman.look_around)
    bounds = Bounds(file_bytes=(settings.cases.evidence_mb << 20) + 1024)
    await stack.enter_async_context(serving(doorman, listener, settings.access.proxies, tls, bounds))
    return Running(
        url_of(listener, tls), brokers.devices, ground.registry, ground.store, ground.log, desk,
        ground.alerts.courier, judge, drain, vitals, ground.live, workdesk, cases,
    )  # fmt: skip


def _watch_beside(frame: Frame, ground: Ground, chores: Chores) -> None:
    """What runs beside the way of the messages."""
    settings, desk = frame.settings, ground.alerts.desk
    frame.watch("alerts", lambda: attend(desk, settings.alerts.keep_days * DAY_MS, frame.clock_ms))
    frame.watch("backup", chores.take_backups)
    frame.watch("chores", chores.run)
    if settings.store.url != "embedded":
        frame.watch("inventory", chores.tell_inventory)


async def _open_to_devices(
    frame: Frame, brokers: Brokers, receiving: Receiving, commands: CommandDesk, belonging: Belonging
) -> None:
    """Messages come in, commands go out, claims are answered."""
    if brokers.watch is not None:
        frame.watch("gate", brokers.watch)
    frame.watch("mqtt", lambda: receiving.run(brokers.subscribe))
    await receiving.subscribed()
    name = f"{frame.settings.mqtt.client_id}-commands"
    frame.watch("commands", lambda: commands.run(lambda: publishing(brokers.publish, name)))
    if belonging.claims is not None:
        frame.watch("claims", lambda: belonging.listen(brokers.publish))
        await belonging.ready()
