"""Users in the database, and who may be changed by whom."""

import re
from collections.abc import Mapping

from sqlalchemy import Connection, delete, func, insert, or_, select, update
from sqlalchemy.engine import RowMapping

from citywarden.access import tables
from citywarden.model.access import Forbidden, NewUser, User, UserChange
from citywarden.model.errors import CitywardenError, NotFound
from citywarden.model.identity import Identity, Role

NAME = re.compile(r"[\w.@-]{1,64}")
"""Letters of any script, digits and `_.@-`: no colon, which marks names that are no user's (`token:`, `cli:`)."""
TENANT = re.compile(r"[A-Za-z0-9_.-]{1,64}")
LONGEST_UNIT = 200
RESERVED = frozenset({"local", "api", "server", "setup"})
_t = tables.user


def user_of(row: RowMapping | Mapping[str, object]) -> User:
    """A row as a user."""
    return User(
        name=str(row["name"]),
        role=Role(str(row["role"])),
        tenant=None if row["tenant"] is None else str(row["tenant"]),
        must_change=bool(row["must_change"]),
        enabled=bool(row["enabled"]),
        created_ms=int(str(row["created_ms"])),
        created_by=str(row["created_by"]),
        login_ms=None if row["login_ms"] is None else int(str(row["login_ms"])),
        unit=str(row["unit"]),
    )


def check_manages(who: Identity, role: Role, tenant: str | None) -> None:
    """May `who` make, change or read somebody of that role and tenant? Raises Forbidden."""
    if not who.may(Role.ADMINISTRATOR):
        raise Forbidden(f"{who.name} is {who.role}, this needs {Role.ADMINISTRATOR}")
    if who.tenant is not None and who.tenant != tenant:
        raise Forbidden(f"{who.name} manages tenant {who.tenant} only", f"只能管理租户 {who.tenant}")
    if not who.may(role):
        raise Forbidden(f"{who.name} cannot give the role {role}", "不能授予高于自己的角色")


def check_tenant(tenant: str | None) -> None:
    """Raises CitywardenError for a name that no tenant can have."""
    if tenant is not None and not TENANT.fullmatch(tenant):
        raise CitywardenError(
            f"{tenant!r} is no tenant: up to 64 letters, digits, `_`, `.` and `-`",
            f"“{tenant}”不能作租户名：不超过 64 个字母、数字、_ . -",
        )


def check_unit(unit: str, role: Role) -> None:
    """Raises CitywardenError for what is no unit, and for an administrator of one: who gives units has none."""
    if len(unit) > LONGEST_UNIT or not unit.isprintable() or unit != unit.strip():
        raise CitywardenError(
            f"{unit!r} is no unit: up to {LONGEST_UNIT} letters", f"“{unit}”不能作单位名：不超过 {LONGEST_UNIT} 个字"
        )
    if unit and role is Role.ADMINISTRATOR:
        raise CitywardenError(
            "an administrator belongs to no unit: make it a supervisor, or take the unit away",
            "管理员不能属于处置单位：请先取消单位，或改为监管",
        )


def add(connection: Connection, new: NewUser, kept: str, once: bool, by: str, now_ms: int) -> User:
    """Make a user. `kept`: hash of the password; `once`: it has to be changed. Raises CitywardenError."""
    if not NAME.fullmatch(new.name) or new.name.casefold() in RESERVED:
        raise CitywardenError(
            f"{new.name!r} is no name: up to 64 letters, digits, `_`, `.`, `@` and `-`",
            f"“{new.name}”不能作用户名：不超过 64 个文字、数字、_ . @ -",
        )
    check_tenant(new.tenant)
    if connection.scalar(select(func.count()).where(func.lower(_t.c.name) == new.name.lower())):
        raise CitywardenError(f"there is a user {new.name} already", f"用户 {new.name} 已存在")
    check_unit(new.unit, new.role)
    user = User(new.name, new.role, new.tenant, once, True, now_ms, by, unit=new.unit)
    connection.execute(
        insert(_t).values(
            name=user.name, role=user.role.value, tenant=user.tenant, password=kept, must_change=once, enabled=True,
            created_ms=now_ms, created_by=by, unit=user.unit,
        )
    )  # fmt: skip
    return user


def get(connection: Connection, name: str) -> User:
    """Raises NotFound."""
    row = connection.execute(select(_t).where(_t.c.name == name)).mappings().first()
    if row is None:
        raise NotFound(f"no user {name!r}")
    return user_of(row)


def every(connection: Connection, tenant: str | None = None) -> list[User]:
    """All users (of a tenant), by name."""
    wanted = select(_t).order_by(_t.c.name)
    if tenant is not None:
        wanted = wanted.where(_t.c.tenant == tenant)
    return [user_of(row) for row in connection.execute(wanted).mappings()]


def units(connection: Connection, tenant: str | None = None) -> list[str]:
    """Units of the users that may come in (and see that tenant), by name."""
    wanted = select(_t.c.unit).where(_t.c.unit != "", _t.c.enabled).distinct().order_by(_t.c.unit)
    if tenant is not None:
        wanted = wanted.where(or_(_t.c.tenant.is_(None), _t.c.tenant == tenant))
    return [str(unit) for unit in connection.execute(wanted).scalars()]


def count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(_t)) or 0


def password_of(connection: Connection, name: str) -> str | None:
    """The kept hash of an enabled user, else None."""
    kept = connection.scalar(select(_t.c.password).where(_t.c.name == name, _t.c.enabled))
    return None if kept is None else str(kept)


def set_password(connection: Connection, name: str, kept: str, once: bool) -> None:
    connection.execute(update(_t).where(_t.c.name == name).values(password=kept, must_change=once))


def note_login(connection: Connection, name: str, now_ms: int) -> None:
    connection.execute(update(_t).where(_t.c.name == name).values(login_ms=now_ms))


def changed(user: User, change: UserChange) -> dict[str, object]:
    """The columns that a change makes different."""
    wanted: dict[str, object] = {}
    if change.role is not None and change.role is not user.role:
        wanted["role"] = change.role.value
    if change.tenant is not None and (change.tenant or None) != user.tenant:
        wanted["tenant"] = change.tenant or None
    if change.enabled is not None and change.enabled != user.enabled:
        wanted["enabled"] = change.enabled
    if change.unit is not None and change.unit != user.unit:
        wanted["unit"] = change.unit
    return wanted


def apply(connection: Connection, name: str, wanted: Mapping[str, object]) -> User:
    """Change a user's columns; returns the user as it is then. Raises CitywardenError, NotFound."""
    before = get(connection, name)
    if wanted:
        connection.execute(update(_t).where(_t.c.name == name).values(**wanted))
    _keep_one(connection, before)
    return get(connection, name)


def remove(connection: Connection, name: str) -> None:
    """Raises CitywardenError for the last administrator, NotFound."""
    before = get(connection, name)
    connection.execute(delete(_t).where(_t.c.name == name))
    _keep_one(connection, before)


def _keep_one(connection: Connection, before: User) -> None:
    """Somebody has to be left who can let others in. Inside the transaction, which the error undoes."""
    if before.role is not Role.ADMINISTRATOR or before.tenant is not None or not before.enabled:
        return
    left = connection.scalar(
        select(func.count()).where(_t.c.role == Role.ADMINISTRATOR.value, _t.c.enabled, _t.c.tenant.is_(None))
    )
    if not left:
        raise CitywardenError(
            f"{before.name} is the last administrator who sees every tenant",
            f"{before.name} 是最后一位可管理全部租户的管理员",
        )
