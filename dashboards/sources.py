"""What the pages and the API read from. The console knows these shapes only; `citywarden.serve` fills them."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from zoneinfo import ZoneInfo

from citywarden.live import Live
from citywarden.model.alert import Alert, AlertQuery, Severity
from citywarden.model.casedesk import Cases
from citywarden.model.claim import Asked, ClaimKey, Mode, State
from citywarden.model.command import Command, Wish
from citywarden.model.command import State as CommandState
from citywarden.model.credential import Credential
from citywarden.model.device import Device, DeviceKey
from citywarden.model.dispatch import AlertDeed, AlertEvent, Inspection, Measures, Sending, SilenceNote, TargetHealth
from citywarden.model.identity import Identity, Intent
from citywarden.model.kind import Kinds
from citywarden.model.message import DeadLetter
from citywarden.model.page import Page
from citywarden.model.ruling import RuleCard
from citywarden.model.work import Task, TaskReport, TrackPoint, Zone
from citywarden.store.contract import Store
from dashboards.gate import Access

__all__ = [
    "AlertQuery",
    "Audit",
    "Commands",
    "Directory",
    "Dispatch",
    "Health",
    "Inbox",
    "Letters",
    "Page",
    "Sources",
    "WorkDesk",
]


class Inbox(Protocol):
    """The alerts. Every call may touch the database, so they are asynchronous. Raises NotFound for an unknown id."""

    async def open(self) -> Sequence[Alert]:
        """All alerts that are firing or acknowledged, most severe first, then newest."""

    async def find(self, query: AlertQuery) -> Page[Alert]: ...
    async def count(self, query: AlertQuery) -> Mapping[Severity, int]:
        """How many match, by severity; whatever severity, page and limit the query names."""

    async def get(self, alert_id: str) -> Alert: ...
    async def acknowledge(self, alert_id: str, by: str, note: str | None) -> Alert: ...
    async def resolve(self, alert_id: str, by: str, note: str | None) -> Alert: ...


class Dispatch(Protocol):
    """What is done about alerts beyond the inbox. Raises NotFound for an unknown id."""

    async def history(self, alert_id: str) -> Sequence[AlertEvent]:
        """Oldest first."""

    async def assign(self, alert_id: str, by: str, to: str | None, note: str | None) -> Alert: ...
    async def close(self, alert_id: str, by: str, note: str | None) -> Alert: ...
    async def note(self, alert_id: str, by: str, note: str) -> Alert:
        """Say something about an alert without changing what it is."""

    async def do_all(self, ids: Sequence[str], deed: AlertDeed, tenant: str | None = None) -> Sequence[Alert]:
        """Do the same to many alerts (of a tenant); what is no alert is left out."""

    async def sent_of(self, alert_id: str) -> Sequence[Sending]: ...
    async def sent(self, target: str | None, state: str | None, limit: int, cursor: str | None) -> Page[Sending]: ...
    async def sending(self, message_id: str) -> Sending: ...
    async def inspect(self, message_id: str) -> Inspection: ...
    async def replay(self, message_id: str) -> Sending: ...
    async def targets(self) -> Sequence[TargetHealth]: ...
    async def enable(self, target: str) -> TargetHealth:
        """Use a target again that had said that it wants no more. Raises NotFound."""

    async def silences(self, everything: bool, limit: int, cursor: str | None) -> Page[SilenceNote]: ...
    async def silence(self, note: SilenceNote) -> SilenceNote:
        """Raises CitywardenError when it makes no sense."""

    async def fitting(self, note: SilenceNote) -> Sequence[Alert]:
        """The open alerts that a silence would be about, if it held now."""

    async def end_silence(self, silence_id: str, by: str) -> SilenceNote: ...
    async def get_silence(self, silence_id: str) -> SilenceNote: ...
    async def measures(self, since_ms: int, until_ms: int, tenant: str | None = None) -> Measures: ...


class WorkDesk(Protocol):
    """Planned work and what has been judged of it."""

    async def days(self) -> Sequence[date]: ...
    async def tasks(self, day: date) -> Sequence[Task]: ...
    async def reports(self, day: date) -> Sequence[TaskReport]:
        """One per task of the day, also of those that still run (`open`)."""

    async def report(self, task: str) -> TaskReport:
        """Raises NotFound."""

    async def track(self, vehicle: str, day: date) -> Sequence[TrackPoint]: ...
    async def zones(self) -> Sequence[Zone]: ...


class Letters(Protocol):
    """The dead letters, newest first."""

    async def find(self, reason: str | None, limit: int, cursor: str | None) -> Page[DeadLetter]: ...


class Directory(Protocol):
    """The registered devices."""

    async def find(self, kind: str | None, tenant: str | None, limit: int, cursor: str | None) -> Page[Device]: ...
    async def get(self, key: DeviceKey) -> Device: ...
    async def count(self, tenant: str | None) -> Mapping[str, int]:
        """How many are in use (not disabled), by kind."""


class Enrolment(Protocol):
    """Devices, their credentials and their rights at the broker. Raises NotFound, CitywardenError."""

    @property
    def gives_credentials(self) -> bool: ...
    async def add(self, fresh: Sequence[Device], claimed: bool = False) -> Sequence[Credential]:
        """`claimed`: they will claim their credentials."""

    async def change(self, device: Device) -> Device: ...
    async def rotate(self, key: DeviceKey) -> Credential: ...
    async def enable(self, key: DeviceKey) -> Device: ...
    async def disable(self, key: DeviceKey) -> Device: ...
    async def remove(self, key: DeviceKey) -> None: ...
    def facts(self, credential: Credential) -> Mapping[str, object]:
        """How the credential is handed out: broker, username, password, client id, topics."""


class Claims(Protocol):
    """Devices that ask for their identity. Raises NotFound, CitywardenError."""

    async def keys(self) -> Sequence[ClaimKey]: ...
    async def make_key(self, tenant: str, mode: Mode) -> ClaimKey: ...
    async def drop_key(self, tenant: str) -> None: ...
    async def asked(self, tenant: str | None, state: State | None) -> Sequence[Asked]: ...
    async def find_waiting(self, tenant: str, serial: str, kind: str | None) -> DeviceKey: ...
    async def approve(self, device: Device, by: str) -> Device: ...
    async def reject(self, key: DeviceKey, by: str) -> None: ...


class Commands(Protocol):
    """Commands down to devices. Raises NotFound, CitywardenError."""

    async def send(self, wish: Wish, by: str) -> Command: ...
    async def get(self, command_id: str) -> Command: ...
    async def find(
        self, device: DeviceKey | None, tenant: str | None, state: CommandState | None, limit: int, cursor: str | None
    ) -> Page[Command]:
        """Newest first."""

    async def cancel(self, command_id: str, by: str) -> Command: ...


class Audit(Protocol):
    """The record of changes."""

    def doing(
        self, who: Identity, action: str, subjects: Sequence[str], detail: str = ""
    ) -> AbstractAsyncContextManager[Intent]:
        """Around a change: it is written down before, and its outcome after, an entry for each subject. Nothing is
        entered where the block raises a CitywardenError: nothing has changed then. Raises Unavailable.
        """


class Unrecorded:
    """An audit that keeps nothing, for parts shown on their own."""

    @asynccontextmanager
    async def doing(
        self, who: Identity, action: str, subjects: Sequence[str], detail: str = ""
    ) -> AsyncIterator[Intent]:
        yield Intent(action, [*subjects], detail)


UNRECORDED = Unrecorded()


@dataclass(frozen=True, slots=True)
class Health:
    """State of the server itself: per component `ok` or what is wrong, and the figures the wall shows."""

    ok: bool
    components: Mapping[str, str]
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything the pages and the API may read, and how they speak."""

    kinds: Kinds
    live: Live
    store: Store
    alerts: Inbox
    work: WorkDesk
    letters: Letters
    devices: Directory
    health: Callable[[], Health]
    metrics: Callable[[], bytes]
    districts: Mapping[str, object]
    timezone: ZoneInfo
    language: str
    now_ms: Callable[[], int]
    is_night: Callable[[float, float, int], bool]
    dispatch: Dispatch | None = None
    audit: Audit = UNRECORDED
    access: Access | None = None
    enrolment: Enrolment | None = None
    claims: Claims | None = None
    commands: Commands | None = None
    cases: Cases | None = None
    rules: Sequence[RuleCard] = ()
