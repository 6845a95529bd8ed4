"""The progress and the log lines of runs, who canceled a task, and the name of a worker in Redis.

Revision: 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("workers", sa.Column("name", sa.Text, nullable=False, server_default=""))
    op.add_column("tasks", sa.Column("progress", sa.Float))
    op.add_column("tasks", sa.Column("note", sa.Text))
    op.add_column("tasks", sa.Column("canceled_by", sa.Text))
    op.add_column("tasks", sa.Column("cancel_reason", sa.Text))
    op.create_table(
        "events",
        sa.Column("id", row_id, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_token", "events", ["token"])


def downgrade() -> None:
    """Revert the migration. Log lines, progress, who canceled a task and why, and names of workers are lost."""
    op.drop_table("events")
    for name in ("cancel_reason", "canceled_by", "note", "progress"):
        op.drop_column("tasks", name)
    op.drop_column("workers", "name")
