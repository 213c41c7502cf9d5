"""The server's clock: the wall clock as long as it runs evenly, and what the devices say when it jumps.

A jump is the wall clock moving otherwise than the machine's steady one by more than two minutes: somebody set it, or
the machine was asleep. Following a wrong one would make every reading a thing of the future or of long ago, so the
clock keeps its own course until what arrives agrees with the wall: the clock that the devices share is right.
"""

import statistics
import time
from collections.abc import Callable, Sequence

JUMP_MS = 120_000
"""Smaller steps are followed at once: readings may be 5 minutes ahead and 15 behind without harm."""

AGREE_MS = 60_000
WITNESSES = 3
"""So many devices at least decide between two clocks."""


def steady_ms() -> int:
    """A clock that nobody sets and that goes on while the machine sleeps, ms since some moment."""
    number = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(number) // 1_000_000


class ServerClock:
    """Callable: ms since 1970 UTC. `gap_ms`: how far the wall is ahead of it while the wall is not followed."""

    def __init__(self, wall_ms: Callable[[], int], steady: Callable[[], int] = steady_ms) -> None:
        self._wall_ms = wall_ms
        self._steady_ms = steady
        self._ahead_ms = wall_ms() - steady()
        self.gap_ms = 0

    def __call__(self) -> int:
        steady, wall = self._steady_ms(), self._wall_ms()
        gap = wall - steady - self._ahead_ms
        if abs(gap) <= JUMP_MS:
            self._ahead_ms += gap
            self.gap_ms = 0
            return wall
        self.gap_ms = gap
        return steady + self._ahead_ms

    def hear(self, stamped_ms: Sequence[int]) -> int:
        """Times that different devices gave their newest messages. Returns how far the clock moved: 0 when it stays."""
        now_ms = self()
        if not self.gap_ms or len(stamped_ms) < WITNESSES:
            return 0
        ahead = statistics.median(stamped_ms) - now_ms
        if abs(ahead) <= AGREE_MS or abs(ahead - self.gap_ms) > AGREE_MS:
            return 0
        moved, self.gap_ms = self.gap_ms, 0
        self._ahead_ms += moved
        return moved
