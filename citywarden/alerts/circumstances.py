"""What else decides whether anybody is asked about an alert: silences, greater troubles, flapping, the hour."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from citywarden.alerts import archive, silences
from citywarden.alerts.attention import FREE, Audience, Hold, Restraint, wake_ms
from citywarden.alerts.draft import Draft, Restrain
from citywarden.alerts.flapping import Habit, Key, Pulse, Turn, Turns, forget, gather
from citywarden.alerts.inhibition import Inhibition, Inhibitor, ProfileOf
from citywarden.alerts.machine import RAISING, Change
from citywarden.alerts.records import Entry
from citywarden.alerts.silences import Silence
from citywarden.model.alert import Alert

FORGET_EVERY_MS = 60_000


@dataclass(frozen=True, slots=True)
class Manners:
    """How alerts behave to each other and to those who are told, as the routing file has it."""

    flapping: Habit = field(default_factory=Habit)
    inhibitions: Sequence[Inhibition] = ()


class Circumstances:
    """Kept beside the open alerts: what is silenced, what explains what, what flaps, and whom to attend to when."""

    def __init__(self, audience: Audience, manners: Manners, profile_of: ProfileOf) -> None:
        self._audience = audience
        self._habit = manners.flapping
        self._inhibitor = Inhibitor(manners.inhibitions, profile_of)
        self._silences: list[Silence] = []
        self._turns: dict[Key, tuple[Turn, ...]] = {}
        self._due: dict[Key, int] = {}
        self._seen: tuple[object, ...] = ()
        self._all_due = True
        self._forgot_ms = 0

    @property
    def remembered(self) -> int:
        """Subjects whose turns, or whose end, may still hold something back."""
        return len(self._turns) + self._inhibitor.remembered

    def load(self, connection: Connection, opened: Mapping[Key, Entry], now_ms: int) -> None:
        """Begin with what the database knows."""
        longest_ms = max(self._habit.within_ms, self._habit.calm_ms)
        turns = archive.read_turns(connection, now_ms - longest_ms) if self._habit.turns else ()
        self._turns = gather(self._habit, turns)
        linger_ms = self._inhibitor.longest_linger_ms
        ended = archive.read_ended(connection, now_ms - linger_ms) if linger_ms else ()
        self._inhibitor.reset((entry.alert for entry in opened.values()), ended)
        self.take_silences(silences.read(connection, now_ms))
        self._due, self._all_due = {}, True

    def take_silences(self, found: Sequence[Silence]) -> None:
        """The silences that are not over."""
        self._silences = list(found)

    def restrain(self, draft: Draft, now_ms: int) -> tuple[Restrain, Turns]:
        """What holds back the alerts of a draft; the turns are accepted when the draft is."""
        turns, fresh = Turns(self._habit, self._turns), draft.opened()

        def restrain(alert: Alert, change: Change, tell: bool) -> Restraint:
            pulse = Pulse.STEADY
            if tell and change in RAISING:
                pulse = turns.note(alert.key, now_ms, alert.severity)
            hold = self._hold(alert, turns, fresh, now_ms)
            return FREE if hold is None else Restraint(hold, hold is Hold.FLAPPING and pulse is not Pulse.FLAPS
                                                       and change in RAISING)  # fmt: skip

        return restrain, turns

    def restraint(self, alert: Alert, now_ms: int) -> Restraint:
        """What holds an open alert back now."""
        return Restraint(self._hold(alert, Turns(self._habit, self._turns), {}, now_ms))

    def accept(self, draft: Draft, turns: Turns | None, now_ms: int) -> None:
        """Take in what was written."""
        if turns is not None:
            turns.accept_into(self._turns)
        self.note(draft.opened(), now_ms)
        for key in draft.opened():
            self.await_next(key, draft.entry(key))

    def note(self, changed: Mapping[Key, Alert | None], now_ms: int) -> None:
        """Alerts have changed; what they explain may have, too."""
        if self._inhibitor.accept(changed, now_ms):
            self._all_due = True

    def await_next(self, key: Key, entry: Entry | None) -> None:
        """Work out when to attend to an alert next."""
        due = wake_ms(entry.alert, entry.attention, self._audience) if entry else None
        if due is None:
            self._due.pop(key, None)
        else:
            self._due[key] = due

    def due(self, opened: Iterable[Key], now_ms: int) -> list[Key]:
        """Whom to attend to now: those whose time has come, or all where hours, silences or sources changed."""
        if abs(now_ms - self._forgot_ms) >= FORGET_EVERY_MS:
            self._forgot_ms = now_ms
            forget(self._habit, self._turns, now_ms)
            self._inhibitor.forget(now_ms)
        asleep = tuple(s.id for s in self._silences if s.starts_ms <= now_ms < s.ends_ms)
        seen = (asleep, self._audience.phase(now_ms))
        if self._all_due or seen != self._seen:
            self._seen, self._all_due = seen, False
            return list(opened)
        return [key for key, at_ms in self._due.items() if at_ms <= now_ms]

    def _hold(self, alert: Alert, turns: Turns, fresh: Mapping[Key, Alert | None], now_ms: int) -> Hold | None:
        if any(silence.holds(alert, now_ms) for silence in self._silences):
            return Hold.SILENCED
        if self._inhibitor.explains(alert, fresh, now_ms):
            return Hold.INHIBITED
        return Hold.FLAPPING if turns.flapping(alert.key, now_ms) else None
