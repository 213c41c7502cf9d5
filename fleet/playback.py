"""A track that a real vehicle recorded, sent as if it drove now."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from citywarden.model.kind import JsonScalar
from citywarden.model.message import Address, Channel
from fleet.tracks import Track, TrackRow

Publish = Callable[[str, bytes, bool], Awaitable[None]]
"""`publish(topic, payload, retain)`: returns when the broker has taken the message."""

Sleep = Callable[[float], Awaitable[None]]
VEHICLE = "vehicle"


@dataclass(frozen=True, slots=True)
class Fix:
    """One recorded reading. `due_ms`: when to send it; `ts_ms`: the event time it carries. Both ms since 1970."""

    device: str
    due_ms: int
    ts_ms: int
    values: Mapping[str, JsonScalar]


def retime(rows: Sequence[TrackRow], start_ms: int, speed_up: float = 1.0, original_times: bool = False) -> list[Fix]:
    """Rows (in order of time) as fixes that are sent from `start_ms` on, `speed_up` (>= 1) times as fast as recorded.

    The event times keep the recorded intervals, whatever the speed-up, so that speeds, durations and coverage are
    judged as driven. They are shifted as a whole so that the last fix carries the moment it is sent: played at 1,
    the first fix is now; played faster, the first lies in the past and the event time catches up with the clock.
    With `original_times` they are not shifted at all. Raises ValueError for a speed-up below 1.
    """
    if not (speed_up >= 1.0 and math.isfinite(speed_up)):
        raise ValueError("the speed-up must be 1 or more: slower, the event time would run ahead of the clock")
    if not rows:
        return []
    first, last = rows[0].ts_ms, rows[-1].ts_ms
    shift = 0 if original_times else start_ms + round((last - first) / speed_up) - last
    return [
        Fix(row.device, start_ms + round((row.ts_ms - first) / speed_up), row.ts_ms + shift, row.values) for row in rows
    ]


def choose(track: Track, device: str | None = None) -> list[TrackRow]:
    """Rows of a track in order of time, of all vehicles or of one. Raises ValueError that names those there are."""
    if device is not None and device not in track.devices:
        raise ValueError(f"no device {device!r} in the track: it has {', '.join(track.devices) or 'none'}")
    return [row for row in track.rows() if device is None or row.device == device]


async def play(
    fixes: Sequence[Fix],
    tenant: str,
    publish: Publish,
    clock_ms: Callable[[], int],
    sleep: Sleep,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Send each fix when it is due; returns how many were sent. `progress` hears the count after each."""
    for count, fix in enumerate(fixes, 1):
        wait_ms = fix.due_ms - clock_ms()
        if wait_ms > 0:
            await sleep(wait_ms / 1000.0)
        topic = Address(tenant, VEHICLE, fix.device, Channel.TELEMETRY).topic
        await publish(topic, orjson.dumps({"ts": fix.ts_ms, **fix.values}), False)
        progress(count)
    return len(fixes)
