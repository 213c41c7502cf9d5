"""Messages for the decoder, and the devices it knows."""

from citywarden.log.contract import Slice
from citywarden.model.message import RawMessage
from ingest.decode import Decoded, Decoder
from tests.builders import KINDS, device

DEVICES = [device(kind, f"{kind}-{i}") for kind in KINDS for i in range(3)]


KNOWN = {d.key: d for d in DEVICES} | {(off := device("gas", "off", enabled=False)).key: off}


def topic(kind: str, name: str = "d1", channel: str = "telemetry") -> str:
    return f"city/t/{kind}/{name}/{channel}"


def decode(*messages: RawMessage) -> Decoded:
    return Decoder(KINDS, KNOWN.get).decode(Slice(0, 1000, messages))
