"""The running server: every part made, started in order, watched, and stopped in the opposite order.

broker -> MQTT -> log -> +-> store drain -> store
                         +-> judge -> alert desk -> courier -> webhooks
console and API read the live picture, the store and the desks
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from citywarden.alerts.delivery import Courier
from citywarden.alerts.desk import AsyncDesk
from citywarden.alerts.point import alert_point
from citywarden.cases.desk import CaseDesk
from citywarden.live import Live
from citywarden.log.contract import reader_of
from citywarden.log.sqlite import SqliteLog
from citywarden.model.alert import OWN_KINDS
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import Unavailable
from citywarden.model.message import RawMessage
from citywarden.model.work import TaskReport, Verdict
from citywarden.serve.alerting import Alerting, alerting, attend
from citywarden.serve.backup.asking import serve_requests
from citywarden.serve.backup.commands import database_file
from citywarden.serve.backup.taking import Parts, take
from citywarden.serve.belonging import open_belonging
from citywarden.serve.casework import CaseWork, case_desk
from citywarden.serve.clock import ServerClock, steady_ms
from citywarden.serve.commanding import command_desk, publishing
from citywarden.serve.desks import DeviceDesk, LetterDesk
from citywarden.serve.disk import Reserve
from citywarden.serve.dispatchdesk import DispatchDesk
from citywarden.serve.door import Door
from citywarden.serve.export import Exporter, vehicle_of, work_point
from citywarden.serve.folder import claimed
from citywarden.serve.http import application, bind, certificate_of, serving
from citywarden.serve.inventory import device_points
from citywarden.serve.judge import RULES_CONSUMER, Hooks, Judge
from citywarden.serve.prepare import Prepared
from citywarden.serve.readiness import NAME
from citywarden.serve.reception import behind_door, is_demanded, make_first, open_reception
from citywarden.serve.selfcare import Selfcare
from citywarden.serve.stores import open_store, readiness_of
from citywarden.serve.supervision import Run, kept_running, restored, stop
from citywarden.serve.vitals import Rate, Vitals
from citywarden.serve.workdesk import WorkDesk
from citywarden.store.contract import Store
from citywarden.store.embedded import EmbeddedStore
from citywarden.store.schema import MEASUREMENTS, RECORDS
from dashboards.sources import Sources
from ingest.deadletters import DeadLetters
from ingest.decode import Decoder
from ingest.endpoint import Endpoint
from ingest.limiter import Limiter
from ingest.mqtt import PATIENT, receive
from ingest.pipeline import STORE_CONSUMER, Decoding, StoreDrain
from ingest.registry import Registry
from ingest.subscription import State, Status, Subscription
from ingest.witness import stamped_ms
from rules import engine, night, thresholds, work, worksave
from rules.worksettings import WorkSettings

CHORES_S = 1.0
SUBSCRIBE_S = 10.0
TRIM_EVERY_S = 30.0
INVENTORY_S = 600.0
DAY_MS = 86_400_000

_log = logging.getLogger(__name__)
Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Options:
    """What is no configuration: how this run differs. Ports 0: any free one; None: as configured."""

    port: int | None = None
    mqtt_port: int = 0
    work: WorkSettings = field(default_factory=WorkSettings)
    steady_ms: Clock = steady_ms


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
        yield await _Builder(prepared, options, clock_ms, stack).start()


class _Builder:
    """Makes the parts one after the other; what is made first is stopped last."""

    def __init__(self, prepared: Prepared, options: Options, clock_ms: Clock, stack: AsyncExitStack) -> None:
        self._p = prepared
        self._settings = prepared.settings
        self._options = options
        self._clock_ms = ServerClock(clock_ms, options.steady_ms)
        self._stack = stack
        self._crashed: dict[str, str] = {}
        self._trimming = asyncio.Lock()

    async def start(self) -> Running:
        settings, stack = self._settings, self._stack
        stack.enter_context(claimed(settings.data))
        listener, tls = bind(self._listen()), certificate_of(settings)
        stack.callback(listener.close)
        alerts = await stack.enter_async_context(alerting(settings, self._clock_ms))
        limits = settings.limits
        registry = Registry(alerts.engine, settings.registry.unknown_devices == "register", limits.devices)
        alerts.locate = _locating(registry)
        log = await SqliteLog.open(settings.log_path, settings.log.max_mb and settings.log.max_mb << 20)
        stack.push_async_callback(log.close)
        await alerts.desk.run(alerts.desk.desk.follow, reader_of(RULES_CONSUMER, log))
        store = await open_store(settings, self._p.kinds)
        stack.push_async_callback(store.close)
        readiness = readiness_of(settings, self._p.kinds)
        if readiness is not None:
            self._watch(NAME, readiness.run)
            await readiness.first_try()
        live = Live(self._p.kinds)
        seeding = asyncio.create_task(_seed(live, store), name="seed")
        stack.push_async_callback(stop, seeding)
        letters = DeadLetters(alerts.engine, limits.dead_letters, limits.dead_letters_mb << 20)
        decoding = Decoding(Decoder(self._p.kinds, registry.lookup), registry, self._clock_ms)
        drain = StoreDrain(log, decoding, store, letters, settings.store.batch)
        reception = open_reception(settings, alerts.engine, self._clock_ms)
        stack.push_async_callback(reception.close)
        if is_demanded(settings, self._listen()):
            make_first(settings, reception.desk, self._clock_ms())
        belonging = open_belonging(
            settings, alerts.engine, registry, self._p.kinds, reception.note, self._clock_ms
        )  # fmt: skip
        workdesk = WorkDesk(
            self._p.plan, settings.tenant, settings.zone, store, self._options.work, self._clock_ms
        )  # fmt: skip
        exporter = await self._exporter(store, alerts, live)
        cases = await self._cases(alerts, registry, exporter, live)
        commands = command_desk(alerts.engine, self._p.kinds, registry, self._clock_ms)
        hooks = self._hooks(workdesk, exporter, registry)
        hooks.answered = commands.hear
        judge = Judge(log, decoding, registry, alerts.desk, live, self._clock_ms, hooks)
        await judge.restore(self._fresh(workdesk))
        workdesk.current = lambda: work.reports(judge.state.work, self._clock_ms())
        vitals = Vitals(
            Rate(), judge.progress, drain, decoding, alerts.desk.counters, lambda: len(alerts.desk.desk.open()),
            lambda: len(registry), alerts.courier.troubles, crashed=self._crashed, readiness=readiness,
        )  # fmt: skip
        reserve = Reserve((settings.log_path.parent, settings.data), settings.log.reserve_mb)
        care = Selfcare(vitals, alerts.desk, self._clock_ms, reserve, (settings.tenant, settings.mqtt.client_id))
        self._watch("selfcare", care.run)
        self._watch("backup", lambda: self._backups(alerts, store))
        self._watch("store", drain.run)
        self._watch("rules", restored(judge.run, lambda: judge.restore(self._fresh(workdesk))))
        self._watch("alerts", lambda: attend(alerts.desk, settings.alerts.keep_days * DAY_MS, self._clock_ms))
        self._watch("chores", lambda: self._chores(log, store, exporter, vitals))
        if settings.store.url != "embedded":
            self._watch("inventory", lambda: self._inventory(registry, exporter))
        sources = Sources(
            kinds=self._p.kinds, live=live, store=store, alerts=alerts.desk, work=workdesk, letters=LetterDesk(letters),
            devices=DeviceDesk(registry), health=vitals.health, metrics=vitals.exposition, districts=self._p.districts,
            timezone=settings.zone, language=settings.language, now_ms=self._clock_ms, is_night=night.is_night,
            dispatch=DispatchDesk(alerts.desk, alerts.courier, self._clock_ms, settings.zone),
            audit=reception, access=reception, cases=cases, enrolment=belonging.enrolment, claims=belonging.claims,
            commands=commands,
        )  # fmt: skip
        brokers = await belonging.open(self._p.endpoint, self._options.mqtt_port, stack)
        if brokers.watch is not None:
            self._watch("gate", brokers.watch)
        broker, subscribed = brokers.devices, brokers.subscribe
        door = Door(Limiter(limits.device_messages_per_min), letters, drain.dead, self._clock_ms)
        self._watch("mqtt", lambda: self._receive(subscribed, log, vitals, door, reserve))
        await self._subscribed(vitals)
        name = f"{settings.mqtt.client_id}-commands"
        self._watch("commands", lambda: commands.run(lambda: publishing(brokers.publish, name)))
        if belonging.claims is not None:
            self._watch("claims", lambda: belonging.listen(brokers.publish))
            await belonging.ready()
        doorman = behind_door(application(sources, _secret(settings.data)), reception, settings, self._listen())
        self._watch("sessions", doorman.look_around)
        await stack.enter_async_context(serving(doorman, listener, settings.access.proxies, tls))
        host, port = listener.getsockname()[:2]
        url = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
        return Running(
            url, broker, registry, store, log, alerts.desk, alerts.courier, judge, drain, vitals, live, workdesk, cases
        )  # fmt: skip

    def _listen(self) -> str:
        listen = self._settings.api.listen
        return listen if self._options.port is None else f"{listen.rpartition(':')[0]}:{self._options.port}"

    async def _exporter(self, store: Store, alerts: Alerting, live: Live) -> Exporter:
        """Alerts go to the store and to whoever looks at the live picture."""
        exporter = Exporter(store)
        exporter.offer(alert_point(alert) for alert in await alerts.desk.open())
        alerts.desk.subscribe(lambda changed: exporter.offer(map(alert_point, changed)))
        alerts.desk.subscribe(live.tell_all)
        return exporter

    async def _cases(self, alerts: Alerting, registry: Registry, exporter: Exporter, live: Live) -> CaseDesk:
        """People's work on what the alerts, or other people, tell of."""
        cases = case_desk(self._settings, alerts.engine, self._clock_ms)
        self._stack.push_async_callback(cases.close)
        await cases.run(cases.clean)
        watching = CaseWork(self._settings, cases, alerts.desk, registry.lookup, self._clock_ms)
        watching.tell(exporter)
        cases.subscribe(live.tell_all)
        await watching.offer_open(exporter)
        self._watch("cases", watching.run)
        return cases

    def _hooks(self, workdesk: WorkDesk, exporter: Exporter, registry: Registry) -> Hooks:
        def judged(reports: Sequence[TaskReport]) -> None:
            tenant = self._settings.tenant
            exporter.offer(
                work_point(report, tenant, vehicle_of(registry.lookup, tenant, report.vehicle))
                for report in reports if report.status is not Verdict.OPEN
            )  # fmt: skip

        def replanned(state: engine.State, now_ms: int) -> engine.State:
            tasks = workdesk.due(now_ms)
            return state if tasks is None else engine.replan(state, tasks, workdesk.plan_zones, now_ms)

        return Hooks(judged, replanned)

    def _fresh(self, workdesk: WorkDesk) -> Callable[[bytes | None], engine.State]:
        def fresh(data: bytes | None) -> engine.State:
            now_ms = self._clock_ms()
            tasks, zones = workdesk.around(now_ms), workdesk.plan_zones
            zone, kinds, book = self._settings.zone, self._p.kinds, self._p.book
            if data is None:
                return engine.State(
                    thresholds.start(book, kinds, zone, now_ms), work.start(tasks, zones, self._options.work, now_ms)
                )
            levels, judged = engine.split(data)
            return engine.State(
                thresholds.load(book, kinds, zone, levels, now_ms),
                worksave.load(judged, tasks, zones, self._options.work),
            )

        return fresh

    def _watch(self, name: str, run: Run) -> None:
        """Run a part until the server stops."""
        task = asyncio.create_task(kept_running(name, run, self._crashed), name=name)
        self._stack.push_async_callback(stop, task)

    async def _receive(
        self, broker: Endpoint, log: SqliteLog, vitals: Vitals, door: Door, reserve: Reserve
    ) -> None:  # fmt: skip
        async def sink(batch: Sequence[RawMessage]) -> None:
            reserve.check()
            if self._clock_ms.gap_ms and (moved_ms := self._clock_ms.hear(stamped_ms(batch))):
                batch = [message._replace(received_ms=message.received_ms + moved_ms) for message in batch]
            if kept := await door.screen(batch):
                await log.append(kept)
                vitals.received.add(len(kept))

        def observe(status: Status) -> None:
            vitals.observe(status)
            door.observe(status)
            if status.state in (State.REFUSED, State.LOST, State.STALLED):
                _log.warning("mqtt %s: %s", status.state, status.detail)

        mqtt = self._settings.mqtt
        share = f"$share/{mqtt.shared_group}/" if mqtt.shared_group else ""
        expiry_s = mqtt.session_expiry_h * 3600
        subscription = Subscription(
            broker, mqtt.client_id, (f"{share}city/#",), mqtt.receive_max, mqtt.keep_alive_s, expiry_s
        )  # fmt: skip
        await receive(subscription, sink, observe, replace(PATIENT, now_ms=self._clock_ms))

    async def _subscribed(self, vitals: Vitals) -> None:
        """Until the broker knows our subscription, so that nothing published from now on is missed; a broker that is
        away does not keep the server from starting.
        """
        try:
            async with asyncio.timeout(SUBSCRIBE_S):
                await vitals.connected.wait()
        except TimeoutError:
            _log.warning("not connected to the broker yet: %s", vitals.mqtt.detail)

    async def _backups(self, alerts: Alerting, store: Store) -> None:
        """Backups, as commands ask for them."""
        settings, copy = self._settings, store.copy_to if isinstance(store, EmbeddedStore) else None
        parts = Parts(settings.data, alerts.engine, settings.log_path, database_file(settings), copy)
        await serve_requests(settings.data, lambda target: take(parts, target, self._clock_ms(), self._trimming))

    async def _chores(self, log: SqliteLog, store: Store, exporter: Exporter, vitals: Vitals) -> None:
        """What is to be done every second, and now and then."""
        trimmed_s = 0.0
        while True:
            end = await log.end()
            judged = sum(offset - vitals.judged.position.get(partition, 0) for partition, offset in end.items())
            vitals.backlog = {STORE_CONSUMER: await log.backlog(STORE_CONSUMER), RULES_CONSUMER: judged}
            exporter.offer([vitals.point(self._clock_ms())])
            await exporter.flush()
            now_s = asyncio.get_running_loop().time()
            if now_s - trimmed_s >= TRIM_EVERY_S or vitals.mqtt.state is State.STALLED:
                trimmed_s = now_s
                await self._trim(log, store)
            await asyncio.sleep(CHORES_S)

    async def _inventory(self, registry: Registry, exporter: Exporter) -> None:
        """Where registered things are, for Grafana's maps (the embedded store has no Grafana)."""
        while True:
            exporter.offer(device_points(registry.placed(), self._clock_ms()))
            await asyncio.sleep(INVENTORY_S)

    async def _trim(self, log: SqliteLog, store: Store) -> None:
        try:
            async with self._trimming:
                await log.trim((STORE_CONSUMER, RULES_CONSUMER))
        except Unavailable as error:
            _log.warning("the log cannot be trimmed now: %s", error)
        if self._settings.store.url != "embedded":
            return
        wanted, now_ms = self._settings.store, self._clock_ms()
        try:
            for measurement in (*self._p.kinds, *MEASUREMENTS):
                days = wanted.record_days if measurement in RECORDS else wanted.keep_days
                await store.trim(measurement, now_ms - days * DAY_MS)
        except Unavailable as error:
            _log.warning("old readings cannot be dropped now: %s", error)


def _locating(registry: Registry) -> Callable[[DeviceKey], Device | None]:
    """The registry as the alerts ask it: the server itself is no device, not even one that registers itself."""
    return lambda key: None if key.kind in OWN_KINDS else registry.lookup(key)


async def _seed(live: Live, store: Store) -> None:
    """The last known values, so that the wall is not empty after a restart; a store that is away leaves it empty."""
    try:
        for kind in live.kinds:
            live.seed(await store.latest(kind))
    except Unavailable as error:
        _log.warning("the last known values cannot be read: %s", error)


def _secret(data: Path) -> str:
    """The key that signs browser sessions: made at first start, kept in the data folder, readable by its owner only."""
    file = data / "session.key"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(32))
    return file.read_text("utf-8")
