"""The server checks again what the broker let through: a topic must name a registered device, all of it."""

import pytest

from citywarden.log.contract import Slice
from citywarden.model.message import RawMessage, Reject
from ingest.decode import Decoder
from tests.builders import KINDS, NOON_MS, device

G1 = device("gas", "g1")
OFF = device("gas", "off", enabled=False)
KNOWN = {G1.key: G1, OFF.key: OFF}


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("city/t/gas/g1/telemetry", None),
        ("city/other/gas/g1/telemetry", Reject.UNKNOWN_DEVICE),
        ("city/t/waterlogging/g1/telemetry", Reject.UNKNOWN_DEVICE),
        ("city/t/gas/g2/telemetry", Reject.UNKNOWN_DEVICE),
        ("city/t/gas/off/telemetry", Reject.DISABLED_DEVICE),
        ("city/t/gas/g1/elsewhere", Reject.BAD_TOPIC),
        ("city/t/boat/g1/telemetry", Reject.UNKNOWN_KIND),
    ],
)
def test_a_topic_that_names_no_registered_device_is_a_dead_letter(topic: str, reason: Reject | None) -> None:
    message = RawMessage(topic, b'{"methane_lel_pct": 7, "battery_v": 3}', NOON_MS)
    decoded = Decoder(KINDS, KNOWN.get).decode(Slice(0, 0, (message,)))
    assert [letter.reason for letter in decoded.dead] == ([] if reason is None else [reason])
    assert len(decoded.columns) == (reason is None)


@pytest.mark.parametrize("topic", ["city/t/claim", "city/t/claim/S1/result"])
def test_claims_are_answered_elsewhere(topic: str) -> None:
    decoded = Decoder(KINDS, KNOWN.get).decode(Slice(0, 0, (RawMessage(topic, b"{}", NOON_MS),)))
    assert (decoded.dead, decoded.columns, decoded.commands) == ((), (), 1)
