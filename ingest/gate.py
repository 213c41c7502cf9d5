"""A gate before the embedded broker, which knows neither topics nor devices: a proxy that lets through what may pass.

device -- CONNECT, PUBLISH, SUBSCRIBE are looked at --> gate -- the rest, as it came --> broker (own user, loopback)
       <------------------------------------------------------------------------------

It reads fixed headers, topics and filters, never payloads, and passes whole runs of bytes on. One port speaks MQTT
3.1, 3.1.1 and 5. A session can be cut at any time.
"""

import asyncio
import logging
import ssl
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import Self, cast

from citywarden.model.credential import Rights, narrowed
from citywarden.model.errors import Unavailable
from ingest.connectpacket import (
    CONNECT,
    LEVEL_5,
    PUBLISH,
    SUBSCRIBE,
    Connect,
    Malformed,
    connack,
    frame,
    parse_connect,
    parse_subscribe,
    puback,
    suback,
)
from ingest.endpoint import Endpoint

CONNECT_BYTES = 16 * 1024
"""Longest CONNECT: a will of some size, no more."""
CONNECT_S = 10.0
MAX_HELD = 1024 * 1024
"""Longest SUBSCRIBE or other packet that must be seen whole."""
MAX_SESSIONS = 10_000

_log = logging.getLogger(__name__)


Judge = Callable[[str, str, str], Awaitable[bool]]
"""(login, password, client id) -> may it connect? Raises Unavailable when that cannot be found out now."""


class Gate:
    """`async with Gate(judge, upstream, v5_upstream) as gate:` listens until the block ends. Port 0: any free one.

    `upstream`: where the broker speaks MQTT 3.1.1, with the user the gate logs in as; `v5_upstream` likewise for 5.
    """

    def __init__(
        self, judge: Judge, upstream: Endpoint, v5_upstream: Endpoint, host: str = "127.0.0.1", port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        self.judge = judge
        self.host, self.port = host, port
        self.refused: Counter[str] = Counter()
        self._upstreams = {4: upstream, LEVEL_5: v5_upstream}
        self._tls = tls
        self._sessions: dict[str, set[_Device]] = defaultdict(set)
        self._all: set[_Device] = set()
        self._server: asyncio.Server | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where devices connect."""
        return Endpoint(self.host, self.port)

    def sessions(self) -> Iterable[str]:
        """Logins that are connected."""
        return [login for login, devices in self._sessions.items() if devices]

    async def __aenter__(self) -> Self:
        """Raises Unavailable when the port is taken."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Device(self), self.host, self.port, ssl=self._tls)
        except OSError as error:
            raise Unavailable(f"MQTT gate: {self.host}:{self.port}: {error.strerror}") from None
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        for device in list(self._all):
            device.end()
        await asyncio.sleep(0)

    def cut(self, logins: Sequence[str]) -> int:
        """End the sessions of logins; returns how many there were."""
        ended = [device for login in logins for device in self._sessions.get(login, ())]
        for device in ended:
            device.end()
        return len(ended)

    def enter(self, device: "_Device") -> bool:
        """Count a connection; False when there are too many."""
        if len(self._all) >= MAX_SESSIONS:
            return False
        self._all.add(device)
        return True

    def admit(self, device: "_Device", login: str) -> None:
        self._sessions[login].add(device)

    def leave(self, device: "_Device", login: str) -> None:
        self._all.discard(device)
        if login in self._sessions:
            self._sessions[login].discard(device)
            if not self._sessions[login]:
                del self._sessions[login]

    def upstream(self, level: int) -> Endpoint:
        return self._upstreams[LEVEL_5 if level == LEVEL_5 else 4]

    def refuse(self, what: str, login: str, topic: str) -> None:
        """Count, and log the first of its sort by a login."""
        self.refused[what] += 1
        if self.refused[what] <= 20 or self.refused[what] % 1000 == 0:
            _log.warning("MQTT gate: %s by %s: %s", what, login or "(nobody)", topic[:200])


class _Device(asyncio.Protocol):
    """The side of a device: reads what it sends."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._transport: asyncio.Transport | None = None
        self._broker: _Broker | None = None
        self.partner: _Broker | None = None
        self._held = b""
        self._passing = 0
        self._dropping = 0
        self._level = 0
        self._login = ""
        self._rights = Rights(frozenset(), frozenset())
        self._topics: frozenset[bytes] = frozenset()
        self._asking: asyncio.Task[None] | None = None
        self._waited: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._gate.enter(self):
            self._transport.abort()
            return
        self._waited = asyncio.get_running_loop().call_later(CONNECT_S, self.end)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gate.leave(self, self._login)
        if self._asking is not None:
            self._asking.cancel()
        if self._waited is not None:
            self._waited.cancel()
        if self.partner is not None:
            self.partner.end()

    def pause_writing(self) -> None:
        if self._broker is not None:
            self._broker.hold(True)

    def resume_writing(self) -> None:
        if self._broker is not None:
            self._broker.hold(False)

    def hold(self, on: bool) -> None:
        """Read nothing more for a while: the broker is slower."""
        if self._transport is not None and not self._transport.is_closing():
            (self._transport.pause_reading if on else self._transport.resume_reading)()

    def end(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()

    def finish(self) -> None:
        """Hang up when all has been sent."""
        if self._transport is not None:
            self._transport.close()

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        try:
            if self._broker is None:
                self._begin(data)
            else:
                self._pass(data)
        except Malformed as error:
            self._gate.refuse(f"malformed: {error}", self._login, "")
            self.end()

    def _begin(self, data: bytes) -> None:
        """Until the CONNECT is there as a whole."""
        self._held += data
        if self._held[0] != CONNECT:
            raise Malformed("no CONNECT first")
        found = frame(self._held, 0)
        if (found is not None and found[1] > CONNECT_BYTES) or len(self._held) > 2 * CONNECT_BYTES:
            raise Malformed("a CONNECT too long")
        if found is None or len(self._held) < found[1] or self._asking is not None:
            return
        connect = parse_connect(self._held[found[0] : found[1]])
        self._held = self._held[found[1] :]
        self.hold(True)
        self._asking = asyncio.create_task(self._ask(connect))

    async def _ask(self, connect: Connect) -> None:
        """Is this device let in? Then connect to the broker on its behalf."""
        login, password = connect.username or "", (connect.password or b"").decode("utf-8", "replace")
        # Known by its name before it is judged: whoever is cut meanwhile does not slip in.
        self._login = login
        self._gate.admit(self, login)
        try:
            admitted = bool(login) and await self._gate.judge(login, password, connect.client_id)
            if not admitted:
                self._refuse(connect.level, 4, login, connect.client_id)
                return
            rights = narrowed(login, connect.client_id)
            if connect.will_topic is not None and connect.will_topic not in rights.publish:
                self._refuse(connect.level, 5, login, connect.will_topic)
                return
            self._level, self._rights = connect.level, rights
            self._topics = frozenset(topic.encode() for topic in rights.publish)
            await self._reach(connect)
        except (OSError, Unavailable) as error:
            _log.warning("MQTT gate: %s", error)
            self.write(connack(connect.level, 3))
            self.finish()

    async def _reach(self, connect: Connect) -> None:
        inner = self._gate.upstream(connect.level)
        loop = asyncio.get_running_loop()
        _, broker = await loop.create_connection(lambda: _Broker(self), inner.host, inner.port)
        # The broker knows no client id with a slash; ours have no tilde.
        name = connect.client_id.replace("/", "~")
        broker.write(connect.rewritten(inner.username or "", inner.password or "", name))
        self._broker = broker
        if self._waited is not None:
            self._waited.cancel()
        held, self._held = self._held, b""
        self.hold(False)
        if held:
            self.data_received(held)

    def _refuse(self, level: int, code: int, login: str, what: str) -> None:
        self._gate.refuse("refused connection", login, what)
        self.write(connack(level, code))
        self.finish()

    def _pass(self, data: bytes) -> None:
        """Pass on what may pass, in runs as long as they are."""
        assert self._broker is not None
        if self._held:
            data, self._held = self._held + data, b""
        size = len(data)
        at = begin = 0
        if self._passing:
            at = min(self._passing, size)
            self._passing -= at
        elif self._dropping:
            at = begin = min(self._dropping, size)
            self._dropping -= at
        while at < size:
            found = frame(data, at)
            if found is None:
                break
            inside, end = found
            sort = data[at] & 0xF0
            if sort == PUBLISH:
                named = inside + 2
                if size < named:
                    break
                topic_end = named + int.from_bytes(data[inside:named])
                if topic_end > end:
                    raise Malformed("a topic beyond the packet")
                if size < min(end, topic_end + 2):
                    break
                # An empty topic stands for an alias, which a message that has passed has set.
                if data[named:topic_end] in self._topics or (named == topic_end and self._level == LEVEL_5):
                    at = end
                    continue
                self._broker.write(data[begin:at])
                self._deny(data[at], data[named:topic_end], data[topic_end : topic_end + 2])
                at = begin = end
                continue
            if size < end and end - at <= MAX_HELD:
                break
            if end - at > MAX_HELD or sort == CONNECT:
                raise Malformed("a packet that cannot be")
            if sort == SUBSCRIBE and not self._may_subscribe(data[inside:end]):
                self._broker.write(data[begin:at])
                begin = end
            at = end
        if at > size:
            if begin >= at:
                self._dropping = at - size
                begin = size
            else:
                self._passing = at - size
            at = size
        if at > begin:
            self._broker.write(data[begin:at] if begin or at < size else data)
        if at < size:
            self._held = data[at:]

    def _deny(self, first: int, topic: bytes, packet_id: bytes) -> None:
        """A message that may not pass. QoS 2 would need a conversation of its own: the connection ends instead."""
        self._gate.refuse("refused publication", self._login, topic.decode("utf-8", "replace"))
        qos = first >> 1 & 3
        if qos > 1:
            raise Malformed("QoS 2 where nothing may be published")
        if qos == 1 and self._broker is not None:
            self._broker.answer(puback(self._level, int.from_bytes(packet_id)))

    def _may_subscribe(self, contents: bytes) -> bool:
        asked = parse_subscribe(contents, self._level)
        wrong = [one for one in asked.filters if one not in self._rights.subscribe]
        if not wrong:
            return True
        self._gate.refuse("refused subscription", self._login, ", ".join(wrong))
        if self._broker is not None:
            self._broker.answer(suback(self._level, asked))
        return False


class _Broker(asyncio.Protocol):
    """The side of the broker: passes everything to the device, and our own answers in between."""

    def __init__(self, device: _Device) -> None:
        self._device = device
        self._transport: asyncio.Transport | None = None
        self._answers: list[bytes] = []
        self._rest = 0
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._device.partner = self

    def connection_lost(self, exc: Exception | None) -> None:
        self._device.finish()

    def pause_writing(self) -> None:
        self._device.hold(True)

    def resume_writing(self) -> None:
        self._device.hold(False)

    def hold(self, on: bool) -> None:
        if self._transport is not None and not self._transport.is_closing():
            (self._transport.pause_reading if on else self._transport.resume_reading)()

    def end(self) -> None:
        """The broker publishes the device's will."""
        if self._transport is not None:
            self._transport.close()

    def write(self, data: bytes) -> None:
        if data and self._transport is not None:
            self._transport.write(data)

    def answer(self, packet: bytes) -> None:
        """Say something in the broker's place, between two of its packets."""
        if self._rest or self._head:
            self._answers.append(packet)
        else:
            self._device.write(packet)

    def data_received(self, data: bytes) -> None:
        """Pass it on, keeping track of where packets end."""
        at, size = 0, len(data)
        while at < size:
            if self._rest:
                step = min(self._rest, size - at)
                self._rest -= step
                at += step
            else:
                known = self._head + data[at : at + 5 - len(self._head)]
                found = frame(known, 0)
                if found is None:
                    self._head = known
                    break
                at += found[0] - len(self._head)
                self._rest, self._head = found[1] - found[0], b""
            if self._answers and not self._rest and not self._head:
                self._device.write(data[:at] + b"".join(self._answers))
                data, at, size = data[at:], 0, size - at
                self._answers.clear()
        if data:
            self._device.write(data)
