"""Texts are compared byte by byte, whatever the locale of the database. SQLite does so already.

Revision: 0007, after 0006.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TEXTS = {
    "api_keys": "public_id name role digest",
    "attempts": "token worker code error traceback",
    "batches": "public_id name metadata",
    "events": "token text",
    "held_lists": "list",
    "idempotency_keys": "scope key digest token",
    "identity": "value",
    "labels": "key value",
    "queues": "priority",
    "refusals": "item errors duplicate_of",
    "tags": "tag",
    "tasks": "token task_type priority lane data state code error result note canceled_by cancel_reason name custom_id "
    "description parameters unique_key",
    "workers": "kind name host machine pid_started",
}
"""The columns of type TEXT of each table."""


def upgrade() -> None:
    """Apply the migration. PostgreSQL builds the indexes on these columns again; no row is written."""
    _collate("C")


def downgrade() -> None:
    """Revert the migration. Texts are compared as the locale of the database says."""
    _collate("default")


def _collate(collation: str) -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table, columns in TEXTS.items():
        changes = [f'ALTER COLUMN "{column}" TYPE TEXT COLLATE "{collation}"' for column in columns.split()]
        op.execute(f"ALTER TABLE {table} {', '.join(changes)}")
