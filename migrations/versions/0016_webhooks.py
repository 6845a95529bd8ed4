"""Webhooks: who is told of ends, what they must hear of, and each try to deliver it.

Revision: 0016, after 0015.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""The type of a text column, which is compared byte by byte on every database."""

RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the migration."""
    for name in ("batches", "tasks"):
        op.add_column(name, sa.Column("webhook", Text))
    op.create_table(
        "listening",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("has_own", sa.Integer, nullable=False),
        sa.Column("secret", Text),
        sa.PrimaryKeyConstraint("id", name="pk_listening"),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", RowId, nullable=False),
        sa.Column("public_id", Text, nullable=False),
        sa.Column("url", Text, nullable=False),
        sa.Column("own", sa.Integer, nullable=False),
        sa.Column("events", Text, nullable=False),
        sa.Column("headers", Text),
        sa.Column("description", Text),
        sa.Column("task_type", Text),
        sa.Column("tag", Text),
        sa.Column("batch", Text),
        sa.Column("secret", Text),
        sa.Column("previous_secret", Text),
        sa.Column("previous_until", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("disabled_at", sa.BigInteger),
        sa.Column("disabled_why", Text),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.BigInteger),
        sa.Column("leased_until", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
        sa.UniqueConstraint("public_id", name="uq_webhooks_public_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "outbox",
        sa.Column("id", RowId, nullable=False),
        sa.Column("webhook_id", sa.BigInteger),
        sa.Column("url", Text),
        sa.Column("batch", Text),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("ends", Text, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("message", Text),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_webhook_id", "outbox", ["webhook_id", "at"])
    op.create_index("ix_outbox_at", "outbox", ["at"])
    waiting = sa.text("state = 'waiting'")
    columns = ["webhook_id", "sequence", "id"]
    op.create_index("ix_outbox_waiting", "outbox", columns, sqlite_where=waiting, postgresql_where=waiting)
    op.create_table(
        "deliveries",
        sa.Column("id", RowId, nullable=False),
        sa.Column("webhook_id", sa.BigInteger, nullable=False),
        sa.Column("message", Text, nullable=False),
        sa.Column("type", Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("outcome", Text, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("answer", Text, nullable=False),
        sa.Column("problem", Text),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_at", "deliveries", ["at"])
    op.create_index("ix_deliveries_webhook_id", "deliveries", ["webhook_id", "id"])


def downgrade() -> None:
    """Revert the migration. All webhooks are lost, with what they have not heard yet."""
    for name in ("deliveries", "outbox", "webhooks", "listening"):
        op.drop_table(name)
    for name in ("tasks", "batches"):
        op.drop_column(name, "webhook")
