"""Triggers that this server watches itself. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "trigger_states",
        sa.Column("webhook_id", sa.Text(), primary_key=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.Column("leased_by", sa.Text()),
        sa.Column("is_woken", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("state", sa.Text(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("failures", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("error", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("looked_us", sa.BigInteger()),
    )
    op.create_index("trigger_states_by_time", "trigger_states", ["next_us"])
    op.create_index("trigger_states_by_user", "trigger_states", ["user_id"])
