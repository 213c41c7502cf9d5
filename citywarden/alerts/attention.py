"""Who is asked to look at an alert, and why not: pure, with time passed in.

something asks for attention -> nobody holds it back -> the routes' targets, and all who heard of it before
-> held (silenced, inhibited, flapping): nobody, until it is released
time passes                  -> RELEASED, OVERDUE, REMINDED
it is lowered, acknowledged, resolved -> those who heard of it; a resolution also while it is held
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from citywarden.alerts.machine import RAISING, Change
from citywarden.alerts.records import Attention
from citywarden.alerts.routes import Summons
from citywarden.model.alert import Alert, Status


class Hold(StrEnum):
    """Why nobody is asked. The alert's `hold`, the logs and the metrics use the same words."""

    SILENCED = "silenced"
    INHIBITED = "inhibited"
    FLAPPING = "flapping"


class Audience(Protocol):
    """Who hears of which alert."""

    @property
    def names(self) -> frozenset[str]:
        """Every target there is."""

    def summon(self, alert: Alert, now_ms: int, waited_ms: int) -> Mapping[str, Summons]:
        """The targets that are to hear of an alert nobody has acknowledged for `waited_ms`, and how."""

    def wake_ms(self, alert: Alert, told: Mapping[str, int], asked_ms: int) -> int | None:
        """The next time at which `summon` may ask for more of an alert that stays as it is; None for never."""

    def phase(self, now_ms: int) -> tuple[bool, ...]:
        """While it stays the same, only time that passes changes who is asked."""


@dataclass(frozen=True, slots=True)
class Call:
    """Outcome: the alert with its hold, what is remembered of who was asked, and who is told now."""

    alert: Alert
    attention: Attention
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Restraint:
    """What holds an alert back; `loud`: this once it is told all the same."""

    hold: Hold | None = None
    loud: bool = False


FREE = Restraint()


def address(alert: Alert, change: Change, tell: bool, before: Attention, audience: Audience, now_ms: int,
            restraint: Restraint = FREE) -> Call:  # fmt: skip
    """Who is told that `change` happened to the alert. `tell`: the machine's word that somebody should be."""
    told = tuple(sorted(set(before.told) & audience.names))
    if not alert.open:
        return Call(alert, Attention(before.told), told if tell else ())
    if alert.hold != (restraint.hold or ""):
        alert = replace(alert, hold=restraint.hold or "")
    held = restraint.hold is not None and not restraint.loud
    if change in RAISING and tell and not held:
        asked_ms = before.asked_ms or now_ms
        called = tuple(dict.fromkeys([*audience.summon(alert, now_ms, now_ms - asked_ms), *told]))
        return Call(alert, Attention({**before.told, **dict.fromkeys(called, now_ms)}, asked_ms), called)
    asks = alert.status is Status.FIRING and not alert.stale and not held
    attention = Attention(before.told, (before.asked_ms or now_ms) if asks else None)
    quiet = held and alert.status is Status.FIRING
    return Call(alert, attention, told if tell and not quiet else ())


def attend(alert: Alert, before: Attention, audience: Audience, now_ms: int,
           restraint: Restraint = FREE) -> Sequence[tuple[Change, Call]]:  # fmt: skip
    """What the passing of time, silences and other alerts make of an alert nobody has acknowledged, one word for each
    kind of thing: released, overdue, reminded. Every call remembers all who are told.
    """
    if alert.status is not Status.FIRING or alert.stale:
        return ()
    if restraint.hold is not None:
        if alert.hold == restraint.hold:
            return ()
        return ((Change.HELD, Call(replace(alert, hold=restraint.hold), replace(before, asked_ms=None))),)
    since_ms = before.asked_ms or (now_ms if alert.hold else alert.updated_ms)
    summoned = audience.summon(alert, now_ms, now_ms - since_ms)
    new = {name: how for name, how in summoned.items() if name not in before.told}
    again = [
        name
        for name, how in summoned.items()
        if name in before.told and how.repeat_ms is not None and now_ms - before.told[name] >= how.repeat_ms
    ]
    if alert.hold == Hold.FLAPPING:
        # What it did meanwhile was told to nobody.
        again = [name for name in sorted(before.told) if name in audience.names]
    overdue = [name for name, how in new.items() if how.overdue]
    released = [name for name in new if name not in overdue]
    reminded: list[str] = []
    if alert.hold:
        released += again
    else:
        reminded = again
    attention = Attention({**before.told, **dict.fromkeys([*new, *again], now_ms)}, since_ms)
    free = replace(alert, hold="")
    said = [(Change.RELEASED, released), (Change.OVERDUE, overdue), (Change.REMINDED, reminded)]
    return [
        (change, Call(free, attention, tuple(names)))
        for change, names in said
        if names or (change is Change.RELEASED and alert.hold and not overdue)
    ]


def wake_ms(alert: Alert, attention: Attention, audience: Audience) -> int | None:
    """When to `attend` to the alert next while nothing else happens; None for never, 0 for each time."""
    if alert.status is not Status.FIRING or alert.stale:
        return None
    if alert.hold:
        return 0
    return audience.wake_ms(alert, attention.told, attention.asked_ms or alert.updated_ms)
