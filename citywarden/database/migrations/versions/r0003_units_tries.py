"""Units that users and tokens belong to, and failed logins that outlive a restart."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for table in ("access_user", "access_token"):
        op.add_column(table, sa.Column("unit", sa.String(length=200), server_default="", nullable=False))
    op.create_table(
        "access_try",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("left", sa.Float(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_access_try")),
    )
    op.create_index(op.f("ix_access_try_at_ms"), "access_try", ["at_ms"], unique=False)
