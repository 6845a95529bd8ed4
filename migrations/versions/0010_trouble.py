"""Why a worker cannot do its work.

Revision: 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("workers", sa.Column("trouble", sa.Text().with_variant(sa.Text(collation="C"), "postgresql")))


def downgrade() -> None:
    """Revert the migration. It is lost why workers cannot do their work."""
    op.drop_column("workers", "trouble")
