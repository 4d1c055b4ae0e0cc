"""Sums of what was asked of models. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their table."""
    zero = sa.text("0")
    op.create_table(
        "model_usage",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("graph_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("retries", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("cost_micro_usd", sa.BigInteger(), nullable=False, server_default=zero),
        sa.PrimaryKeyConstraint("user_id", "day", "graph_id", "model"),
        sqlite_with_rowid=False,
    )
