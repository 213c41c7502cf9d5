"""What devices send, on its way from the broker into the log: screened, stamped, acknowledged once the log has it."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from citywarden.log.contract import Log
from citywarden.model.message import RawMessage
from citywarden.sections import MqttSettings
from citywarden.serve.clock import ServerClock
from citywarden.serve.disk import Reserve
from citywarden.serve.door import Door
from citywarden.serve.vitals import Vitals
from ingest.endpoint import Endpoint
from ingest.mqtt import PATIENT, receive
from ingest.subscription import State, Status, Subscription
from ingest.witness import stamped_ms

SUBSCRIBE_S = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Receiving:
    """`reserve`: room on the disk below which nothing more is taken in."""

    settings: MqttSettings
    log: Log
    vitals: Vitals
    door: Door
    reserve: Reserve
    clock_ms: ServerClock

    async def run(self, broker: Endpoint) -> None:
        """Take in what the broker has for us, until cancelled."""
        mqtt = self.settings
        share = f"$share/{mqtt.shared_group}/" if mqtt.shared_group else ""
        expiry_s = mqtt.session_expiry_h * 3600
        subscription = Subscription(
            broker, mqtt.client_id, (f"{share}city/#",), mqtt.receive_max, mqtt.keep_alive_s, expiry_s
        )  # fmt: skip
        timing = replace(PATIENT, now_ms=self.clock_ms, doubtful=self.clock_ms.doubtful)
        await receive(subscription, self._sink, self._observe, timing)

    async def subscribed(self) -> None:
        """Until the broker knows our subscription, so that nothing published from now on is missed; a broker that is
        away does not keep the server from starting.
        """
        try:
            async with asyncio.timeout(SUBSCRIBE_S):
                await self.vitals.connected.wait()
        except TimeoutError:
            _log.warning("not connected to the broker yet: %s", self.vitals.mqtt.detail)

    async def _sink(self, batch: Sequence[RawMessage]) -> None:
        self.reserve.check()
        if self.clock_ms.gap_ms and (moved_ms := self.clock_ms.hear(stamped_ms(batch))):
            batch = [message._replace(received_ms=message.received_ms + moved_ms) for message in batch]
        if kept := await self.door.screen(batch):
            await self.log.append(kept)
            self.vitals.received.add(len(kept))

    def _observe(self, status: Status) -> None:
        self.vitals.observe(status)
        self.door.observe(status)
        if status.state in (State.REFUSED, State.LOST, State.STALLED):
            _log.warning("mqtt %s: %s", status.state, status.detail)
