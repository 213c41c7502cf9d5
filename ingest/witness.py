"""What the devices' own clocks say, read off raw messages."""

from collections.abc import Mapping, Sequence

import orjson

from citywarden.model.message import RawMessage
from ingest.timestamps import parse_ts

LOOKED_AT = 200
"""Messages of a batch that are looked at, the newest first."""


def stamped_ms(messages: Sequence[RawMessage]) -> Mapping[str, int]:
    """By topic the `ts` of its newest message, ms since 1970 UTC. Arrays, which are back-fills, do not count."""
    found: dict[str, int] = {}
    for message in messages[: -LOOKED_AT - 1 : -1]:
        if message.topic in found or not message.payload.startswith(b"{"):
            continue
        try:
            body = orjson.loads(message.payload)
        except orjson.JSONDecodeError:
            continue
        if (ts := parse_ts(body.get("ts"))) is not None:
            found[message.topic] = ts
    return found
