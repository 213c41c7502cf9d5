"""What a running server does beside its work: points written, what is old trimmed, the inventory told, backups."""

import asyncio
import logging
import time
from dataclasses import dataclass, field

from citywarden.model.errors import Unavailable
from citywarden.serve.backup.asking import serve_requests
from citywarden.serve.backup.taking import Parts, take
from citywarden.serve.frame import Frame
from citywarden.serve.ground import Ground
from citywarden.serve.inventory import PART, Inventory
from citywarden.serve.judge import RULES_CONSUMER, Judge
from citywarden.serve.tables import database_file
from citywarden.serve.vitals import Vitals
from citywarden.store.contract import Copied
from citywarden.store.schema import MEASUREMENTS, RECORDS
from ingest.pipeline import STORE_CONSUMER
from ingest.subscription import State

CHORES_S = 1.0
TRIM_EVERY_S = 30.0
DAY_MS = 86_400_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chores:
    """`trimming`: held while the log is trimmed or copied, never both."""

    frame: Frame
    ground: Ground
    vitals: Vitals
    judge: Judge
    trimming: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Every second, and now and then, until cancelled."""
        log, exporter, vitals = self.ground.log, self.ground.exporter, self.vitals
        trimmed_s, told = 0.0, -1
        while True:
            end = await log.end()
            judged = sum(offset - vitals.judged.position.get(partition, 0) for partition, offset in end.items())
            vitals.backlog = {STORE_CONSUMER: await log.backlog(STORE_CONSUMER), RULES_CONSUMER: judged}
            point = vitals.point(self.frame.clock_ms())
            if point.ts_ms != told:
                told = point.ts_ms
                exporter.offer([point])
            await exporter.flush()
            now_s = asyncio.get_running_loop().time()
            pressed = vitals.mqtt.state is State.STALLED or vitals.stalls.length_s(time.monotonic()) > 0
            if pressed:
                self.judge.hurry()
            if pressed or now_s - trimmed_s >= TRIM_EVERY_S:
                trimmed_s = now_s
                await self._trim()
            await asyncio.sleep(CHORES_S)

    async def tell_inventory(self) -> None:
        """Where registered things are, for Grafana's maps (the embedded store has no Grafana), until cancelled."""
        inventory, exporter = Inventory(self.ground.registry), self.ground.exporter
        while True:
            if len(exporter) < PART:
                exporter.offer(inventory.part(self.frame.clock_ms()))
            await asyncio.sleep(CHORES_S)

    async def take_backups(self) -> None:
        """Backups, as commands ask for them, until cancelled."""
        settings, store = self.frame.settings, self.ground.store
        copy = store.copy_to if isinstance(store, Copied) else None
        parts = Parts(settings.data, self.ground.alerts.engine, settings.log_path, database_file(settings), copy)
        await serve_requests(settings.data, lambda target: take(parts, target, self.frame.clock_ms(), self.trimming))

    async def _trim(self) -> None:
        try:
            async with self.trimming:
                await self.ground.log.trim((STORE_CONSUMER, RULES_CONSUMER))
        except Unavailable as error:
            _log.warning("the log cannot be trimmed now: %s", error)
        wanted, now_ms = self.frame.settings.store, self.frame.clock_ms()
        if wanted.url != "embedded":
            return
        try:
            for measurement in (*self.frame.kinds, *MEASUREMENTS):
                days = wanted.record_days if measurement in RECORDS else wanted.keep_days
                await self.ground.store.trim(measurement, now_ms - days * DAY_MS)
        except Unavailable as error:
            _log.warning("old readings cannot be dropped now: %s", error)
