"""Find failed tasks by their code, their type and their batch.

Revision: 0021, after 0020.
"""

from alembic import op
from sqlalchemy import text

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

FAILED = text("state = 'failed'")

COLUMNS = ("code", "task_type", "batch_id")


def upgrade() -> None:
    """Apply the migration."""
    for column in COLUMNS:
        op.create_index(
            f"ix_tasks_failed_{column}", "tasks", [column, "id"], sqlite_where=FAILED, postgresql_where=FAILED
        )


def downgrade() -> None:
    """Revert the migration."""
    for column in COLUMNS:
        op.drop_index(f"ix_tasks_failed_{column}", table_name="tasks")
