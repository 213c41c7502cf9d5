"""Tables: which device was given credentials, what the embedded broker knows, claim keys and claims."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, UniqueConstraint

from citywarden.database import metadata

credentials = Table(
    "device_credential",
    metadata,
    Column("login", String(256), primary_key=True),
    Column("digest", String(128), nullable=False),
    Column("issued_ms", BigInteger, nullable=False),
    Column("pending", String(16), nullable=False, server_default=""),
)
"""`pending`: what the broker has not been told yet."""

accounts = Table(
    "broker_account",
    metadata,
    Column("login", String(256), primary_key=True),
    Column("client_id", String(256)),
    Column("digest", String(128), nullable=False),
    Column("allowed", Boolean, nullable=False),
    Column("removed", Boolean, nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),
)
"""The embedded broker's own accounts; `revision` counts up with every change."""

claim_keys = Table(
    "claim_key",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("secret", String(128), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("made_ms", BigInteger, nullable=False),
)

claims = Table(
    "claim",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("serial", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked_ms", BigInteger),
    Column("decided_ms", BigInteger),
    Column("decided_by", String(256), nullable=False, server_default=""),
    UniqueConstraint("tenant", "kind", "serial"),
)
"""What became of devices that asked."""

claim_nonces = Table(
    "claim_nonce",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("nonce", String(128), primary_key=True),
    Column("ts_ms", BigInteger, nullable=False, index=True),
)
"""Nonces of the last minutes: a request is taken once."""
