"""Feeds: the ends that clients of `GET /events` get.

Revision: 0019, after 0018.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""The type of a text column, which is compared byte by byte on every database."""

RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "feeds",
        sa.Column("id", RowId, nullable=False),
        sa.Column("batch", Text, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("gone_sequence", sa.BigInteger, nullable=False),
        sa.Column("gone_row", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feeds"),
        sa.UniqueConstraint("batch", name="uq_feeds_batch"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "feed_ends",
        sa.Column("id", RowId, nullable=False),
        sa.Column("feed_id", sa.BigInteger, nullable=False),
        sa.Column("batch", Text),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("ends", Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feed_ends"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_feed_ends_feed_id", "feed_ends", ["feed_id", "sequence", "id"])


def downgrade() -> None:
    """Revert the migration. Clients that listen read again what they need."""
    op.drop_table("feed_ends")
    op.drop_table("feeds")
