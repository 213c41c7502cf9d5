"""Blocks of the log, torn and flipped: the messages that were packed, or a ValueError; never others."""

import struct
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citywarden.log.framing import pack, unpack
from citywarden.model.message import RawMessage
from tests.fuzz.effort import tries

messages = st.lists(
    st.builds(RawMessage, st.text(max_size=20), st.binary(max_size=40), st.integers(-(2**62), 2**62), st.booleans()),
    min_size=1,
    max_size=6,
)


@tries(150)
@given(messages)
def test_there_and_back(batch: list[RawMessage]) -> None:
    assert unpack(pack(batch)) == tuple(batch)


@tries(300)
@given(messages, st.data())
def test_damage_is_noticed(batch: list[RawMessage], data: st.DataObject) -> None:
    block = bytearray(pack(batch))
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(block) - 1))
        block[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        block = block[: data.draw(st.integers(0, len(block) - 1))]
    with pytest.raises(ValueError, match=r"."):
        unpack(bytes(block))


@tries(300)
@given(st.binary(max_size=120))
def test_any_bytes_are_refused_or_read(block: bytes) -> None:
    try:
        unpack(block)
    except ValueError:
        return


@tries(300)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=100))
def test_a_block_whose_checksum_is_right_may_still_lie(count: int, words: int, body: bytes) -> None:
    """Made by somebody who can write to the disk: refused or read, and never an allocation of what it claims."""
    head = struct.pack("<III", 1, count, words)
    block = struct.pack("<I", crc32(head + body)) + head + body
    try:
        found = unpack(block)
    except ValueError:
        return
    assert len(found) <= len(block)
