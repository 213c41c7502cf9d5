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
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self, cast

from citywarden.model.credential import narrowed
from citywarden.model.errors import Unavailable
from ingest.connectpacket import CONNECT, LEVEL_5, Connect, Malformed, connack, frame, parse_connect
from ingest.endpoint import Endpoint
from ingest.sieve import Seam, Sieve

CONNECT_BYTES = 16 * 1024
"""Longest CONNECT: a will of some size, no more."""
CONNECT_S = 10.0
MAX_SESSIONS = 10_000
MAX_STRANGERS = 1_000
"""Connections of one address that have not said who they are, or were not let in yet: they take no more seats."""

_log = logging.getLogger(__name__)


Judge = Callable[[str, str, str], Awaitable[int | None]]
"""(login, password, client id) -> the revision of the account that lets it in, None when nothing does. Raises
Unavailable when that cannot be found out now.
"""


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
        self._strangers: Counter[str] = Counter()
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

    def renew(self, revisions: Mapping[str, int]) -> int:
        """Accounts have changed: end the sessions of those that were let in by an older revision; returns how many."""
        found = [(device, at) for login, at in revisions.items() for device in self._sessions.get(login, ())]
        return sum(device.renew(at) for device, at in found)

    def enter(self, device: "_Device") -> bool:
        """Count a connection; False when there are too many."""
        if len(self._all) >= MAX_SESSIONS or self._strangers[device.address] >= MAX_STRANGERS:
            self.refuse("one connection too many", "", device.address)
            return False
        self._all.add(device)
        self._strangers[device.address] += 1
        return True

    def know(self, device: "_Device") -> None:
        """A connection was let in, or is over."""
        self._strangers[device.address] -= 1
        if not self._strangers[device.address]:
            del self._strangers[device.address]

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
        self._sieve: Sieve | None = None
        self._held = b""
        self._login = ""
        self._revision: int | None = None
        self._demanded = 0
        self._asking: asyncio.Task[None] | None = None
        self._waited: asyncio.TimerHandle | None = None
        self.address = ""
        self._stranger = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        if not self._gate.enter(self):
            self._transport.abort()
            return
        self._stranger = True
        self._waited = asyncio.get_running_loop().call_later(CONNECT_S, self.end)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gate.leave(self, self._login)
        self._known()
        if self._asking is not None:
            self._asking.cancel()
        if self._waited is not None:
            self._waited.cancel()
        if self.partner is not None:
            self.partner.end()

    def _known(self) -> None:
        if self._stranger:
            self._stranger = False
            self._gate.know(self)

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
        if data and self._transport is not None:
            self._transport.write(data)

    def renew(self, revision: int) -> bool:
        """Its account is now at `revision`: hang up, if it was let in by an older one."""
        if self._revision is None:
            self._demanded = max(self._demanded, revision)
            return False
        if self._revision < revision:
            self.end()
            return True
        return False

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
            revision = await self._gate.judge(login, password, connect.client_id) if login else None
            if revision is None or revision < self._demanded:
                self._refuse(connect.level, 4, login, connect.client_id)
                return
            self._revision = revision
            rights = narrowed(login, connect.client_id)
            if connect.will_topic is not None and connect.will_topic not in rights.publish:
                self._refuse(connect.level, 5, login, connect.will_topic)
                return
            self._sieve = Sieve(rights, connect.level)
            self._known()
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
        assert self._broker is not None and self._sieve is not None
        found = self._sieve.sift(data)
        for run in found.passed:
            self._broker.write(run)
        for what, topic in found.refused:
            self._gate.refuse(what, self._login, topic)
        self._broker.answer(found.answers)


class _Broker(asyncio.Protocol):
    """The side of the broker: passes everything to the device, and our own answers in between."""

    def __init__(self, device: _Device) -> None:
        self._device = device
        self._transport: asyncio.Transport | None = None
        self._seam = Seam()

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

    def answer(self, packets: Sequence[bytes]) -> None:
        """Say something in the broker's place."""
        self._device.write(self._seam.answer(packets))

    def data_received(self, data: bytes) -> None:
        self._device.write(self._seam.pass_on(data))
