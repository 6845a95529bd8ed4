"""Due and expiry times of tasks, their maximum of attempts, records of failed attempts, and paused queues.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

PARTIAL = {
    "ix_tasks_scheduled": ("due_at", sa.text("state = 'scheduled'")),
    "ix_tasks_failed": ("id", sa.text("state = 'failed'")),
    "ix_tasks_expiring": ("expires_at", sa.text("expires_at IS NOT NULL AND state IN ('queued', 'scheduled')")),
}


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("tasks", sa.Column("due_at", sa.BigInteger))
    op.add_column("tasks", sa.Column("expires_at", sa.BigInteger))
    op.add_column("tasks", sa.Column("max_attempts", sa.Integer))
    op.add_column("tasks", sa.Column("forgiven", sa.Integer, nullable=False, server_default="0"))
    for name, (column, condition) in PARTIAL.items():
        op.create_index(name, "tasks", [column], sqlite_where=condition, postgresql_where=condition)
    op.create_table(
        "attempts",
        sa.Column("id", row_id, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("traceback", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_token", "attempts", ["token"])
    op.create_table(
        "queues",
        sa.Column("priority", sa.Text, nullable=False),
        sa.Column("paused_at", sa.BigInteger),
        sa.Column("resumed_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("priority", name="pk_queues"),
    )


def downgrade() -> None:
    """Revert the migration. Scheduled tasks are queued at once, and no queue is paused.

    Due times, expiry times, maximums of attempts and records of failed attempts are lost.
    """
    op.drop_table("queues")
    op.drop_table("attempts")
    for name in PARTIAL:
        op.drop_index(name, "tasks")
    op.execute("UPDATE tasks SET state = 'queued', pushed_at = NULL WHERE state = 'scheduled'")
    for name in ("forgiven", "max_attempts", "expires_at", "due_at"):
        op.drop_column("tasks", name)
