"""Continuations: the tasks that follow when a batch or a task has ended. Batches that a bulk retry reopens.

Revision: 0015, after 0014.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""The type of a text column, which is compared byte by byte on every database."""

CLOSE = """
UPDATE batches SET open = open - 1, finished_at = CASE WHEN open = 1 THEN reopening_until END
WHERE reopening_until IS NOT NULL
"""


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("batches", sa.Column("continues", sa.Integer))
    op.add_column("batches", sa.Column("reopening_until", sa.BigInteger))
    op.add_column("tasks", sa.Column("continues", sa.Integer))
    op.add_column("tasks", sa.Column("parent", Text))
    _partial_index("ix_batches_reopening", "batches", ["reopening_until"], "reopening_until IS NOT NULL")
    _partial_index("ix_tasks_parent", "tasks", ["parent", "id"], "parent IS NOT NULL")
    op.create_table(
        "continuations",
        sa.Column("parent", Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("condition", Text, nullable=False),
        sa.Column("task_type", Text, nullable=False),
        sa.Column("task", Text, nullable=False),
        sa.PrimaryKeyConstraint("parent", "position", name="pk_continuations"),
    )


def downgrade() -> None:
    """Revert the migration. Continuations that have not run yet are lost, and bulk retries count as done."""
    op.drop_table("continuations")
    op.drop_index("ix_tasks_parent", "tasks")
    op.execute(CLOSE)
    op.drop_index("ix_batches_reopening", "batches")
    for table, name in (
        ("tasks", "parent"),
        ("tasks", "continues"),
        ("batches", "reopening_until"),
        ("batches", "continues"),
    ):
        op.drop_column(table, name)
