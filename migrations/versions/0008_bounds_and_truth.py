"""Custom ids of refused elements, keys that canceled tasks, and what a used Idempotency-Key still says after a removal.

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""The type of a text column, which is compared byte by byte on every database."""


def _custom_id(*columns: str) -> None:
    where = sa.text("custom_id IS NOT NULL")
    op.create_index("ix_tasks_custom_id", "tasks", list(columns), sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("refusals", sa.Column("custom_id", Text))
    op.add_column("tasks", sa.Column("canceled_key", Text))
    op.add_column("idempotency_keys", sa.Column("batch", Text))
    op.add_column("idempotency_keys", sa.Column("elements", sa.Integer))
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.drop_index("ix_tasks_custom_id", "tasks")
    _custom_id("custom_id", "id")


def downgrade() -> None:
    """Revert the migration. Custom ids of refused elements and the names of keys that canceled tasks are lost."""
    op.drop_index("ix_tasks_custom_id", "tasks")
    _custom_id("custom_id")
    op.drop_index("ix_idempotency_keys_created_at", "idempotency_keys")
    op.drop_column("idempotency_keys", "elements")
    op.drop_column("idempotency_keys", "batch")
    op.drop_column("tasks", "canceled_key")
    op.drop_column("refusals", "custom_id")
