"""What was appended last, still in memory: who reads the log as it grows needs neither the file nor unpacking."""

from collections import deque
from collections.abc import Sequence
from itertools import islice

from citywarden.log.contract import Slice

MESSAGES = 40_000
BYTES = 16 * 1024 * 1024
"""Payload kept at most; the newest slice is kept whatever its size."""


class Tail:
    """The newest slices of one partition, each after the last without a hole."""

    def __init__(self, messages: int = MESSAGES, size: int = BYTES) -> None:
        self._most = (messages, size)
        self._slices: deque[tuple[Slice, int]] = deque()
        self._held = [0, 0]

    def add(self, part: Slice) -> None:
        """What was just appended; after a hole (another process has appended) what came before it is forgotten."""
        if self._slices and self._slices[-1][0].end != part.first:
            self.clear()
        size = sum([len(message.payload) for message in part.messages])
        self._slices.append((part, size))
        self._hold(len(part.messages), size)
        while len(self._slices) > 1 and (self._held[0] > self._most[0] or self._held[1] > self._most[1]):
            self._drop_oldest()

    def _hold(self, messages: int, size: int) -> None:
        self._held[0] += messages
        self._held[1] += size

    def holds(self, start: int) -> bool:
        """Whether all there is from offset `start` on is here."""
        return bool(self._slices) and self._slices[0][0].first <= start

    def read(self, start: int, limit: int) -> Sequence[Slice]:
        """Slices from offset `start` on, the first cut there, about `limit` messages; nothing when it is not here."""
        if not self.holds(start) or start >= self._slices[-1][0].end:
            return ()
        found: list[Slice] = []
        count = 0
        at = next(i for i, (part, _) in enumerate(self._slices) if part.end > start)
        for part, _ in islice(self._slices, at, None):
            passed = max(0, start - part.first)
            found.append(Slice(part.partition, start, part.messages[passed:]) if passed else part)
            count += len(part.messages) - passed
            if count >= limit:
                break
        return found

    def drop(self, before: int) -> None:
        """Forget the slices that end at offset `before` or earlier."""
        while self._slices and self._slices[0][0].end <= before:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        gone, size = self._slices.popleft()
        self._hold(-len(gone.messages), -size)

    def clear(self) -> None:
        """Forget everything: the file knows it all."""
        self._slices.clear()
        self._held = [0, 0]
