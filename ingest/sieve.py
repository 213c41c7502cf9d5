"""What a device may say, sifted out of what it says, packet by packet in whatever pieces they come. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from citywarden.model.credential import Rights
from ingest.connectpacket import (
    CONNECT,
    LEVEL_5,
    PUBLISH,
    SUBSCRIBE,
    Malformed,
    frame,
    parse_subscribe,
    puback,
    suback,
)

MAX_HELD = 16 * 1024
"""Longest SUBSCRIBE or other packet that must be seen whole: a device may read one topic."""


@dataclass(slots=True)
class Sifted:
    """`passed`: bytes for the broker, in order. `answers`: whole packets for the device, in the broker's place.
    `refused`: (what, topic) of what did not pass.
    """

    passed: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


class Sieve:
    """One connection's way up. Payloads are not looked at, and runs of packets that may pass stay in one piece."""

    def __init__(self, rights: Rights, level: int) -> None:
        self._rights = rights
        self._level = level
        self._topics = frozenset(topic.encode() for topic in rights.publish)
        self._held = b""
        self._passing = 0
        self._dropping = 0

    def sift(self, data: bytes) -> Sifted:
        """Raises Malformed: the connection must end."""
        found = Sifted()
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
            sighted = frame(data, at)
            if sighted is None:
                break
            inside, end = sighted
            sort = data[at] & 0xF0
            if sort == PUBLISH:
                topic_end = _topic_end(data, inside, end)
                if topic_end is None:
                    break
                if not self._may_publish(data[inside + 2 : topic_end]):
                    found.passed.append(data[begin:at])
                    self._deny(data[at], data[inside + 2 : topic_end], data[topic_end : topic_end + 2], found)
                    begin = end
            else:
                if end - at > MAX_HELD or sort == CONNECT:
                    raise Malformed("a packet that cannot be")
                if size < end:
                    break
                if sort == SUBSCRIBE and not self._may_subscribe(data[inside:end], found):
                    found.passed.append(data[begin:at])
                    begin = end
            at = end
        self._keep(data, begin, at, found)
        return found

    def _keep(self, data: bytes, begin: int, at: int, found: Sifted) -> None:
        """`data[begin:at]` passes; `at` may lie beyond the end, and what lies beyond `at` waits for more."""
        size = len(data)
        if at > size:
            if begin >= at:
                self._dropping, begin = at - size, size
            else:
                self._passing = at - size
            at = size
        if at > begin:
            found.passed.append(data[begin:at])
        if at < size:
            self._held = data[at:]

    def _may_publish(self, topic: bytes) -> bool:
        # An empty topic stands for an alias, which a message that has passed has set.
        return topic in self._topics or (not topic and self._level == LEVEL_5)

    def _deny(self, first: int, topic: bytes, packet_id: bytes, found: Sifted) -> None:
        """A message that may not pass. QoS 2 would need a conversation of its own: the connection ends instead."""
        qos = first >> 1 & 3
        if qos > 1:
            raise Malformed("QoS 2 where nothing may be published")
        found.refused.append(("refused publication", topic.decode("utf-8", "replace")))
        if qos == 1:
            found.answers.append(puback(self._level, int.from_bytes(packet_id)))

    def _may_subscribe(self, contents: bytes, found: Sifted) -> bool:
        asked = parse_subscribe(contents, self._level)
        wrong = [one for one in asked.filters if one not in self._rights.subscribe]
        if wrong:
            found.refused.append(("refused subscription", ", ".join(wrong)))
            found.answers.append(suback(self._level, asked))
        return not wrong


def _topic_end(data: bytes, inside: int, end: int) -> int | None:
    """Where a PUBLISH's topic ends; None when that, or the packet id behind it, is not there yet."""
    if len(data) < inside + 2:
        return None
    topic_end = inside + 2 + int.from_bytes(data[inside : inside + 2])
    if topic_end > end:
        raise Malformed("a topic beyond the packet")
    return topic_end if len(data) >= min(end, topic_end + 2) else None


class Seam:
    """The way down: answers of our own are put in between two packets of the broker's."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._rest = 0
        self._head = b""

    def answer(self, packets: Sequence[bytes]) -> bytes:
        """What of it can be written at once; the rest comes with the end of the packet that is under way."""
        if self._rest or self._head:
            self._waiting.extend(packets)
            return b""
        return b"".join(packets)

    def pass_on(self, data: bytes) -> bytes:
        """The broker's bytes, with what waited."""
        at, size = 0, len(data)
        out = b""
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
            if self._waiting and not self._rest and not self._head:
                out += data[:at] + b"".join(self._waiting)
                data, at, size = data[at:], 0, size - at
                self._waiting.clear()
        return out + data if out else data
