"""Room on the disks: what is kept free for the alerts, and how much there is."""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from citywarden.model.errors import Unavailable

LOOK_EVERY_S = 1.0
MB = 1 << 20


def free_mb(folder: Path) -> float:
    """Room on the folder's disk, MiB; without bound where nobody can say."""
    try:
        return shutil.disk_usage(folder).free / MB
    except OSError:
        return float("inf")


class Reserve:
    """Takes in no more messages while a disk has less free than the reserve: they wait in the broker, and what is left
    is for judging what is here, for alerts and for trimming the log, which frees room again.
    """

    def __init__(
        self, folders: Sequence[Path], reserve_mb: int,
        look: Callable[[Path], float] = free_mb, clock_s: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._folders = tuple(folders)
        self._reserve_mb = reserve_mb
        self._look = look
        self._clock_s = clock_s
        self._looked_s = -LOOK_EVERY_S
        self.free_mb = float("inf")

    def check(self) -> None:
        """Raises Unavailable when there is too little."""
        now_s = self._clock_s()
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            self.free_mb = min(map(self._look, self._folders))
        if self.free_mb < self._reserve_mb:
            raise Unavailable(
                f"the disk is nearly full: {self.free_mb:.0f} MB free, {self._reserve_mb} MB are kept for the alerts "
                "([log] reserve_mb); messages wait in the broker"
            )
