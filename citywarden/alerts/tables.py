"""The alerts' tables: what is open, what happened, what has to be told to whom, how far the log is judged."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from citywarden.database import metadata

_Serial = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column that is called INTEGER."""

alert = Table(
    "alert",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("raised_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("resolved_ms", BigInteger),
    Column("value", Float),
    Column("unit", Text, nullable=False),
    Column("threshold", Float),
    Column("lat", Float),
    Column("lon", Float),
    Column("summary", Text, nullable=False),
    Column("runbook", Text),
    Column("acknowledged_by", Text),
    Column("note", Text),
    Column("stale", Boolean, nullable=False),
    Column("district", Text, nullable=False),
    Column("assigned_to", Text),
    Column("closed_by", Text),
    Column("closed_ms", BigInteger),
    Column("hold", String(16), nullable=False, server_default=""),
    Column("version", Integer, nullable=False),
    Column("told", Text, nullable=False),
    Column("asked_ms", BigInteger),
)
_is_open = text("status <> 'resolved'")
Index(
    "ux_alert_open",
    alert.c.tenant,
    alert.c.rule,
    alert.c.subject,
    unique=True,
    sqlite_where=_is_open,
    postgresql_where=_is_open,
)
Index("ix_alert_updated", alert.c.updated_ms, alert.c.id)

alert_event = Table(
    "alert_event",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("alert_id", String(64), ForeignKey("alert.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("change", String(16), nullable=False),
    Column("by", Text),
    Column("note", Text),
    Column("snapshot", Text, nullable=False),
    Column("writer", String(32), nullable=False, server_default=""),
    sqlite_autoincrement=True,
)
Index("ix_alert_event_at", alert_event.c.at_ms)

silence = Table(
    "silence",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("starts_ms", BigInteger, nullable=False),
    Column("ends_ms", BigInteger, nullable=False, index=True),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("ended_by", Text),
    Column("matcher", Text, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("target", Text, nullable=False),
    Column("event_id", String(64), ForeignKey("alert_event.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("alert_id", String(64), nullable=False, index=True),
    Column("priority", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("digest", String(64)),
    Column("attempts", Integer, nullable=False),
    Column("first_ms", BigInteger),
    Column("next_ms", BigInteger),
    Column("done_ms", BigInteger),
    Column("status_code", Integer),
    Column("detail", Text),
    sqlite_autoincrement=True,
)
_is_waiting = text("state = 'waiting'")
Index(
    "ix_outbox_waiting",
    outbox.c.target,
    outbox.c.priority.desc(),
    outbox.c.seq,
    sqlite_where=_is_waiting,
    postgresql_where=_is_waiting,
)

delivery_attempt = Table(
    "delivery_attempt",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("delivery", BigInteger, ForeignKey("outbox.seq", ondelete="CASCADE"), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("code", Integer),
    Column("detail", Text),
)

target_state = Table(
    "target_state",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("disabled_ms", BigInteger),
    Column("held_until_ms", BigInteger),
    Column("detail", Text),
)

position = Table(
    "position",
    metadata,
    Column("consumer", String(200), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, nullable=False),
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("position", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
