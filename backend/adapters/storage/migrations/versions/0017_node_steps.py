"""Steps inside node executions. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_END = (
    "(state = 'intent' AND ended_us IS NULL AND result IS NULL)"
    " OR (state = 'done' AND ended_us IS NOT NULL AND result IS NOT NULL)"
)


def upgrade() -> None:
    """Add their table."""
    zero = sa.text("0")
    op.create_table(
        "node_steps",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("node_exec_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("result", sa.Text()),
        sa.Column("calls", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("retries", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("cached_calls", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("cost_micro_usd", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("begun_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_us", sa.BigInteger()),
        sa.CheckConstraint(_END, name="node_steps_end_when_done"),
        sa.PrimaryKeyConstraint("run_id", "node_exec_id", "key"),
        sqlite_with_rowid=False,
    )
