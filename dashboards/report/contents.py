"""What a report on recorded work holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from citywarden.model.alert import Finding
from citywarden.model.ruling import Titles
from citywarden.model.work import Task, TaskReport, TrackPoint, Verdict, Zone


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert that would have been raised. `cleared_ms` None: it was still open at the end."""

    finding: Finding
    vehicle: str
    task: str
    cleared_ms: int | None


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row of a track file that could not be used."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Contents:
    """A judged recording. `reports[i]` is of `tasks[i]`; `tracks` by vehicle; times are shown in `zone`;
    `titles`: what the rules are called.
    """

    title: str
    zone: ZoneInfo
    tasks: Sequence[Task]
    reports: Sequence[TaskReport]
    zones: Sequence[Zone]
    alerts: Sequence[Raised]
    rejected: Sequence[RejectedRow]
    tracks: Mapping[str, Sequence[TrackPoint]]
    titles: Titles = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """There are tasks, every one is met, and every row could be used."""
        return bool(self.reports) and not self.rejected and all(r.status is Verdict.MET for r in self.reports)
