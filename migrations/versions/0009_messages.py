"""Messages of the message queues.

Revision: 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""The type of a text column, which is compared byte by byte on every database."""

RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _index(name: str, condition: str, *columns: str, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, "messages", list(columns), unique=unique, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "messages",
        sa.Column("id", RowId, nullable=False),
        sa.Column("queue", Text, nullable=False),
        sa.Column("body", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("deliveries", sa.Integer, nullable=False),
        sa.Column("leased_until", sa.BigInteger),
        sa.Column("receipt", Text),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sqlite_autoincrement=True,
    )
    _index("ix_messages_waiting", "leased_until IS NULL", "queue", "id")
    _index("ix_messages_leased", "leased_until IS NOT NULL", "queue", "leased_until")
    _index("ix_messages_receipt", "receipt IS NOT NULL", "receipt", unique=True)


def downgrade() -> None:
    """Revert the migration. All messages are lost."""
    op.drop_table("messages")
