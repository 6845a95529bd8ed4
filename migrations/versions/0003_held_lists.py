"""Lists that are full in Redis, and the index for pushing their waiting tickets in order.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UNPUSHED = sa.text("state = 'queued' AND pushed_at IS NULL")


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "held_lists",
        sa.Column("list", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("list", name="pk_held_lists"),
    )
    op.drop_index("ix_tasks_unpushed", "tasks")
    op.create_index(
        "ix_tasks_unpushed", "tasks", ["priority", "lane", "id"], sqlite_where=UNPUSHED, postgresql_where=UNPUSHED
    )


def downgrade() -> None:
    """Revert the migration. The full lists are lost and detected again. The waiting tasks are kept."""
    op.drop_index("ix_tasks_unpushed", "tasks")
    op.create_index("ix_tasks_unpushed", "tasks", ["id"], sqlite_where=UNPUSHED, postgresql_where=UNPUSHED)
    op.drop_table("held_lists")
