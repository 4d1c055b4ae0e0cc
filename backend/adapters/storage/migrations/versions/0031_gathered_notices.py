"""What repeats is told together in chats, too; alerts about silence are found by an index.

Mark: pre (safe before the new program runs).
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what has been gathered for each channel, and for how many a message stands."""
    op.add_column(
        "notice_sends", sa.Column("told", sa.Integer(), nullable=False, server_default=sa.text("1"))
    )
    op.create_table(
        "notice_gathered",
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("told_us", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("first_us", sa.BigInteger()),
        sa.Column("last_id", sa.Text()),
        sa.Column("due_us", sa.BigInteger()),
        sa.PrimaryKeyConstraint("channel_id", "cause"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "notice_gathered_due", "notice_gathered", ["due_us"],
        sqlite_where=sa.text("due_us IS NOT NULL"),
        postgresql_where=sa.text("due_us IS NOT NULL"),
    )  # fmt: skip
    op.create_index(
        "agent_alerts_silent", "agent_alerts", ["graph_id"],
        sqlite_where=sa.text("kind = 'no_run_for'"),
        postgresql_where=sa.text("kind = 'no_run_for'"),
    )  # fmt: skip
