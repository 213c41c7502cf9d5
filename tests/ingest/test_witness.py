"""The devices' clocks, read off raw messages."""

from citywarden.model.message import RawMessage
from ingest.witness import stamped_ms
from tests.builders import NOON_MS


def message(device: str, payload: bytes) -> RawMessage:
    return RawMessage(f"city/t/gas/{device}/telemetry", payload, 0)


def test_the_newest_stamp_of_each_device_counts() -> None:
    batch = [
        message("a", b'{"ts": %d}' % NOON_MS),
        message("b", b'{"ts": "2026-11-23T12:00:01+08:00"}'),
        message("a", b'{"ts": %d}' % (NOON_MS + 5000)),
    ]
    assert sorted(stamped_ms(batch).values()) == [NOON_MS + 1000, NOON_MS + 5000]


def test_what_says_no_time_of_its_own_is_passed_over() -> None:
    batch = [
        message("a", b'[{"ts": %d}]' % NOON_MS),
        message("b", b"{nonsense"),
        message("c", b'{"methane_lel_pct": 1}'),
        message("d", b'{"ts": "yesterday"}'),
        message("e", b'{"ts": 12}'),
        message("f", b""),
    ]
    assert stamped_ms(batch) == {}
