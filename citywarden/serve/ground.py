"""What lies under all rooms of a server: alerts, registry, log, store and the live picture."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from citywarden.live import Live
from citywarden.log.contract import reader_of
from citywarden.log.sqlite import SqliteLog
from citywarden.model.errors import Unavailable
from citywarden.serve.alerting import Alerting, alerting, locating
from citywarden.serve.export import Exporter, open_exporter
from citywarden.serve.frame import Frame
from citywarden.serve.judge import RULES_CONSUMER
from citywarden.serve.readiness import NAME, Readiness
from citywarden.serve.stores import open_store, readiness_of
from citywarden.serve.supervision import FIRST_WAIT_S, LONGEST_WAIT_S, stop
from citywarden.store.contract import Store
from ingest.registry import Registry

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ground:
    """`readiness`: what makes the store ready, None where nothing has to."""

    alerts: Alerting
    registry: Registry
    log: SqliteLog
    store: Store
    readiness: Readiness | None
    live: Live
    exporter: Exporter


async def open_ground(frame: Frame) -> Ground:
    """Open everything; the store may be away. Raises CitywardenError."""
    settings, stack = frame.settings, frame.stack
    alerts = await stack.enter_async_context(alerting(settings, frame.clock_ms))
    registers = settings.registry.unknown_devices == "register"
    registry = Registry(alerts.engine, registers, settings.limits.devices)
    alerts.locate = locating(registry)
    log = await SqliteLog.open(settings.log_path, settings.log.max_mb and settings.log.max_mb << 20)
    stack.push_async_callback(log.close)
    await alerts.desk.run(alerts.desk.desk.follow, reader_of(RULES_CONSUMER, log))
    store = await open_store(settings, frame.kinds)
    stack.push_async_callback(store.close)
    readiness = readiness_of(settings, frame.kinds)
    if readiness is not None:
        frame.watch(NAME, readiness.run)
        await readiness.first_try()
    live = Live(frame.kinds)
    stack.push_async_callback(stop, asyncio.create_task(seed(live, store), name="seed"))
    return Ground(alerts, registry, log, store, readiness, live, await open_exporter(store, alerts.desk, live))


async def seed(live: Live, store: Store, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Fill in the last known values, so that the wall is not empty after a restart; asks again while the store is
    away. What has come since then is not overwritten.
    """
    wait_s = FIRST_WAIT_S
    for kind in live.kinds:
        while True:
            try:
                live.seed(await store.latest(kind))
                break
            except Unavailable as error:
                _log.warning("the last known values cannot be read yet: %s", error)
                await sleep(error.retry_after_s or wait_s)
                wait_s = min(LONGEST_WAIT_S, wait_s * 2)
