"""What is done about the alerts of one tenant."""

from collections.abc import Sequence
from dataclasses import replace

from citywarden.model.access import Forbidden
from citywarden.model.alert import Alert
from citywarden.model.dispatch import AlertDeed, AlertEvent, Inspection, Measures, Sending, SilenceNote, TargetHealth
from citywarden.model.errors import NotFound
from citywarden.model.page import Page
from dashboards.scoping.desks import TenantInbox, sift
from dashboards.sources import Dispatch


class TenantDispatch:
    """`dashboards.sources.Dispatch` of one tenant. Targets are for those who see every tenant."""

    def __init__(self, dispatch: Dispatch, inbox: TenantInbox, tenant: str) -> None:
        self._dispatch = dispatch
        self._inbox = inbox
        self._tenant = tenant

    async def history(self, alert_id: str) -> Sequence[AlertEvent]:
        await self._inbox.get(alert_id)
        return await self._dispatch.history(alert_id)

    async def assign(self, alert_id: str, by: str, to: str | None, note: str | None) -> Alert:
        await self._inbox.get(alert_id)
        return await self._dispatch.assign(alert_id, by, to, note)

    async def close(self, alert_id: str, by: str, note: str | None) -> Alert:
        await self._inbox.get(alert_id)
        return await self._dispatch.close(alert_id, by, note)

    async def note(self, alert_id: str, by: str, note: str) -> Alert:
        await self._inbox.get(alert_id)
        return await self._dispatch.note(alert_id, by, note)

    async def do_all(self, ids: Sequence[str], deed: AlertDeed, tenant: str | None = None) -> Sequence[Alert]:
        return await self._dispatch.do_all(ids, deed, self._tenant)

    async def sent_of(self, alert_id: str) -> Sequence[Sending]:
        await self._inbox.get(alert_id)
        return await self._dispatch.sent_of(alert_id)

    async def sent(self, target: str | None, state: str | None, limit: int, cursor: str | None) -> Page[Sending]:
        return await sift(lambda n, at: self._dispatch.sent(target, state, n, at), self._is_mine, limit, cursor)

    async def sending(self, message_id: str) -> Sending:
        found = await self._dispatch.sending(message_id)
        if not self._is_mine(found):
            raise NotFound(f"no message {message_id!r}")
        return found

    async def inspect(self, message_id: str) -> Inspection:
        """A message that goes together with others' is not shown: its body would tell of them."""
        await self.sending(message_id)
        found = await self._dispatch.inspect(message_id)
        for together in found.together:
            await self.sending(together)
        return found

    async def replay(self, message_id: str) -> Sending:
        await self.sending(message_id)
        return await self._dispatch.replay(message_id)

    async def targets(self) -> Sequence[TargetHealth]:
        return ()

    async def enable(self, target: str) -> TargetHealth:
        raise Forbidden("targets are not a tenant's")

    async def silences(self, everything: bool, limit: int, cursor: str | None) -> Page[SilenceNote]:
        return await sift(lambda n, at: self._dispatch.silences(everything, n, at), self._is_my_silence, limit, cursor)

    async def silence(self, note: SilenceNote) -> SilenceNote:
        """A silence without a tenant is one of this tenant. Raises Forbidden for another's."""
        return await self._dispatch.silence(self._claimed(note))

    async def fitting(self, note: SilenceNote) -> Sequence[Alert]:
        return await self._dispatch.fitting(self._claimed(note))

    async def end_silence(self, silence_id: str, by: str) -> SilenceNote:
        await self.get_silence(silence_id)
        return await self._dispatch.end_silence(silence_id, by)

    async def get_silence(self, silence_id: str) -> SilenceNote:
        found = await self._dispatch.get_silence(silence_id)
        if not self._is_my_silence(found):
            raise NotFound(f"no silence {silence_id!r}")
        return found

    async def measures(self, since_ms: int, until_ms: int, tenant: str | None = None) -> Measures:
        return await self._dispatch.measures(since_ms, until_ms, self._tenant)

    def _claimed(self, note: SilenceNote) -> SilenceNote:
        if any(pattern != self._tenant for pattern in note.tenant):
            raise Forbidden(f"silences of tenant {self._tenant} only")
        return replace(note, tenant=(self._tenant,))

    def _is_mine(self, sending: Sending) -> bool:
        return sending.event.alert.tenant == self._tenant

    def _is_my_silence(self, note: SilenceNote) -> bool:
        return tuple(note.tenant) == (self._tenant,)
