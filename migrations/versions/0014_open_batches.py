"""Open batches, which get their elements from many requests, and what is known about each of these requests.

Revision: 0014, after 0013.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""The type of a text column, which is compared byte by byte on every database."""

SEAL = """
UPDATE batches SET open = open - 1, finished_at = CASE WHEN open = 1 THEN filled_at END WHERE filled_at IS NOT NULL
"""


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("batches", sa.Column("task_type", Text))
    op.add_column("batches", sa.Column("filled_at", sa.BigInteger))
    op.add_column("batches", sa.Column("sealed_by", Text))
    _partial_index("ix_batches_filled", "batches", ["filled_at"], "filled_at IS NOT NULL")
    op.create_table(
        "parts",
        sa.Column("batch_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("start", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("after", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("in_line", sa.Integer, nullable=False),
        sa.Column("sender", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "start", name="pk_parts"),
    )
    _partial_index("ix_parts_unpushed", "parts", ["batch_id", "start"], "sender IS NOT NULL")


def downgrade() -> None:
    """Revert the migration. Open batches are sealed, and the audit pushes what was not pushed yet."""
    op.drop_table("parts")
    op.execute(SEAL)
    op.drop_index("ix_batches_filled", "batches")
    for name in ("sealed_by", "filled_at", "task_type"):
        op.drop_column("batches", name)
