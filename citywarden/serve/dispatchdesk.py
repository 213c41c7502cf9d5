"""What the pages, the API and the commands do about alerts: history, assignment, deliveries, silences, measures."""

from collections.abc import Callable, Sequence
from datetime import tzinfo
from functools import partial

from sqlalchemy import Connection

from citywarden.alerts import inspection, measures, outbox, silences, standing
from citywarden.alerts.delivery import Courier
from citywarden.alerts.desk import AsyncDesk
from citywarden.alerts.matching import Matcher
from citywarden.alerts.outbox import Delivery, State
from citywarden.alerts.silences import Silence
from citywarden.model.alert import Alert
from citywarden.model.dispatch import (
    AlertDeed,
    AlertEvent,
    Inspection,
    Measures,
    Sending,
    SilenceNote,
    TargetHealth,
    Tried,
)
from citywarden.model.page import Page


class DispatchDesk:
    """The alert desk and its courier as `dashboards.sources.Dispatch`."""

    def __init__(self, desk: AsyncDesk, courier: Courier, clock_ms: Callable[[], int], zone: tzinfo) -> None:
        self._desk = desk
        self._courier = courier
        self._clock_ms = clock_ms
        self._zone = zone

    async def history(self, alert_id: str) -> Sequence[AlertEvent]:
        """Every change of an alert, oldest first. Raises NotFound."""
        events = await self._desk.history(alert_id)
        return [AlertEvent(e.alert, e.at_ms, e.change.value, e.by, e.note) for e in events]

    async def assign(self, alert_id: str, by: str, to: str | None, note: str | None) -> Alert:
        return await self._desk.assign(alert_id, by, to, note)

    async def close(self, alert_id: str, by: str, note: str | None) -> Alert:
        return await self._desk.close_alert(alert_id, by, note)

    async def note(self, alert_id: str, by: str, note: str) -> Alert:
        """Say something about an alert. Raises NotFound."""
        return await self._desk.remark(alert_id, by, note)

    async def do_all(self, ids: Sequence[str], deed: AlertDeed, tenant: str | None = None) -> Sequence[Alert]:
        """Do the same to many alerts (of a tenant); returns them as they are now, without what is no alert."""
        return await self._desk.do_all(ids, deed, tenant)

    async def sent_of(self, alert_id: str) -> Sequence[Sending]:
        """What has been, or is to be, sent of one alert, oldest first."""
        return [sending(delivery) for delivery in await self._desk.deliveries_of(alert_id)]

    async def sent(self, target: str | None, state: str | None, limit: int, cursor: str | None) -> Page[Sending]:
        """Messages of a target and state (None: any), newest first."""
        page = await self._desk.deliveries(target, State(state) if state else None, limit, cursor)
        return Page([sending(delivery) for delivery in page.items], page.next)

    async def sending(self, message_id: str) -> Sending:
        """Raises NotFound."""
        return sending(await self._desk.read(partial(outbox.get, delivery_id=message_id)))

    async def inspect(self, message_id: str) -> Inspection:
        """A message as it goes to its target, and every attempt. Raises NotFound."""

        def read(connection: Connection) -> tuple[Delivery, list[Delivery], list[Tried]]:
            found = outbox.get(connection, message_id)
            return found, outbox.read_together(connection, found), outbox.read_tries(connection, found.seq)

        found, together, tries = await self._desk.read(read)
        ids = [one.id for one in together] if found.digest else []
        target = next((t for t in self._courier.targets if t.name == found.target), None)
        if target is None:
            return Inspection(sending(found), "", "", {}, "", tries, ids)
        at_ms = found.done_ms or self._clock_ms()
        seen = inspection.look(inspection.without_secret(target), together, at_ms)
        return Inspection(sending(found), target.format, seen.address, seen.headers, seen.body, tries, ids)

    async def targets(self) -> Sequence[TargetHealth]:
        """How every target does."""
        accounts = await self._desk.read(standing.read_accounts)
        return standing.standings(self._courier.targets, accounts, self._courier.troubles(), self._clock_ms())

    async def enable(self, target: str) -> TargetHealth:
        """Use a target again that had said that it wants no more. Raises NotFound."""
        await self._courier.enable(target)
        return next(health for health in await self.targets() if health.name == target)

    async def replay(self, message_id: str) -> Sending:
        """Send a message once more under its old id. Raises NotFound."""
        await self._courier.replay(message_id)
        return await self.sending(message_id)

    async def silences(self, everything: bool, limit: int, cursor: str | None) -> Page[SilenceNote]:
        """Silences that are not over, or all there were; newest first."""
        page = await self._desk.silences(None if everything else self._clock_ms(), limit, cursor)
        return Page([note_of(silence) for silence in page.items], page.next)

    async def silence(self, note: SilenceNote) -> SilenceNote:
        """Begin a silence; its id and time of making are ours. Raises CitywardenError."""
        return note_of(await self._desk.silence(silence_of(note, self._clock_ms())))

    async def fitting(self, note: SilenceNote) -> Sequence[Alert]:
        """The open alerts that fit a silence, most severe first."""
        matcher = matcher_of(note)
        return [alert for alert in await self._desk.open() if matcher.fits(alert)]

    async def end_silence(self, silence_id: str, by: str) -> SilenceNote:
        """Cut a silence short. Raises NotFound."""
        return note_of(await self._desk.end_silence(silence_id, by))

    async def get_silence(self, silence_id: str) -> SilenceNote:
        """Raises NotFound."""
        return note_of(await self._desk.read(partial(silences.get, silence_id=silence_id)))

    async def measures(self, since_ms: int, until_ms: int, tenant: str | None = None) -> Measures:
        """Of the alerts (of a tenant) raised in a time."""
        handled = await self._desk.read(partial(measures.read_handled, since_ms=since_ms, until_ms=until_ms))
        opened = [alert for alert in await self._desk.open() if tenant in (None, alert.tenant)]
        own = [one for one in handled if tenant in (None, one[0].tenant)]
        return measures.measure(own, self._clock_ms(), self._zone, opened)


def sending(delivery: Delivery) -> Sending:
    """A delivery as the pages know it."""
    notice = delivery.notice
    event = AlertEvent(notice.alert, delivery.created_ms, notice.change.value, notice.by)
    return Sending(
        delivery.id, delivery.target, delivery.state.value, event, delivery.created_ms, delivery.attempts,
        delivery.next_ms, delivery.done_ms, delivery.code, delivery.detail, delivery.digest,
    )  # fmt: skip


def silence_of(note: SilenceNote, now_ms: int) -> Silence:
    """A silence to be made."""
    return Silence(note.starts_ms, note.ends_ms, note.by, note.why, matcher_of(note), now_ms)


def matcher_of(note: SilenceNote) -> Matcher:
    """What a silence is about."""
    return Matcher(
        tuple(note.tenant), tuple(note.kind), tuple(note.rule), tuple(note.subject), tuple(note.district),
        note.severity, note.up_to,
    )  # fmt: skip


def note_of(silence: Silence) -> SilenceNote:
    """A silence as the pages know it."""
    m = silence.matcher
    return SilenceNote(
        silence.starts_ms, silence.ends_ms, silence.by, silence.why, m.tenant, m.kind, m.rule, m.subject, m.district,
        silence.id, silence.created_ms, silence.ended_by, m.severity, m.up_to,
    )  # fmt: skip
