"""API keys. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of keys."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), primary_key=True, nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("tail", sa.Text(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("previous_head", sa.Text()),
        sa.Column("previous_tail", sa.Text()),
        sa.Column("previous_salt", sa.Text()),
        sa.Column("previous_hash", sa.Text()),
        sa.Column("previous_until_us", sa.BigInteger()),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger()),
        sa.Column("last_used_us", sa.BigInteger()),
        sa.Column("revoked_us", sa.BigInteger()),
    )
    op.create_index("api_keys_by_user", "api_keys", ["user_id", "created_us", "id"])
    op.create_index("api_keys_by_head", "api_keys", ["head"])
    op.create_index("api_keys_by_previous_head", "api_keys", ["previous_head"])
