"""Calls whose tokens are estimates, counted. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the count to what steps used, and to its sums."""
    for table in ("node_steps", "model_usage"):
        op.add_column(
            table,
            sa.Column("estimated_calls", sa.Integer(), nullable=False, server_default=sa.text("0")),
        )
