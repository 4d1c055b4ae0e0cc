"""Answers of models that may be taken again, counted. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their table, and the count of those that were taken."""
    zero = sa.text("0")
    op.add_column(
        "model_usage",
        sa.Column("cached_calls", sa.Integer(), nullable=False, server_default=zero),
    )
    op.create_table(
        "model_answers",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("root_id", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "key"),
    )
    op.create_index("model_answers_by_age", "model_answers", ["user_id", "created_us"])
    op.create_index("model_answers_by_run", "model_answers", ["root_id"])
    op.create_index("model_answers_by_end", "model_answers", ["until_us"])
