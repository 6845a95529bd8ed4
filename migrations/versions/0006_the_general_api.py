"""Names, descriptions and tags of tasks, names and metadata of batches, unique keys, and indexes for lists of tasks.

Revision: 0006, after 0005.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS: dict[str, dict[str, type[sa.types.TypeEngine[Any]]]] = {
    "tasks": {
        "timeout": sa.Float,
        "name": sa.Text,
        "custom_id": sa.Text,
        "description": sa.Text,
        "parameters": sa.Text,
        "unique_key": sa.Text,
    },
    "batches": {"name": sa.Text, "metadata": sa.Text},
    "refusals": {"duplicate_of": sa.Text},
    "idempotency_keys": {"token": sa.Text},
    "workers": {"gone_at": sa.BigInteger},
}

LIVE = "unique_key IS NOT NULL AND state IN ('scheduled', 'queued', 'running')"

INDEXES = {
    "ix_tasks_task_type": (["task_type", "id"], None),
    "ix_tasks_priority": (["priority", "id"], "priority <> 'normal'"),
    "ix_tasks_owner": (["owner", "id"], "owner IS NOT NULL AND state <> 'running'"),
    "ix_tasks_urgent": (["priority", "id"], "state = 'queued' AND priority <> 'normal'"),
    "ix_tasks_waiting": (["id"], "state = 'scheduled'"),
    "ix_tasks_finished": (["id"], "state = 'finished'"),
    "ix_tasks_canceled": (["id"], "state = 'canceled'"),
    "ix_tasks_name": (["name"], "name IS NOT NULL"),
    "ix_tasks_custom_id": (["custom_id"], "custom_id IS NOT NULL"),
    "ix_tasks_unique_key": (["task_type", "unique_key"], LIVE),
}


def _index(name: str, table: str, columns: list[str], condition: str | None) -> None:
    where = sa.text(condition) if condition else None
    op.create_index(
        name, table, columns, unique=name == "ix_tasks_unique_key", sqlite_where=where, postgresql_where=where
    )


def upgrade() -> None:
    """Apply the migration."""
    for table, columns in COLUMNS.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind))
    op.create_table(
        "tags",
        sa.Column("tag", sa.Text, nullable=False),
        sa.Column("task_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("tag", "task_id", name="pk_tags"),
    )
    op.create_index("ix_tags_task_id", "tags", ["task_id"])
    op.create_table(
        "labels",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("batch_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("key", "value", "batch_id", name="pk_labels"),
    )
    op.drop_index("ix_tasks_batch_id", "tasks")
    _index("ix_tasks_batch_id", "tasks", ["batch_id", "id"], None)
    _index("ix_batches_name", "batches", ["name", "id"], "name IS NOT NULL")
    for name, (keys, condition) in INDEXES.items():
        _index(name, "tasks", keys, condition)


def downgrade() -> None:
    """Revert the migration. Gone workers are removed, and only running tasks have an owner.

    Names, descriptions, custom ids, tags, labels, parameters, timeouts and unique keys are lost.
    """
    for name in INDEXES:
        op.drop_index(name, "tasks")
    op.drop_index("ix_batches_name", "batches")
    op.drop_index("ix_tasks_batch_id", "tasks")
    op.create_index("ix_tasks_batch_id", "tasks", ["batch_id"])
    op.drop_table("labels")
    op.drop_table("tags")
    op.execute("DELETE FROM workers WHERE gone_at IS NOT NULL")
    op.execute("UPDATE tasks SET owner = NULL WHERE state <> 'running'")
    for table, columns in COLUMNS.items():
        for name in columns:
            op.drop_column(table, name)
