"""Conversations with the copilot. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their tables."""
    zero = sa.text("0")
    op.create_table(
        "chats",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text()),
        sa.Column("messages", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("run_id", sa.Text()),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("chats_by_user", "chats", ["user_id", "updated_us", "id"])
    op.create_index("chats_by_age", "chats", ["updated_us"])
    op.create_table(
        "chat_messages",
        sa.Column("chat_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chat_id", "number"),
        sqlite_with_rowid=False,
    )
