"""What a gate must read of MQTT 3.1.1 and 5: who connects, what is published and subscribed. Pure: bytes in and out."""

from dataclasses import dataclass

CONNECT, PUBLISH, SUBSCRIBE = 0x10, 0x30, 0x80
LEVEL_5 = 5
_NAMES = {b"MQTT": (4, 5), b"MQIsdp": (3,)}


class Malformed(ValueError):
    """Bytes that are no MQTT."""


@dataclass(frozen=True, slots=True)
class Connect:
    """A CONNECT taken apart. `head` ends before the flags, `middle` is all between flags and client id, `will` all
    between client id and user name.
    """

    level: int
    client_id: str
    username: str | None
    password: bytes | None
    will_topic: str | None
    head: bytes
    flags: int
    middle: bytes
    will: bytes

    def rewritten(self, username: str, password: str, client_id: str) -> bytes:
        """The same CONNECT with another user, password and client id."""
        secret = _field(username) + _field(password)
        rest = self.head + bytes([self.flags | 0xC0]) + self.middle + _field(client_id) + self.will + secret
        return bytes([CONNECT]) + varint(len(rest)) + rest


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A SUBSCRIBE: its packet id and topic filters."""

    packet_id: int
    filters: tuple[str, ...]


def _field(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2) + data


def varint(value: int) -> bytes:
    """MQTT's variable byte integer."""
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def frame(data: bytes | bytearray | memoryview, at: int) -> tuple[int, int] | None:
    """(where the contents of the packet at `at` begin, where they end); None while the length is incomplete."""
    length = shift = 0
    for i in range(at + 1, min(at + 5, len(data))):
        byte = data[i]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return i + 1, i + 1 + length
        shift += 7
    if len(data) >= at + 5:
        raise Malformed("a length of more than four bytes")
    return None


class _Reader:
    """Reads fields one after the other; raises Malformed at the end of the bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise Malformed("a field beyond the packet")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def blob(self) -> bytes:
        return self.take(self.number(2))

    def text(self) -> str:
        try:
            word = self.blob().decode()
        except UnicodeDecodeError:
            raise Malformed("text that is not UTF-8") from None
        if "\0" in word:
            raise Malformed("a null in a text")
        return word

    def skip_properties(self) -> None:
        length = shift = 0
        for _ in range(4):
            byte = self.number(1)
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                self.take(length)
                return
        raise Malformed("a length of more than four bytes")


def parse_connect(contents: bytes) -> Connect:
    """A CONNECT's contents. Raises Malformed."""
    reader = _Reader(contents)
    name, level = reader.blob(), reader.number(1)
    if level not in _NAMES.get(name, ()):
        raise Malformed("neither MQTT 3.1, 3.1.1 nor 5")
    head = contents[: reader.at]
    flags = reader.number(1)
    if flags & 1 or (not flags & 0x04 and flags & 0x38) or (flags & 0x18) == 0x18:
        raise Malformed("flags that cannot be")
    begin = reader.at
    reader.take(2)
    if level == LEVEL_5:
        reader.skip_properties()
    middle = contents[begin : reader.at]
    client_id = reader.text()
    begin, will_topic = reader.at, None
    if flags & 0x04:
        if level == LEVEL_5:
            reader.skip_properties()
        will_topic = reader.text()
        reader.blob()
    will = contents[begin : reader.at]
    username = reader.text() if flags & 0x80 else None
    password = reader.blob() if flags & 0x40 else None
    if reader.at != len(contents):
        raise Malformed("bytes after the last field")
    return Connect(level, client_id, username, password, will_topic, head, flags, middle, will)


def parse_subscribe(contents: bytes, level: int) -> Subscribe:
    """A SUBSCRIBE's contents. Raises Malformed."""
    reader = _Reader(contents)
    packet_id = reader.number(2)
    if level == LEVEL_5:
        reader.skip_properties()
    filters = []
    while reader.at < len(contents):
        filters.append(reader.text())
        reader.take(1)
    if not filters:
        raise Malformed("a SUBSCRIBE without a filter")
    return Subscribe(packet_id, tuple(filters))


def connack(level: int, code: int) -> bytes:
    """A refusal: `code` of MQTT 3.1.1 (2 client id, 3 unavailable, 4 user or password, 5 not authorised)."""
    if level == LEVEL_5:
        return bytes([0x20, 3, 0, {2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87}[code], 0])
    return bytes([0x20, 2, 0, code])


def suback(level: int, asked: Subscribe) -> bytes:
    """A SUBACK that refuses every filter."""
    reasons = bytes([0x87 if level == LEVEL_5 else 0x80]) * len(asked.filters)
    properties = b"\0" if level == LEVEL_5 else b""
    rest = asked.packet_id.to_bytes(2) + properties + reasons
    return b"\x90" + varint(len(rest)) + rest


def puback(level: int, packet_id: int) -> bytes:
    """What a refused QoS 1 message is answered with: version 3.1.1 has no word for no, 5 says 'not authorised'."""
    if level == LEVEL_5:
        return b"\x40\x03" + packet_id.to_bytes(2) + b"\x87"
    return b"\x40\x02" + packet_id.to_bytes(2)
