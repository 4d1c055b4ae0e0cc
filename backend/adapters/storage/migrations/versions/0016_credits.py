"""The ledger of credits. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add its tables."""
    op.create_table(
        "credit_balances",
        sa.Column("user_id", sa.Text(), primary_key=True),
        sa.Column("balance", sa.Integer(), nullable=False),
        sa.CheckConstraint("balance >= 0", name="credit_balances_above_zero"),
    )
    op.create_table(
        "credit_transactions",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("balance", sa.Integer(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("graph_id", sa.Text()),
        sa.Column("run_id", sa.Text()),
        sa.PrimaryKeyConstraint("user_id", "key"),
    )
    op.create_index("credit_transactions_by_time", "credit_transactions", ["user_id", "created_us"])
