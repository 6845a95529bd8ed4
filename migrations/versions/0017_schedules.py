"""Schedules, and their last ticks.

Revision: 0017, after 0016.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""The type of a text column, which is compared byte by byte on every database."""

RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "schedules",
        sa.Column("id", RowId, nullable=False),
        sa.Column("public_id", Text, nullable=False),
        sa.Column("declared_as", Text),
        sa.Column("version", sa.Integer),
        sa.Column("declared_at", sa.BigInteger),
        sa.Column("request", Text, nullable=False),
        sa.Column("data", Text, nullable=False),
        sa.Column("is_batch", sa.Integer, nullable=False),
        sa.Column("lane", Text, nullable=False),
        sa.Column("priority", Text, nullable=False),
        sa.Column("cron", Text),
        sa.Column("every", sa.Float),
        sa.Column("timezone", Text, nullable=False),
        sa.Column("start_at", sa.BigInteger),
        sa.Column("end_at", sa.BigInteger),
        sa.Column("overlap", Text, nullable=False),
        sa.Column("catch_up", Text, nullable=False),
        sa.Column("jitter", sa.Float, nullable=False),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("last_at", sa.BigInteger),
        sa.Column("paused_at", sa.BigInteger),
        sa.Column("paused_by", Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("ticks", sa.Integer, nullable=False),
        sa.Column("last_token", Text),
        sa.Column("last_batch", Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schedules"),
        sa.UniqueConstraint("public_id", name="uq_schedules_public_id"),
        sa.UniqueConstraint("declared_as", name="uq_schedules_declared_as"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_schedules_next_at", "schedules", ["next_at"])
    op.create_table(
        "ticks",
        sa.Column("schedule_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("cause", Text, nullable=False),
        sa.Column("result", Text, nullable=False),
        sa.Column("token", Text),
        sa.Column("batch", Text),
        sa.Column("error", Text),
        sa.PrimaryKeyConstraint("schedule_id", "number", name="pk_ticks"),
    )


def downgrade() -> None:
    """Revert the migration. All schedules are lost."""
    op.drop_table("ticks")
    op.drop_table("schedules")
