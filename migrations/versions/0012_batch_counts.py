"""The counts of a batch: how many of its tasks are scheduled, failed and canceled. Which tasks are being pushed.

Revision: 0012, after 0011.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

COUNTED = ("scheduled", "failed", "canceled")

COUNT = """
UPDATE batches SET scheduled = counted.scheduled, failed = counted.failed, canceled = counted.canceled
FROM (
    SELECT batch_id, sum(CASE state WHEN 'scheduled' THEN 1 ELSE 0 END) AS scheduled,
        sum(CASE state WHEN 'failed' THEN 1 ELSE 0 END) AS failed,
        sum(CASE state WHEN 'canceled' THEN 1 ELSE 0 END) AS canceled
    FROM tasks WHERE batch_id IS NOT NULL AND state IN ('scheduled', 'failed', 'canceled') GROUP BY batch_id
) AS counted
WHERE batches.id = counted.batch_id
"""


def _running(*columns: str) -> None:
    where = sa.text("state = 'running'")
    op.create_index("ix_tasks_running", "tasks", list(columns), sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    """Apply the migration. It counts the tasks that are there."""
    for name in COUNTED:
        op.add_column("batches", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.execute(COUNT)
    op.drop_index("ix_tasks_running", "tasks")
    _running("owner", "batch_id")
    where = sa.text("state = 'queued' AND pushed_at < 0")
    op.create_index("ix_tasks_being_pushed", "tasks", ["id"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Revert the migration. The counts are lost; an earlier version counts the tasks at each request."""
    op.drop_index("ix_tasks_being_pushed", "tasks")
    op.execute("UPDATE tasks SET pushed_at = NULL WHERE pushed_at < 0")
    op.execute("UPDATE batches SET push_failed_at = NULL WHERE push_failed_at < 0")
    op.drop_index("ix_tasks_running", "tasks")
    _running("owner")
    for name in reversed(COUNTED):
        op.drop_column("batches", name)
