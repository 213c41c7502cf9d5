"""A batch of messages as one block of bytes, and back. Columnar, so both ways are a few calls, not a loop of packing.

    checksum u32 | version u32 | messages u32 | bytes of topics u32
    received_ms i64[n] | topic lengths (characters) u32[n] | payload lengths u32[n] | retained u8[n]
    topics, UTF-8, end to end | payloads, end to end

Little-endian. The checksum (CRC-32) covers all that follows it.
"""

import struct
from collections.abc import Sequence
from functools import partial
from itertools import accumulate, pairwise
from zlib import crc32

import numpy as np

from citywarden.model.message import RawMessage

VERSION = 1
_HEAD = struct.Struct("<IIII")
_ROW_BYTES = 8 + 4 + 4 + 1
_make = partial(tuple.__new__, RawMessage)


def pack(messages: Sequence[RawMessage]) -> bytes:
    """The messages, at least one, as one block."""
    topics, payloads, received, retained = zip(*messages, strict=True)
    n = len(messages)
    words = "".join(topics).encode("utf-8", "surrogatepass")
    body = b"".join(
        (
            np.array(received, "<i8").tobytes(),
            np.fromiter(map(len, topics), "<u4", n).tobytes(),
            np.fromiter(map(len, payloads), "<u4", n).tobytes(),
            bytes(retained),
            words,
            *payloads,
        )
    )
    head = _HEAD.pack(0, VERSION, n, len(words))[4:]
    return b"".join((struct.pack("<I", crc32(body, crc32(head))), head, body))


def unpack(block: bytes) -> tuple[RawMessage, ...]:
    """The messages of a block. ValueError when it was not made by `pack` or is damaged."""
    if len(block) < _HEAD.size:
        raise ValueError(f"{len(block)} bytes, shorter than its head")
    checksum, version, n, words_size = _HEAD.unpack_from(block)
    if crc32(memoryview(block)[4:]) != checksum:
        raise ValueError("checksum does not match")
    if version != VERSION:
        raise ValueError(f"version {version}, this program reads version {VERSION}")
    at = _HEAD.size
    received = np.frombuffer(block, "<i8", n, at).tolist()
    topic_ends = accumulate(np.frombuffer(block, "<u4", n, at + 8 * n).tolist(), initial=0)
    words_at = at + _ROW_BYTES * n
    payload_lengths = np.frombuffer(block, "<u4", n, at + 12 * n).tolist()
    payload_ends = accumulate(payload_lengths, initial=words_at + words_size)
    retained = map(bool, block[at + 16 * n : words_at])
    words = block[words_at : words_at + words_size].decode("utf-8", "surrogatepass")
    topics = [words[a:b] for a, b in pairwise(topic_ends)]
    payloads = [block[a:b] for a, b in pairwise(payload_ends)]
    return tuple(map(_make, zip(topics, payloads, received, retained, strict=True)))
