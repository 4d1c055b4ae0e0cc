"""Failed tries of a node, and what an operator holds. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column(
        "node_executions",
        sa.Column("tries", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.create_table(
        "holds",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id"),
    )
