"""The server's clock: the wall clock as long as it runs evenly, and what the devices say when it jumps.

A jump is the wall clock moving otherwise than the machine's steady one by more than two minutes: somebody set it, or
the machine was asleep. Following a wrong one would make every reading a thing of the future or of long ago, so the
clock keeps its own course until what arrives agrees with the wall: the clock that the devices share is right.

`doubtful` says that nobody has spoken yet who could decide. What arrives then waits a little for company, because a
single message that came before the others would be judged by a clock that the next ones prove wrong.
"""

import time
from collections.abc import Callable, Mapping

JUMP_MS = 120_000
"""Smaller steps are followed at once: readings may be 5 minutes ahead and 15 behind without harm."""

AGREE_MS = 60_000
WITNESSES = 3
"""So many devices decide between two clocks by their majority; fewer, when nobody has spoken before, only as one."""

REMEMBERED = 200
"""The newest words of so many devices are weighed."""

DOUBT_MS = 60_000
"""So long after the first message nobody waits for witnesses any more: devices without clocks never become any."""


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
        self._asked = _Question(0)

    def __call__(self) -> int:
        steady, wall = self._steady_ms(), self._wall_ms()
        gap = wall - steady - self._ahead_ms
        if abs(gap) <= JUMP_MS:
            self._ahead_ms += gap
            if self.gap_ms:
                # A jump that comes later is another one, however alike: what was said about this one is no answer.
                self.gap_ms, self._asked = 0, _Question(0)
            return wall
        self.gap_ms = gap
        return steady + self._ahead_ms

    def doubtful(self) -> bool:
        """Whether what arrives now had better wait until some devices have spoken."""
        now_ms = self()
        return bool(self.gap_ms) and self._question().open(now_ms)

    def hear(self, stamped_ms: Mapping[str, int]) -> int:
        """Times that devices gave their newest messages, by device. Returns how far the clock moved, 0: it stays."""
        now_ms = self()
        if not self.gap_ms:
            return 0
        question = self._question()
        question.hear({device: ts_ms - now_ms for device, ts_ms in stamped_ms.items()}, now_ms)
        if not question.wall_is_right():
            return 0
        moved, self.gap_ms = self.gap_ms, 0
        self._ahead_ms += moved
        return moved

    def _question(self) -> "_Question":
        """The one about the gap as it is now; another gap is another question."""
        if abs(self._asked.gap_ms - self.gap_ms) > AGREE_MS:
            self._asked = _Question(self.gap_ms)
        return self._asked


class _Question:
    """Which of two clocks is right: what each device has said about it last, in ms ahead of the server's own course."""

    def __init__(self, gap_ms: int) -> None:
        self.gap_ms = gap_ms
        self._ahead_ms: dict[str, int] = {}
        self._first_ms: int | None = None
        self._decided = False

    def open(self, now_ms: int) -> bool:
        return not self._decided and (self._first_ms is None or now_ms - self._first_ms < DOUBT_MS)

    def hear(self, ahead_ms: Mapping[str, int], now_ms: int) -> None:
        if self._first_ms is None:
            self._first_ms = now_ms
        for device, ahead in ahead_ms.items():
            self._ahead_ms.pop(device, None)
            self._ahead_ms[device] = ahead
        for device in list(self._ahead_ms)[:-REMEMBERED]:
            del self._ahead_ms[device]

    def wall_is_right(self) -> bool:
        """By what has been said so far. A few devices that do not speak as one decide nothing."""
        said = self._ahead_ms.values()
        if len(said) >= WITNESSES:
            self._decided = True
            return 2 * sum(map(self._on_the_wall, said)) > len(said)
        if self._decided or not said:
            return False
        self._decided = any(abs(ahead) <= AGREE_MS for ahead in said)
        return all(abs(ahead - self.gap_ms) <= AGREE_MS for ahead in said)

    def _on_the_wall(self, ahead_ms: int) -> bool:
        """By the wall it is new; or, where that is ahead, older and yet too new for the server's own course."""
        return AGREE_MS < ahead_ms <= self.gap_ms + AGREE_MS or abs(ahead_ms - self.gap_ms) <= AGREE_MS
