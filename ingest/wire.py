"""One MQTT 5 connection: bytes to messages, and acknowledgements back. No decisions about when or why.

socket -> data_received -> mqtt5.read -> messages, packet ids (collected until taken)
socket <- one write of all PUBACKs <- acknowledge(packet ids)
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import mqtt5
import numpy as np

from citywarden.model.message import RawMessage
from ingest.subscription import Cause, ConnectionEnded, State, Status, Subscription

__all__ = ["Cause", "Connection", "ConnectionEnded", "State", "Status", "Subscription"]

HIGH_BYTES = 4 * 1024 * 1024
HIGH_MESSAGES = 20_000
"""Bytes and messages collected above which reading stops until they have been taken. Some brokers send more than our
receive maximum; and what is taken is one batch of the log, which has to fit into the smallest.
"""
LEAVE_S = 2.0


_Refused = mqtt5.ConnAckReasonCode
# By number: the library's enum members cannot be keys.
_REFUSALS = {
    int(_Refused.BAD_USER_NAME_OR_PASSWORD): Cause.BAD_CREDENTIALS,
    int(_Refused.BAD_AUTHENTICATION_METHOD): Cause.BAD_CREDENTIALS,
    int(_Refused.NOT_AUTHORIZED): Cause.NOT_AUTHORIZED,
    int(_Refused.BANNED): Cause.NOT_AUTHORIZED,
    int(_Refused.CLIENT_ID_NOT_VALID): Cause.BAD_CLIENT_ID,
    int(_Refused.UNSUPPORTED_PROTOCOL_VERSION): Cause.NOT_MQTT5,
}
# A third of what calling RawMessage costs.
_make = partial(tuple.__new__, RawMessage)
_SUBSCRIBE_ID = 1
_PUBACK = 0x40020000


def frame_bytes(view: memoryview) -> int | None:
    """Whole length of the packet at the start of `view`; None while its length field is incomplete."""
    length = shift = 0
    for i, byte in enumerate(view[1:5]):
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return i + 2 + length
        shift += 7
    return None


class Connection(asyncio.Protocol):
    """Collects what arrives. `take` it, store it, then `acknowledge` it, in that order.

    Every waiting method raises ConnectionEnded once the connection is over and nothing is left to take.
    """

    def __init__(self, subscription: Subscription, now_ms: Callable[[], int]) -> None:
        self._subscription = subscription
        self._now_ms = now_ms
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._messages: list[RawMessage] = []
        self._ids: list[int] = []
        self._bytes = 0
        self._paused = self._hushed = self._left = False
        self._answer: mqtt5.ConnAckPacket | None = None
        self._subscribed = False
        self._owed = 0
        self._ended: Status | None = None
        self._news = asyncio.Event()
        self._closed = asyncio.Event()
        self.heard = False
        """Something has arrived since this was last set to False."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the interface without being subclasses.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        detail = f"connection closed by the broker{f' ({exc})' if exc else ''}"
        self._end(Status(State.LOST, Cause.BROKER_LEFT, detail))
        self._closed.set()

    def data_received(self, data: bytes) -> None:
        self.heard = True
        if self._ended or self._left:
            return
        if self._rest:
            data, self._rest = self._rest + data, b""
        view = memoryview(data)
        try:
            done = self._read(view)
        except ValueError as error:
            self._end(Status(State.LOST, Cause.MALFORMED, f"malformed packet from the broker: {error}"))
        except BaseException as error:
            # What mqtt5 raises for a topic that is not UTF-8: no Exception, and its class cannot be imported.
            if type(error).__name__ != "PanicException":
                raise
            self._end(Status(State.LOST, Cause.MALFORMED, "malformed packet from the broker: text is not UTF-8"))
        else:
            self._rest = data[done:]
        self._news.set()

    def _read(self, view: memoryview) -> int:
        """Take in every whole packet; returns where the first incomplete one begins."""
        read, publish = mqtt5.read, mqtt5.PublishPacket
        fields: list[tuple[str, bytes, int, bool]] = []
        ids, now_ms = self._ids.append, self._now_ms()
        at, end = 0, len(view)
        try:
            while at < end:
                packet, used = read(view[at:])
                at += used
                if type(packet) is publish:
                    fields.append((packet.topic, packet.payload, now_ms, packet.retain))
                    if (number := packet.packet_id) is not None:
                        ids(number)
                else:
                    self._take_in(packet)
        except IndexError:
            whole = frame_bytes(view[at:])
            if whole is not None and whole <= end - at:
                raise ValueError("inner length beyond the packet") from None
            if whole is not None and whole > self._subscription.max_packet_bytes:
                raise ValueError(f"packet of {whole} bytes, we had announced a maximum") from None
        finally:
            self._messages.extend(map(_make, fields))
        self._bytes += at
        if self._bytes > HIGH_BYTES or len(self._messages) > HIGH_MESSAGES:
            self._pause_reading()
        return at

    def _take_in(self, packet: mqtt5.Packet) -> None:
        match packet:
            case mqtt5.ConnAckPacket():
                self._answer = packet
            case mqtt5.SubAckPacket():
                self._check_subscription(packet)
            case mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER):
                name = self._subscription.client_id
                detail = f"another client connected as {name!r}: does a second server use the same client id?"
                self._end(Status(State.LOST, Cause.SESSION_TAKEN_OVER, detail))
            case mqtt5.DisconnectPacket():
                word = packet.reason_str or packet.reason_code.name.lower()
                self._end(Status(State.LOST, Cause.BROKER_LEFT, f"the broker disconnected: {word}"))
            case mqtt5.PingRespPacket():
                pass
            case _:
                raise ValueError(f"unexpected {type(packet).__name__}")

    def _end(self, status: Status) -> None:
        if self._ended is None:
            self._ended = status
            if self._transport is not None:
                self._transport.abort()
        self._news.set()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and self._ended is None:
            self._transport.write(data)

    async def log_in(self) -> mqtt5.ConnAckPacket:
        """Connect and resume (or begin) the session. Raises ConnectionEnded when refused."""
        wish, endpoint = self._subscription, self._subscription.endpoint
        packet = mqtt5.ConnectPacket(
            wish.client_id,
            username=endpoint.username,
            password=None if endpoint.password is None else endpoint.password.encode(),
            clean_start=False,
            keep_alive=wish.keep_alive_s,
            session_expiry_interval=wish.session_expiry_s,
            receive_max=wish.receive_max,
            max_packet_size=wish.max_packet_bytes,
        )
        self._write(packet.write())
        while self._answer is None:
            if self._ended:
                why = why_unanswered(self._ended.detail, endpoint.tls is not None)
                detail = f"{self._ended.detail} before it answered: {why}"
                raise ConnectionEnded(Status(State.REFUSED, Cause.BROKER_REFUSED, detail))
            await self._wait()
        code, reason = self._answer.reason_code, self._answer.reason_str
        if code != mqtt5.ConnAckReasonCode.SUCCESS:
            cause = _REFUSALS.get(int(code), Cause.BROKER_REFUSED)
            detail = f"the broker refused the connection: {reason or code.name.lower()}"
            raise ConnectionEnded(Status(State.REFUSED, cause, detail))
        return self._answer

    async def _wait(self) -> None:
        """Until something has happened."""
        self._news.clear()
        await self._news.wait()

    def subscribe(self) -> None:
        """Subscribe to all filters, QoS 1; retained messages come with a new subscription, not with each connection.

        A broker that resumes a session may first want the messages of it acknowledged, then answer (rumqttd).
        """
        filters = [
            mqtt5.TopicFilter(
                pattern,
                max_qos=mqtt5.QoS.AT_LEAST_ONCE,
                retain_as_published=False,
                retain_handling=mqtt5.RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS,
            )
            for pattern in self._subscription.filters
        ]
        self._write(mqtt5.SubscribePacket(_SUBSCRIBE_ID, filters).write())

    def _check_subscription(self, packet: mqtt5.SubAckPacket) -> None:
        filters, codes = self._subscription.filters, packet.reason_codes
        refused = [f"{f}: {c.name.lower()}" for f, c in zip(filters, codes, strict=False) if int(c) >= 0x80]
        if refused or len(codes) != len(filters):
            detail = f"the broker refused the subscription: {', '.join(refused) or 'not every filter was answered'}"
            self._end(Status(State.REFUSED, Cause.SUBSCRIPTION_REFUSED, detail))
        else:
            self._subscribed = True

    async def subscribed(self) -> None:
        """Wait until the broker has granted every filter. Raises ConnectionEnded when it does not."""
        while not self._subscribed:
            if self._ended:
                raise ConnectionEnded(self._ended)
            await self._wait()

    async def collected(self) -> int:
        """Wait until there are messages to take; returns how many. 0 only after `hush`."""
        while not self._messages and not self._hushed:
            if self._ended:
                raise ConnectionEnded(self._ended)
            await self._wait()
        return len(self._messages)

    def take(self) -> tuple[list[RawMessage], list[int]]:
        """All messages collected so far, and the packet ids to acknowledge once they are stored."""
        taken = self._messages, self._ids
        self._owed = len(self._ids)
        self._messages, self._ids, self._bytes = [], [], 0
        if self._paused and not self._hushed and self._transport is not None and self._ended is None:
            self._paused = False
            self._transport.resume_reading()
        return taken

    def hush(self) -> None:
        """Read nothing more, and end the wait of `collected`."""
        self._hushed = True
        self._pause_reading()
        self._news.set()

    def _pause_reading(self) -> None:
        if not self._paused and self._transport is not None and self._ended is None:
            self._paused = True
            self._transport.pause_reading()

    def acknowledge(self, ids: Sequence[int]) -> None:
        """One write of all PUBACKs, in the order of arrival (which rumqttd insists on)."""
        self._owed = 0
        if ids:
            self._write((np.array(ids, ">u4") | np.uint32(_PUBACK)).astype(">u4").tobytes())

    def ping(self) -> bool:
        """Ask for a sign of life. False when there was none since the last call: the connection is dead.

        While we owe acknowledgements silence means nothing: rumqttd answers no ping then.
        """
        if not (self.heard or self._paused or self._owed):
            self._end(Status(State.LOST, Cause.SILENT, "no answer to a ping"))
            return False
        self.heard = False
        self._write(mqtt5.PingReqPacket().write())
        return True

    async def leave(self) -> None:
        """Say goodbye and wait until the broker has closed, a little while at most; it keeps the session.

        What still comes in is read and thrown away: a socket closed over unread data is reset, and a reset may take
        our last acknowledgements with it.
        """
        self._write(mqtt5.DisconnectPacket().write())
        self._left = True
        if self._transport is None:
            return
        if self._paused and not self._transport.is_closing():
            self._transport.resume_reading()
        for wait_s in (LEAVE_S, LEAVE_S):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._closed.wait()
            self._transport.close()


def why_unanswered(detail: str, tls: bool) -> str:
    """What a broker may have that hangs up instead of answering."""
    if "[SSL" in detail:
        return "it does not take our certificate; [mqtt] cert_file is to be one made for logging in"
    certificate = "a certificate it does not take, " if tls else ""
    return f"wrong user or password, {certificate}or it does not speak MQTT 5"
