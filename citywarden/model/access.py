"""Users, sessions, tokens and the record of changes, as the pages, the API and the commands know them."""

import re
from dataclasses import dataclass

from citywarden.model.errors import CitywardenError
from citywarden.model.identity import AuditNote, Identity, Role


class Denied(CitywardenError):
    """Name and password do not fit, or the session or token is no longer good. Says no more than that."""

    ZH = "用户名或密码错误，或登录已失效"


class Forbidden(CitywardenError):
    """Whoever asks may not do that."""

    ZH = "没有权限进行此操作"


class TooOften(CitywardenError):
    """Too many failed tries; the next one is looked at after `retry_after_s`."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            f"too many failed logins, try again in {retry_after_s} s", f"失败次数过多，请在 {retry_after_s} 秒后重试"
        )
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in. `tenant` None: sees every tenant; `must_change`: the password is only for once;
    `unit`: whose cases the user works off, "" for none.
    """

    name: str
    role: Role
    tenant: str | None = None
    must_change: bool = False
    enabled: bool = True
    created_ms: int = 0
    created_by: str = ""
    login_ms: int | None = None
    unit: str = ""

    @property
    def identity(self) -> Identity:
        return Identity(self.name, self.role, self.tenant, unit=self.unit)


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to be made; without a password one is generated that has to be changed."""

    name: str
    role: Role
    tenant: str | None = None
    password: str | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class UserChange:
    """What is to be different about a user; None leaves it. `tenant` "" takes the tenant away: sees all; `unit` ""
    takes the unit away.
    """

    role: Role | None = None
    tenant: str | None = None
    enabled: bool | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class SessionNote:
    """A browser that is logged in. `id` names it to people and opens nothing."""

    id: str
    user: str
    created_ms: int
    seen_ms: int
    expires_ms: int
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class Visit:
    """A session as it is met at the door. `csrf`: what its forms must carry; `address`: where the request came from."""

    session: str
    user: User
    csrf: str
    address: str = ""

    @property
    def who(self) -> Identity:
        return Identity(self.user.name, self.user.role, self.user.tenant, self.address, self.user.unit)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to be made. `scopes` such as `readings:read`; none: all that the role may."""

    name: str
    role: Role
    tenant: str | None = None
    scopes: tuple[str, ...] = ()
    expires_ms: int | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A program's key, without its secret."""

    id: str
    name: str
    role: Role
    tenant: str | None
    scopes: tuple[str, ...]
    created_ms: int
    created_by: str
    expires_ms: int | None = None
    used_ms: int | None = None
    revoked_ms: int | None = None
    unit: str = ""

    @property
    def identity(self) -> Identity:
        return Identity(f"token:{self.name}", self.role, self.tenant, unit=self.unit)

    def good(self, now_ms: int) -> bool:
        return self.revoked_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which notes; None: any. `action` also fits what begins with it and a dot (`user` fits `user.add`)."""

    since_ms: int | None = None
    until_ms: int | None = None
    by: str | None = None
    action: str | None = None
    tenant: str | None = None
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A note in its place: `digest` is of the note and of `previous`, the digest of the one before."""

    number: int
    note: AuditNote
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the record at some time: an entry's number and digest, `1234:6f1c...`. `number` 0: not told."""

    number: int
    digest: str

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """A head as it is written, or a digest alone. Raises ValueError."""
        number, _, digest = text.strip().rpartition(":")
        if not re.fullmatch("[0-9a-f]{64}", digest) or not re.fullmatch("[0-9]*", number):
            raise ValueError("expected a head such as 1234:6f1c..., or the 64 letters of its digest")
        return cls(int(number or 0), digest)


@dataclass(frozen=True, slots=True)
class Chain:
    """What checking the whole record found. `broken`: number of the first entry that does not fit, else None; `number`,
    `head`: of the last one; `cut`: number of the last one that was cut for its age, 0 for none; `noted`: heads noted
    elsewhere that were looked for; `lost`: the first of them that is neither in the record nor was cut for its age.
    """

    entries: int
    head: str
    broken: int | None = None
    number: int = 0
    cut: int = 0
    noted: int = 0
    lost: Head | None = None

    @property
    def whole(self) -> bool:
        return self.broken is None and self.lost is None
