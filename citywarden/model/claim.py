"""Devices that ask for their identity: a tenant's key for that, and how those who asked stand."""

from dataclasses import dataclass
from enum import StrEnum

from citywarden.model.device import DeviceKey


class Mode(StrEnum):
    """Who may claim: serials that were registered for it, or any, with a person's approval."""

    LISTED = "listed"
    APPROVAL = "approval"


class State(StrEnum):
    """How a device that asked stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    CLAIMED = "claimed"


@dataclass(frozen=True, slots=True)
class ClaimKey:
    """A tenant's claim key. Its text does not show the secret."""

    tenant: str
    secret: str
    mode: Mode
    made_ms: int

    def __repr__(self) -> str:
        return f"ClaimKey(tenant={self.tenant!r}, mode={self.mode!r})"


@dataclass(frozen=True, slots=True)
class Asked:
    """A device that asked, and how it stands."""

    key: DeviceKey
    state: State
    asked_ms: int | None
    decided_ms: int | None
    decided_by: str
