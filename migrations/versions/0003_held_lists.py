"""Lists that are full in Redis, and the index by which their tasks go on in order.

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
    """Make the change."""
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
    """Take the change back: which lists are full is lost, and found out again; the tasks that wait for them stay."""
    op.drop_index("ix_tasks_unpushed", "tasks")
    op.create_index("ix_tasks_unpushed", "tasks", ["id"], sqlite_where=UNPUSHED, postgresql_where=UNPUSHED)
    op.drop_table("held_lists")
