"""Flapping: what comes and goes again and again is told once, and then only when it has made up its mind."""

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from enum import StrEnum

from citywarden.model.alert import Severity

Key = tuple[str, str, str]
Turn = tuple[int, Severity]
"""When (server time, ms) something asked for attention, and how severe it was."""


class Pulse(StrEnum):
    """What a turn means. `begins`: told, as the last one for now; `worse`: told, more severe than any before."""

    STEADY = "steady"
    BEGINS = "begins"
    FLAPS = "flaps"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class Habit:
    """From how many `turns` within a time something flaps, and after which calm it no longer does. `turns` 0: never."""

    turns: int = 6
    within_ms: int = 30 * 60_000
    calm_ms: int = 15 * 60_000


class Turns:
    """The turns of every key upon those of `base`, which stays as it is until `accept_into`."""

    def __init__(self, habit: Habit, base: Mapping[Key, tuple[Turn, ...]]) -> None:
        self._habit = habit
        self._base = base
        self._mine: dict[Key, tuple[Turn, ...]] = {}

    def note(self, key: Key, now_ms: int, severity: Severity) -> Pulse:
        """Take a turn in."""
        habit, before = self._habit, self._of(key)
        if not habit.turns:
            return Pulse.STEADY
        flapping = self.flapping(key, now_ms)
        kept = habit.turns - 1
        self._mine[key] = (*before[-kept:], (now_ms, severity)) if kept else ((now_ms, severity),)
        if flapping:
            return Pulse.WORSE if all(severity > worst for _, worst in before) else Pulse.FLAPS
        return Pulse.BEGINS if self.flapping(key, now_ms) else Pulse.STEADY

    def flapping(self, key: Key, now_ms: int) -> bool:
        """Whether it flaps: the last turns came close together, and it has not been calm since."""
        habit, turns = self._habit, self._of(key)
        if not habit.turns or len(turns) < habit.turns:
            return False
        (first_ms, _), (last_ms, _) = turns[0], turns[-1]
        return last_ms - first_ms <= habit.within_ms and now_ms - last_ms < habit.calm_ms

    def calm_ms(self, key: Key) -> int | None:
        """When it will have been calm for long enough; None when it never turned."""
        turns = self._of(key)
        return turns[-1][0] + self._habit.calm_ms if turns else None

    def accept_into(self, turns: MutableMapping[Key, tuple[Turn, ...]]) -> None:
        """Make `turns`, the mapping this was based on, what it is now."""
        turns.update(self._mine)

    def _of(self, key: Key) -> tuple[Turn, ...]:
        return self._mine[key] if key in self._mine else self._base.get(key, ())


def gather(habit: Habit, rows: Iterable[tuple[Key, int, Severity]]) -> dict[Key, tuple[Turn, ...]]:
    """The turns as history has them, oldest first."""
    found: dict[Key, tuple[Turn, ...]] = {}
    for key, at_ms, severity in rows:
        found[key] = (*found.get(key, ()), (at_ms, severity))[-habit.turns :] if habit.turns else ()
    return found


def forget(habit: Habit, turns: MutableMapping[Key, tuple[Turn, ...]], now_ms: int) -> None:
    """Drop what is too long ago to matter."""
    longest_ms = max(habit.within_ms, habit.calm_ms)
    for key in [key for key, known in turns.items() if not known or now_ms - known[-1][0] > longest_ms]:
        del turns[key]
