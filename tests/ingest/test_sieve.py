"""The sieve between a device and the broker: the same bytes pass, in whatever pieces they come."""

from itertools import pairwise

import mqtt5
from hypothesis import given
from hypothesis import strategies as st

from citywarden.model.credential import narrowed
from ingest.connectpacket import puback
from ingest.sieve import Seam, Sieve, Sifted

G1 = "t/gas/g1"
OWN, FOREIGN = f"city/{G1}/telemetry", "city/t/gas/g2/telemetry"


def message(topic: str, size: int, qos: int, number: int) -> bytes:
    packet_id = number if qos else None
    return bytes(mqtt5.PublishPacket(topic, b"x" * size, qos=mqtt5.QoS(qos), packet_id=packet_id).write())


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


def sifted(parts: list[bytes]) -> Sifted:
    sieve, all_of_it = Sieve(narrowed(G1, G1), 5), Sifted()
    for part in parts:
        found = sieve.sift(part)
        all_of_it.passed += found.passed
        all_of_it.answers += found.answers
        all_of_it.refused += found.refused
    return all_of_it


MESSAGES = st.lists(st.tuples(st.booleans(), st.integers(0, 300), st.integers(0, 1)), min_size=1, max_size=8)
CUTS = st.lists(st.integers(0, 5000), max_size=12)


@given(MESSAGES, CUTS)
def test_own_messages_pass_and_foreign_ones_are_answered_and_dropped(
    said: list[tuple[bool, int, int]], cuts: list[int]
) -> None:
    sent = [
        (own, qos, number, message(OWN if own else FOREIGN, size, qos, number))
        for number, (own, size, qos) in enumerate(said, 1)
    ]
    found = sifted(pieces(b"".join(packet for *_, packet in sent), cuts))
    assert b"".join(found.passed) == b"".join(packet for own, *_, packet in sent if own)
    assert found.answers == [puback(5, number) for own, qos, number, _ in sent if qos and not own]
    assert found.refused == [("refused publication", FOREIGN) for own, *_ in sent if not own]


@given(MESSAGES, CUTS)
def test_an_answer_of_our_own_never_splits_a_packet_of_the_brokers(
    said: list[tuple[bool, int, int]], cuts: list[int]
) -> None:
    packets = [message(OWN, size, qos, number) for number, (_, size, qos) in enumerate(said, 1)]
    own = puback(5, 60_000)
    seam, out = Seam(), b""
    for part in pieces(b"".join(packets), cuts):
        out += seam.pass_on(part) + seam.answer([own])
    for packet in packets:
        while out.startswith(own):
            out = out[len(own) :]
        assert out.startswith(packet)
        out = out[len(packet) :]
    assert not out.replace(own, b"")
