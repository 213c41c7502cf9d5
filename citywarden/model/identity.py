"""Who is asking, and what they may do."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody may do; each role may do what those before it may."""

    VIEWER = "viewer"
    DISPATCHER = "dispatcher"
    SUPERVISOR = "supervisor"
    ADMINISTRATOR = "administrator"

    @property
    def rank(self) -> int:
        return list(Role).index(self)


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, or a program. `tenant` None: sees every tenant; `source`: where the request came from; `unit`: of
    the cases only that unit's, "": belongs to none and sees all.
    """

    name: str
    role: Role
    tenant: str | None = None
    source: str = ""
    unit: str = ""

    def may(self, needed: Role) -> bool:
        return self.role.rank >= needed.rank

    def sees(self, tenant: str) -> bool:
        return self.tenant is None or self.tenant == tenant


LOCAL = Identity("local", Role.ADMINISTRATOR)
"""Whoever sits at the machine, where no login is asked for."""


@dataclass(frozen=True, slots=True)
class AuditNote:
    """A change, for the record: who did what to what. `action` is a dotted word such as `device.rotate`."""

    at_ms: int
    by: str
    tenant: str | None
    action: str
    subject: str
    detail: str = ""
    source: str = ""


def note_of(who: Identity, action: str, subject: str, detail: str, now_ms: int) -> AuditNote:
    """What somebody does, for the record."""
    return AuditNote(now_ms, who.name, who.tenant, action, subject, detail, who.source)


NEW = "new"
"""The subject of what gets its name when it is made."""


@dataclass(slots=True)
class Intent:
    """What somebody is about to do to what. Until it is done it may be said better, as by the number of a case that
    was not there before; no subjects: nothing was done.
    """

    action: str
    subjects: list[str]
    detail: str = ""
