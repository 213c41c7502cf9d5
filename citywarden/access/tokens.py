"""Keys of programs: `cw_<id>_<secret>`, shown once and kept as a digest."""

import hashlib
import hmac
import re
import secrets

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import RowMapping

from citywarden.access import tables
from citywarden.access.scopes import parse_scopes
from citywarden.access.users import check_tenant, check_unit
from citywarden.model.access import NewToken, Token
from citywarden.model.errors import CitywardenError, NotFound
from citywarden.model.identity import Role

USED_EVERY_MS = 60_000
_NAME = re.compile(r"[\w.@-]{1,64}")
_SHAPE = re.compile(r"cw_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_t = tables.token


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def token_of(row: RowMapping) -> Token:
    """A row as a token."""
    return Token(
        row["id"], row["name"], Role(row["role"]), row["tenant"], tuple(str(row["scopes"]).split()), row["created_ms"],
        row["created_by"], row["expires_ms"], row["used_ms"], row["revoked_ms"], row["unit"],
    )  # fmt: skip


def add(connection: Connection, new: NewToken, by: str, now_ms: int) -> tuple[Token, str]:
    """Make a token; returns it, and its text, which cannot be had again. Raises CitywardenError."""
    if not _NAME.fullmatch(new.name):
        raise CitywardenError(
            f"{new.name!r} is no name: up to 64 letters, digits, `_`, `.`, `@` and `-`",
            f"“{new.name}”不能作令牌名：不超过 64 个文字、数字、_ . @ -",
        )
    check_tenant(new.tenant)
    if new.expires_ms is not None and new.expires_ms <= now_ms:
        raise CitywardenError("a token expires in the future", "令牌的到期时间必须在将来")
    if any(one.name == new.name and one.good(now_ms) for one in every(connection)):
        raise CitywardenError(
            f"there is a token {new.name} already; revoke it first", f"令牌 {new.name} 已存在，请先吊销"
        )
    try:
        scopes = parse_scopes(new.scopes)
    except ValueError as error:
        raise CitywardenError(str(error), "范围不正确，应如 readings:read、alerts:write、*:read") from None
    key, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    check_unit(new.unit, new.role)
    token = Token(key, new.name, new.role, new.tenant, scopes, now_ms, by, new.expires_ms, unit=new.unit)
    connection.execute(
        insert(_t).values(
            id=key, name=new.name, digest=_digest(secret), role=new.role.value, tenant=new.tenant,
            scopes=" ".join(scopes), created_ms=now_ms, created_by=by, expires_ms=new.expires_ms, unit=new.unit,
        )
    )  # fmt: skip
    return token, f"cw_{key}_{secret}"


def recognise(connection: Connection, text: str, now_ms: int) -> Token | None:
    """The good token whose text that is; notes that it was used."""
    shape = _SHAPE.fullmatch(text)
    row = connection.execute(select(_t).where(_t.c.id == shape[1])).mappings().first() if shape else None
    if row is None or shape is None or not hmac.compare_digest(str(row["digest"]), _digest(shape[2])):
        return None
    token = token_of(row)
    if not token.good(now_ms):
        return None
    if token.used_ms is None or now_ms - token.used_ms >= USED_EVERY_MS:
        connection.execute(update(_t).where(_t.c.id == token.id).values(used_ms=now_ms))
    return token


def every(connection: Connection, tenant: str | None = None) -> list[Token]:
    """All tokens (of a tenant), newest first; those that are over, too."""
    wanted = select(_t).order_by(_t.c.created_ms.desc(), _t.c.id)
    if tenant is not None:
        wanted = wanted.where(_t.c.tenant == tenant)
    return [token_of(row) for row in connection.execute(wanted).mappings()]


def get(connection: Connection, name_or_id: str, now_ms: int) -> Token:
    """The token of that id, or the good one of that name. Raises NotFound."""
    found = [t for t in every(connection) if t.id == name_or_id or (t.name == name_or_id and t.good(now_ms))]
    if not found:
        raise NotFound(f"no token {name_or_id!r}")
    return found[0]


def revoke(connection: Connection, key: str, now_ms: int) -> None:
    connection.execute(update(_t).where(_t.c.id == key, _t.c.revoked_ms.is_(None)).values(revoked_ms=now_ms))
