"""Messages as they come off the wire, their addresses, and why one is refused."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

MAX_PAYLOAD_BYTES = 256 * 1024
"""Largest accepted payload (contract.md, MQTT)."""

MAX_FUTURE_MS = 5 * 60 * 1000
"""Device time may be this far ahead of receive time (contract.md, MQTT)."""


class Channel(StrEnum):
    """Last part of a device topic."""

    TELEMETRY = "telemetry"
    EVENT = "event"
    STATUS = "status"
    COMMAND = "command"
    COMMAND_RESULT = "command/result"


class Reject(StrEnum):
    """Why a message, or one item of it, went to the dead letters. Logs and metrics use the same words."""

    BAD_TOPIC = "bad_topic"
    UNKNOWN_KIND = "unknown_kind"
    UNKNOWN_DEVICE = "unknown_device"
    DISABLED_DEVICE = "disabled_device"
    OVERSIZE = "oversize"
    BAD_UTF8 = "bad_utf8"
    BAD_JSON = "bad_json"
    TOO_DEEP = "too_deep"
    NOT_AN_OBJECT = "not_an_object"
    EMPTY = "empty"
    BAD_TS = "bad_ts"
    FUTURE_TS = "future_ts"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    MISSING_FIELD = "missing_field"
    REJECTED_BY_STORE = "rejected_by_store"
    RATE_LIMITED = "rate_limited"


class RawMessage(NamedTuple):
    """One MQTT message as received. `received_ms`: server clock, ms since 1970 UTC.

    A tuple because it is made three times for every message: half the cost of a frozen dataclass.
    """

    topic: str
    payload: bytes
    received_ms: int
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """`city/{tenant}/{kind}/{device}/{channel}` taken apart."""

    tenant: str
    kind: str
    device: str
    channel: Channel

    @property
    def topic(self) -> str:
        return f"city/{self.tenant}/{self.kind}/{self.device}/{self.channel}"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A refused message or array item. `partition`, `offset`, `item` (-1: the whole message) name it for good.

    `payload` holds the raw bytes of the whole message, at most MAX_PAYLOAD_BYTES of them; `detail` says which field,
    value and expectation.
    """

    partition: int
    offset: int
    item: int
    topic: str
    payload: bytes
    received_ms: int
    reason: Reject
    detail: str


def parse_topic(topic: str) -> Address | None:
    """Take a device topic apart; None when it is not one (wrong root, depth, empty or odd part)."""
    parts = topic.split("/", 4)
    if len(parts) != 5 or parts[0] != "city" or not (parts[1] and parts[2] and parts[3]):
        return None
    try:
        return Address(parts[1], parts[2], parts[3], Channel(parts[4]))
    except ValueError:
        return None
