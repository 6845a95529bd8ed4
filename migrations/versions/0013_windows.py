"""Batches of which not all tickets are in Redis. They replace the lists that were full.

Revision: 0013, after 0012.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""The type of a text column, which is compared byte by byte on every database."""


def upgrade() -> None:
    """Apply the migration. The tickets of the full lists stay marked as not pushed, and join the lines so."""
    op.create_table(
        "windows",
        sa.Column("batch_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("list", Text, nullable=False),
        sa.Column("priority", Text, nullable=False),
        sa.Column("lane", Text, nullable=False),
        sa.Column("after", sa.BigInteger, nullable=False),
        sa.Column("turn", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "list", name="pk_windows"),
    )
    op.create_index("ix_windows_list_turn", "windows", ["list", "turn"])
    op.create_table(
        "fills",
        sa.Column("list", Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("length", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("list", name="pk_fills"),
    )
    op.drop_table("held_lists")


def downgrade() -> None:
    """Revert the migration. The audit pushes what waited in line, since it looks as if Redis had lost it."""
    op.create_table(
        "held_lists",
        sa.Column("list", Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("list", name="pk_held_lists"),
    )
    op.drop_table("fills")
    op.drop_table("windows")
