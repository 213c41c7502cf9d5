"""The alert desk: findings in, alerts, history, deliveries and the log position out, in one transaction.

Whatever happens between two steps, a finding is either wholly in the database together with the position after it,
or not at all and will be judged again. One open alert per (tenant, rule, subject) is a unique index; what is open is
also kept in memory, and read again when another process turns out to have changed it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from citywarden.alerts import machine, silences
from citywarden.alerts.attention import Audience, attend
from citywarden.alerts.circumstances import Circumstances, Manners
from citywarden.alerts.counters import Counters
from citywarden.alerts.draft import Draft, Overtaken
from citywarden.alerts.flapping import Key
from citywarden.alerts.inhibition import ProfileOf
from citywarden.alerts.lookups import Lookups
from citywarden.alerts.machine import Birth, Policy
from citywarden.alerts.memory import Memory
from citywarden.alerts.progress import Judged, Position
from citywarden.alerts.records import Entry
from citywarden.alerts.silences import Silence
from citywarden.alerts.transactions import transaction
from citywarden.model.alert import Alert, Finding, Severity, Status
from citywarden.model.device import Profile
from citywarden.model.dispatch import AlertDeed, Doing
from citywarden.model.errors import NotFound, Unavailable

R = TypeVar("R")

OpenKey = tuple[str, str, str, str, Severity]
"""(rule, tenant, kind, subject, severity)."""

TRIES = 5
"""How often a transaction is tried when other processes change the same alerts."""


def _nowhere(_tenant: str, _kind: str, _subject: str) -> str:
    return ""


def _unknown(_tenant: str, _kind: str, _subject: str) -> Profile:
    return {}


def _fresh_id() -> str:
    return uuid4().hex


class Desk(Lookups):
    """All alerts of one database. Synchronous; used from one thread at a time. Raises Unavailable when the database
    does not answer; nothing has happened then.

    `district`: (tenant, kind, subject) -> name of the district, "" when unknown; `profile_of`: its profile.
    """

    def __init__(
        self, engine: Engine, audience: Audience, policy: Policy = Policy(),  # noqa: B008 (frozen)
        district: Callable[[str, str, str], str] = _nowhere, manners: Manners = Manners(),  # noqa: B008 (frozen)
        profile_of: ProfileOf = _unknown, consumer: str = "rules",
    ) -> None:  # fmt: skip
        self.counters = Counters()
        super().__init__(engine)
        self._audience = audience
        self._policy = policy
        self._district = district
        self._writer = _fresh_id()
        self._memory = Memory(engine, Circumstances(audience, manners, profile_of), Judged(consumer), self._writer)
        self._doubt: Position | None = None
        self._memory.reload()

    @property
    def remembered(self) -> int:
        """What is in memory of alerts that are open, or ended lately."""
        return self._memory.remembered

    def follow(self, consumer: str) -> None:
        """Go by the position of this consumer from now on."""
        self._memory.judged = Judged(consumer)
        self._memory.reload()

    # -- findings ------------------------------------------------------------------------------------------------

    def apply(self, findings: Sequence[Finding], now_ms: int, consumed: Position) -> list[Alert]:
        """Take findings in, in order, and remember that the log is judged up to `consumed`.

        Returns the alerts that changed, as they are now, without those nobody is told of (pending). Findings of
        messages that lie wholly before the saved position are known already and are ignored.
        """
        if self._committed(consumed) or self._memory.judged.covers(consumed):
            return []

        def judge(draft: Draft) -> None:
            for finding in findings:
                self._judge(draft, finding, now_ms)

        return self._settle(judge, consumed, now_ms).changed()

    def _committed(self, consumed: Position) -> bool:
        """Whether this was written all the same, when the database went away before it said so."""
        doubt, self._doubt = self._doubt, None
        if doubt is None:
            return False
        self._memory.reload()
        return doubt == consumed and self._memory.judged.reaches(consumed)

    def _judge(self, draft: Draft, finding: Finding, now_ms: int) -> None:
        entry = draft.entry(finding.key)
        birth = Birth("")
        if entry is None:
            birth = Birth(_fresh_id(), self._district(finding.tenant, finding.kind, finding.subject))
        step = machine.step(entry.alert if entry else None, finding, now_ms, self._policy, birth)
        draft.record(finding.key, step)

    # -- people --------------------------------------------------------------------------------------------------

    def acknowledge(self, alert_id: str, by: str, note: str | None, now_ms: int) -> Alert:
        """Take an alert on. One that is resolved stays as it is. Raises NotFound."""
        return self._do(alert_id, AlertDeed(Doing.ACKNOWLEDGE, by, note), now_ms)

    def assign(self, alert_id: str, by: str, to: str | None, note: str | None, now_ms: int) -> Alert:
        """Give an alert to somebody, None: to nobody. One that is resolved stays as it is. Raises NotFound."""
        return self._do(alert_id, AlertDeed(Doing.ASSIGN, by, note, to), now_ms)

    def remark(self, alert_id: str, by: str, note: str, now_ms: int) -> Alert:
        """Say something about an alert, open or not, without changing what it is. Raises NotFound."""
        return self._do(alert_id, AlertDeed(Doing.NOTE, by, note), now_ms)

    def resolve(self, alert_id: str, by: str, note: str | None, now_ms: int) -> Alert:
        """End an alert by hand. One that is resolved stays as it is. Raises NotFound."""
        return self._do(alert_id, AlertDeed(Doing.RESOLVE, by, note), now_ms)

    def close(self, alert_id: str, by: str, note: str | None, now_ms: int) -> Alert:
        """File an alert; one that is open is ended by hand. Raises NotFound."""
        return self._do(alert_id, AlertDeed(Doing.CLOSE, by, note), now_ms)

    def do_all(self, ids: Sequence[str], deed: AlertDeed, now_ms: int, tenant: str | None = None) -> list[Alert]:
        """Do the same to all of these alerts (of a tenant), as if to one after the other, in one transaction.

        Returns them as they are now, in this order; what is no alert, or another tenant's, is left out.
        """
        memory = self._memory
        for attempt in range(TRIES):
            found = memory.entries(ids, tenant)
            memory.acquaint(now_ms)
            opened = dict(memory.open)
            try:
                draft = self._draft_each(list(found.values()), opened, deed, now_ms)
                if not draft.empty:
                    with transaction(self.engine) as connection:
                        draft.write(connection)
            except (IntegrityError, Overtaken):
                if attempt == TRIES - 1:
                    raise
                self._memory.reload()
                continue
            except BaseException:
                memory.forget_circumstances()
                raise
            memory.open = opened
            for event in draft.events:
                self.counters.note(event)
            changed = {alert.id: alert for alert in draft.changed()}
            return [changed.get(id_, entry.alert) for id_, entry in found.items()]
        raise AssertionError("unreachable")

    def _do(self, alert_id: str, deed: AlertDeed, now_ms: int) -> Alert:
        done = self.do_all([alert_id], deed, now_ms)
        if not done:
            raise NotFound(f"no alert {alert_id!r}")
        return done[0]

    def _draft_each(self, entries: Sequence[Entry], opened: dict[Key, Entry], deed: AlertDeed, now_ms: int) -> Draft:
        """A deed upon each of these alerts, each told in the circumstances that the ones before it leave behind.

        `opened` becomes what is open then.
        """
        whole = Draft(self._memory.open, now_ms, self._writer)
        for entry in entries:
            draft = Draft(opened, now_ms, self._writer)
            step = machine.by_hand(entry.alert, deed, now_ms)
            draft.record(entry.alert.key, step, deed.by, deed.note, None if entry.alert.open else entry)
            if draft.empty:
                continue
            restrain, turns = self._memory.around.restrain(draft, now_ms)
            draft.address(self._audience, restrain)
            draft.accept_into(opened)
            self._memory.around.accept(draft, turns, now_ms)
            whole.absorb(draft)
        return whole

    def silence(self, silence: Silence, now_ms: int) -> list[Alert]:
        """Have alerts that fit told to nobody for a while; returns those it changed. Raises CitywardenError."""
        silences.check(silence, now_ms)
        self.write(partial(silences.write, silence=silence))
        return self.tick(now_ms)

    def end_silence(self, silence_id: str, by: str, now_ms: int) -> list[Alert]:
        """Cut a silence short; returns the alerts that changed. Raises NotFound."""
        self.write(partial(silences.end, silence_id=silence_id, by=by, now_ms=now_ms))
        return self.tick(now_ms)

    # -- time ----------------------------------------------------------------------------------------------------

    def tick(self, now_ms: int) -> list[Alert]:
        """Once a second: take in what other processes did; remind, escalate, hold back and release by time.

        Returns the alerts that changed, as they are now.
        """
        self._memory.acquaint(now_ms)
        news, around = self._memory.catch_up(now_ms), self._memory.around
        due = around.due(self._memory.open, now_ms)

        def attend_to(draft: Draft) -> None:
            for key in due:
                entry = self._memory.open.get(key)
                if entry is None:
                    continue
                restraint = around.restraint(entry.alert, now_ms)
                for change, call in attend(entry.alert, entry.attention, self._audience, now_ms, restraint):
                    draft.call(key, change, call)

        draft = self._settle(attend_to, {}, now_ms)
        for key in due:
            around.await_next(key, self._memory.open.get(key))
        called = draft.changed()
        mine = {alert.id for alert in called}
        return [alert for alert in news if alert.id not in mine] + called

    # -- reading -------------------------------------------------------------------------------------------------

    def open(self) -> list[Alert]:
        """All alerts that are firing or acknowledged, most severe first, then newest."""
        # One step, so that other threads may ask too.
        entries = tuple(self._memory.open.values())
        told = [e.alert for e in entries if e.alert.status is not Status.PENDING]
        return sorted(told, key=lambda a: (-a.severity, -a.raised_ms, a.id))

    def open_keys(self) -> list[OpenKey]:
        """What holds, for a rule engine that starts: firing and acknowledged alerts."""
        return [(a.rule, a.tenant, a.kind, a.subject, a.severity) for a in self.open()]

    # -- restart -------------------------------------------------------------------------------------------------

    def position(self) -> dict[int, int]:
        """How far the log is judged, as the database has it: reading may start here after a crash."""
        return self._memory.judged.position

    def save_position(self, consumed: Position) -> None:
        """Save a position that changed no alert at once (at shutdown)."""
        with transaction(self.engine) as connection:
            self._memory.judged.write(connection, consumed)
        self._memory.judged.advance(consumed)

    # -- inside --------------------------------------------------------------------------------------------------

    def _settle(self, build: Callable[[Draft], None], consumed: Position, now_ms: int) -> Draft:
        """Write what `build` drafts and the position, and build anew when another process was first."""
        for attempt in range(TRIES):
            self._memory.acquaint(now_ms)
            draft = Draft(self._memory.open, now_ms, self._writer)
            build(draft)
            if draft.empty and not self._memory.judged.due(consumed, now_ms):
                return draft
            restrain, turns = self._memory.around.restrain(draft, now_ms)
            draft.address(self._audience, restrain)
            try:
                with transaction(self.engine) as connection:
                    draft.write(connection)
                    self._memory.judged.write(connection, consumed)
            except Unavailable:
                self._doubt = None if self._memory.judged.reaches(consumed) else dict(consumed)
                raise
            except (IntegrityError, Overtaken):
                if attempt == TRIES - 1:
                    raise
                self._memory.reload()
                continue
            self._memory.accept(draft, turns, now_ms)
            for event in draft.events:
                self.counters.note(event)
            self._memory.judged.advance(consumed, now_ms)
            return draft
        raise AssertionError("unreachable")
