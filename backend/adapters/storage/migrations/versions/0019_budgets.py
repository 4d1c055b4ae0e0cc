"""Budgets of calls of models. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their tables."""
    zero = sa.text("0")
    op.create_table(
        "budgets",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("scope_id", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("limit_amount", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("used", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("reserved", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("reserved >= 0", name="budgets_reserved_above_zero"),
    )
    kind = ["user_id", "scope", "scope_id", "period", "unit", "set_by"]
    op.create_index("budgets_by_kind", "budgets", kind, unique=True)
    of_runs = sa.text("scope = 'run'")
    op.create_index("budgets_by_scope", "budgets", ["scope_id"], sqlite_where=of_runs)
    op.create_table(
        "budget_reservations",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("node_exec_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("budget_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "node_exec_id", "key", "budget_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "budget_waits",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("node_exec_id", sa.Text(), nullable=False),
        sa.Column("budget_id", sa.Text(), nullable=False),
        sa.Column("need", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "node_exec_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("budget_waits_by_budget", "budget_waits", ["budget_id", "created_us"])
