"""What people have searched for in the builder. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "builder_searches",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("filter", sa.Text()),
        sa.Column("by_creator", sa.Text()),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("builder_searches_by_user", "builder_searches", ["user_id", "updated_us", "id"])
