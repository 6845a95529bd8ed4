"""The identity of a database. Redis stores it to mark to which database its tickets belong.

Revision: 0005, after 0004.
"""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the migration."""
    table = op.create_table("identity", sa.Column("value", sa.Text, primary_key=True))
    op.bulk_insert(table, [{"value": uuid.uuid4().hex}])


def downgrade() -> None:
    """Revert the migration. After the next upgrade the database has another identity."""
    op.drop_table("identity")
