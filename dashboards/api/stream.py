"""What changes, as server-sent events: alert, reading, task, case, and lagged to a client that was too slow."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Set
from dataclasses import dataclass
from enum import StrEnum

import orjson

from citywarden.columns import Reading
from citywarden.live import Change, Lagged
from citywarden.model.alert import CASE_KIND, Alert
from citywarden.model.case import Case
from citywarden.model.casebody import case_body
from citywarden.model.casequery import Sight
from citywarden.model.wire import alert_body, report_item
from dashboards.api.shapes import reading_body
from dashboards.sources import Sources

HEARTBEAT_S = 15.0
"""A comment goes out after so long a silence: it keeps proxies from closing the stream and finds clients gone."""
RETRY_MS = 3000
VEHICLE = "vehicle"
"""The kind that tasks belong to."""


class Event(StrEnum):
    """Names of events a client may choose."""

    ALERT = "alert"
    READING = "reading"
    TASK = "task"
    CASE = "case"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a client wants to hear; empty: everything. `sight`: the cases it may hear of, None: all."""

    events: Set[str] = frozenset()
    kinds: Set[str] = frozenset()
    sight: Sight | None = None

    def wants(self, event: str, kind: str) -> bool:
        return (not self.events or event in self.events) and (not self.kinds or kind in self.kinds)


async def stream(sources: Sources, choice: Choice, heartbeat_s: float = HEARTBEAT_S) -> AsyncGenerator[bytes, None]:
    """The bytes of the event stream until the client is gone; then the listener is freed."""
    with sources.live.listen(readings=not choice.events or Event.READING in choice.events) as listener:
        yield f"retry: {RETRY_MS}\n\n".encode()
        changes = aiter(listener)
        upcoming = asyncio.ensure_future(anext(changes))
        try:
            while True:
                await asyncio.wait({upcoming}, timeout=heartbeat_s)
                if not upcoming.done():
                    yield b": heartbeat\n\n"
                    continue
                change = upcoming.result()
                upcoming = asyncio.ensure_future(anext(changes))
                if sent := written(change, choice, sources):
                    yield sent
        finally:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)


def written(change: Change, choice: Choice, sources: Sources) -> bytes:
    """A change as an event; empty when the client did not choose it. `lagged` is told to everyone."""
    if isinstance(change, Lagged):
        return _event("lagged", {"lost": change.lost})
    if isinstance(change, Alert):
        wanted = choice.wants(Event.ALERT, change.kind)
        return _event(Event.ALERT, alert_body(change, sources.language)) if wanted else b""
    if isinstance(change, Reading):
        who = change.device
        body = {"tenant": who.tenant, "kind": who.kind, "device": who.id, "reading": reading_body(change)}
        return _event(Event.READING, body) if choice.wants(Event.READING, who.kind) else b""
    if isinstance(change, Case):
        wanted = choice.wants(Event.CASE, CASE_KIND) and (choice.sight is None or choice.sight.covers(change))
        return _event(Event.CASE, case_body(change, sources.now_ms())) if wanted else b""
    wanted = choice.wants(Event.TASK, VEHICLE)
    return _event(Event.TASK, report_item(change, sources.timezone)) if wanted else b""


def _event(name: str, body: Mapping[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(body))
