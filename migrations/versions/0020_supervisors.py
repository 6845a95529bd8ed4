"""Supervisors: how many workers each of them runs, and the bounds of this number.

Revision: 0020, after 0019.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""The type of a text column, which is compared byte by byte on every database."""


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "supervisors",
        sa.Column("host", Text, nullable=False),
        sa.Column("machine", Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("pid_started", Text, nullable=False),
        sa.Column("beat_at", sa.BigInteger),
        sa.Column("minimum", sa.Integer, nullable=False),
        sa.Column("maximum", sa.Integer, nullable=False),
        sa.Column("wanted", sa.Integer, nullable=False),
        sa.Column("automatic", sa.Integer, nullable=False),
        sa.Column("settings", Text, nullable=False),
        sa.Column("running", sa.Integer, nullable=False),
        sa.Column("draining", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("host", name="pk_supervisors"),
    )


def downgrade() -> None:
    """Revert the migration. Each supervisor then runs as many workers as its settings say."""
    op.drop_table("supervisors")
