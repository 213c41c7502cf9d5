"""How many messages a device may send: those beyond its limit never reach the log, and none goes uncounted.

A flood leaves two dead letters a minute and topic: the first message that was refused, at once, and the last one with
the exact count, when the minute is over. So a device gone mad fills neither the log nor the dead letters.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from citywarden.model.message import MAX_PAYLOAD_BYTES, DeadLetter, RawMessage, Reject

NO_OFFSET = -1
"""Partition of letters whose messages were never in the log."""

WINDOW_MS = 60_000
SETTLING_MS = 5_000
GRACE_MS = 10 * 60_000
CALM = 100
"""After a connection the broker hands over what it kept for us, at any speed: until a batch is smaller than this."""

MAX_TOPICS = 500_000
"""Topics counted at a time; beyond that the counting begins anew, which only lets more through."""


@dataclass(frozen=True, slots=True)
class Screened:
    """`kept`: what may go into the log, in its order. `letters`: samples of what may not; `refused`: how many."""

    kept: Sequence[RawMessage]
    letters: Sequence[DeadLetter] = ()
    refused: int = 0


@dataclass(slots=True)
class _Flood:
    last: RawMessage
    count: int


class Limiter:
    """At most `per_min` messages a topic in each minute of the server's clock; 0: any number.

    What the broker kept while we were away is not limited: for at most ten minutes after `connected`.
    """

    def __init__(self, per_min: int) -> None:
        self._per_min = per_min
        self._counts: Counter[str] = Counter()
        self._floods: dict[str, _Flood] = {}
        self._window = 0
        self._connected_ms: int | None = None
        self._made = 0

    def connected(self, now_ms: int) -> None:
        """A connection to the broker has begun."""
        self._connected_ms = now_ms

    def screen(self, batch: Sequence[RawMessage], now_ms: int) -> Screened:
        """Count a batch, and tell what of it is beyond the limit."""
        if not self._per_min or self._catching_up(len(batch), now_ms):
            return Screened(batch)
        window = now_ms // WINDOW_MS
        letters = self._close() if window != self._window else []
        self._window = window
        counts = self._counts
        if len(counts) > MAX_TOPICS:
            counts.clear()
        topics = [message[0] for message in batch]
        counts.update(topics)
        if max(map(counts.__getitem__, topics), default=0) <= self._per_min:
            return Screened(batch, letters)
        return self._part(batch, topics, letters)

    def _catching_up(self, size: int, now_ms: int) -> bool:
        since_ms = self._connected_ms
        if since_ms is None:
            return False
        if (size < CALM and now_ms - since_ms >= SETTLING_MS) or now_ms - since_ms >= GRACE_MS:
            self._connected_ms = None
            return False
        return True

    def _part(self, batch: Sequence[RawMessage], topics: Sequence[str], letters: list[DeadLetter]) -> Screened:
        here = Counter(topics)
        seen = {topic: self._counts[topic] - count for topic, count in here.items()}
        kept: list[RawMessage] = []
        refused = 0
        for message in batch:
            seen[message.topic] += 1
            if seen[message.topic] <= self._per_min:
                kept.append(message)
                continue
            refused += 1
            flood = self._floods.get(message.topic)
            if flood is None:
                self._floods[message.topic] = _Flood(message, 1)
                letters.append(self._letter(message, "this one and what follows in this minute is refused"))
            else:
                flood.last, flood.count = message, flood.count + 1
        return Screened(kept, letters, refused)

    def _close(self) -> list[DeadLetter]:
        """The minute is over: what was refused in it."""
        letters = [
            self._letter(flood.last, f"{flood.count} were refused, this is the last")
            for flood in self._floods.values() if flood.count > 1
        ]  # fmt: skip
        self._counts.clear()
        self._floods.clear()
        return letters

    def _letter(self, message: RawMessage, what: str) -> DeadLetter:
        self._made += 1
        offset = message.received_ms * 1000 + self._made % 1000
        detail = f"more than {self._per_min} messages a minute: {what}"
        payload = message.payload[:MAX_PAYLOAD_BYTES]
        return DeadLetter(
            NO_OFFSET, offset, -1, message.topic, payload, message.received_ms, Reject.RATE_LIMITED, detail
        )
