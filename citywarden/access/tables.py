"""The tables of users, sessions, tokens and the audit."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, String, Table, Text, UniqueConstraint, false, true

from citywarden.database import metadata

user = Table(
    "access_user",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("tenant", String(64)),
    Column("password", Text, nullable=False),
    Column("must_change", Boolean, nullable=False, server_default=false()),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("created_ms", BigInteger, nullable=False, server_default="0"),
    Column("created_by", String(200), nullable=False, server_default=""),
    Column("login_ms", BigInteger),
    Column("unit", String(200), nullable=False, server_default=""),
)

session = Table(
    "access_session",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("name", String(64), nullable=False, index=True),
    Column("created_ms", BigInteger, nullable=False, server_default="0"),
    Column("seen_ms", BigInteger, nullable=False, server_default="0"),
    Column("expires_ms", BigInteger, nullable=False, server_default="0"),
    Column("address", String(64), nullable=False, server_default=""),
    Column("agent", String(200), nullable=False, server_default=""),
)

token = Table(
    "access_token",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("tenant", String(64)),
    Column("scopes", Text, nullable=False, server_default=""),
    Column("created_ms", BigInteger, nullable=False, server_default="0"),
    Column("created_by", String(200), nullable=False, server_default=""),
    Column("expires_ms", BigInteger),
    Column("used_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    Column("unit", String(200), nullable=False, server_default=""),
)

bucket = Table(
    "access_try",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("left", Float, nullable=False),
    Column("at_ms", BigInteger, nullable=False, index=True),
)
"""Failed logins: what is left of a bucket. `digest`: of an address or a user's name: people type passwords there."""


def _note() -> list[Column[Any]]:
    """What a note says beside its time."""
    return [
        Column("by", String(200), nullable=False),
        Column("tenant", String(64)),
        Column("action", String(100), nullable=False),
        Column("subject", Text, nullable=False, server_default=""),
        Column("detail", Text, nullable=False, server_default=""),
        Column("source", String(200), nullable=False, server_default=""),
    ]


audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False, index=True),
    *_note(),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    UniqueConstraint("previous"),
)
"""`previous` is unique, so that two writers at once cannot both follow the same entry: the later one tries again."""

intention = Table(
    "audit_intention",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    *_note(),
)
"""What is under way: the entries that it would make, until they are made. A row is there for milliseconds."""
