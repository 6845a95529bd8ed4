"""How many workers ended by themselves while they ran a task.

Revision: 0011, after 0010.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("tasks", sa.Column("resignations", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Revert the migration. It is lost how many workers ended by themselves."""
    op.drop_column("tasks", "resignations")
