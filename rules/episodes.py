"""Episodes: from when to when a rule held of a subject. What the alerts are told is the change of episodes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from citywarden.model.alert import Finding, Reason


@dataclass(frozen=True, slots=True)
class Episode:
    """`finding` says what was raised and when; `cleared_ms` None: it still holds (or only a person clears it).

    `name`: the condition, a rule or a variant of one. `task`: id of the task it is about, or "".
    """

    finding: Finding
    name: str
    task: str
    cleared_ms: int | None = None
    why: Reason = Reason.CLEARED

    @property
    def mark(self) -> tuple[str, str, int]:
        """Condition, subject and begin: what makes two episodes the same one."""
        return (self.name, self.finding.subject, self.finding.at_ms)


def cleared(episode: Episode, at_ms: int, why: Reason = Reason.CLEARED) -> Finding:
    """The finding that ends an episode."""
    return replace(episode.finding, severity=None, at_ms=at_ms, reason=why)


def changes(old: Iterable[Episode], new: Sequence[Episode]) -> list[Finding]:
    """Findings that lead from what was told before to what is known now.

    An episode that turns out never to have been is cancelled; one that was over before anyone knew is told with
    its end.
    """
    known = {episode.mark: episode for episode in old}
    found: list[Finding] = []
    current = {episode.mark for episode in new}
    for mark, episode in known.items():
        if mark not in current and episode.cleared_ms is None:
            found.append(cleared(episode, episode.finding.at_ms, Reason.CANCELLED))
    for episode in new:
        before = known.get(episode.mark)
        if before is None:
            found.append(episode.finding)
        if episode.cleared_ms is not None and (before is None or before.cleared_ms is None):
            found.append(cleared(episode, episode.cleared_ms, episode.why))
    return found
