"""The cases' tables: cases, their history, and the evidence kept with them."""

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, text

from citywarden.database import metadata

_Serial = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column that is called INTEGER."""

case = Table(
    "case_file",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", String(200), nullable=False),
    Column("number", String(40), nullable=False),
    Column("category", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("source", String(16), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("reported_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("reporter", Text, nullable=False),
    Column("text", Text, nullable=False, server_default=""),
    Column("place", Text, nullable=False, server_default=""),
    Column("district", Text, nullable=False, server_default=""),
    Column("lat", Float),
    Column("lon", Float),
    Column("alert", String(64)),
    Column("about", Text),
    Column("alert_resolved_ms", BigInteger),
    Column("unit", Text, nullable=False, server_default=""),
    Column("verified_ms", BigInteger),
    Column("accepted_ms", BigInteger),
    Column("filed_ms", BigInteger),
    Column("dispatched_ms", BigInteger),
    Column("begun_ms", BigInteger),
    Column("handled_ms", BigInteger),
    Column("checked_ms", BigInteger),
    Column("closed_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("deadline", Text),
    Column("handle", Text),
    Column("whole", Text),
    Column("asked", Text),
    Column("extensions", Integer, nullable=False, server_default="0"),
    Column("reworks", Integer, nullable=False, server_default="0"),
    Column("transfers", Integer, nullable=False, server_default="0"),
    Column("told_near", Boolean, nullable=False, server_default=text("false")),
    Column("told_overdue", Boolean, nullable=False, server_default=text("false")),
    # What is searched by, out of the deadlines above.
    Column("running_due_ms", BigInteger),
    Column("running_warn_ms", BigInteger),
    Column("handle_due_ms", BigInteger),
    Column("whole_due_ms", BigInteger),
    Column("uncounted", Boolean, nullable=False, server_default=text("false")),
    Column("alerted_due_ms", BigInteger),
    Column("version", Integer, nullable=False, server_default="1"),
)
_is_open = text("ended_ms IS NULL")
Index("ux_case_number", case.c.tenant, case.c.number, unique=True)
Index("ux_case_alert", case.c.alert, unique=True, sqlite_where=_is_open, postgresql_where=_is_open)
Index("ix_case_updated", case.c.updated_ms, case.c.id)
Index("ix_case_running_due", case.c.running_due_ms, sqlite_where=_is_open, postgresql_where=_is_open)
Index("ix_case_whole_due", case.c.whole_due_ms)

event = Table(
    "case_event",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("case_id", String(64), ForeignKey("case_file.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("change", String(24), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("by", Text),
    Column("why", String(24)),
    Column("note", Text),
    Column("unit", Text, nullable=False, server_default=""),
    Column("limit", Text),
    Column("due_ms", BigInteger),
    sqlite_autoincrement=True,
)

evidence = Table(
    "case_evidence",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("case_id", String(64), ForeignKey("case_file.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("sha256", String(64), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("type", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("place", String(8), nullable=False),
    Column("by", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
