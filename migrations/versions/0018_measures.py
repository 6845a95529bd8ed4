"""What processes have counted and measured, and what each worker says of itself with its heartbeat.

Revision: 0018, after 0017.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""The type of a text column, which is compared byte by byte on every database."""


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "measures",
        sa.Column("minute", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("metric", Text, nullable=False),
        sa.Column("labels", Text, nullable=False),
        sa.Column("bucket", Text, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("minute", "metric", "labels", "bucket", name="pk_measures"),
    )
    op.add_column("workers", sa.Column("version", Text))
    op.add_column("workers", sa.Column("lanes", Text))
    op.add_column("workers", sa.Column("finished", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("workers", sa.Column("failed", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("workers", sa.Column("beat_at", sa.BigInteger))


def downgrade() -> None:
    """Revert the migration."""
    for name in ("beat_at", "failed", "finished", "lanes", "version"):
        op.drop_column("workers", name)
    op.drop_table("measures")
