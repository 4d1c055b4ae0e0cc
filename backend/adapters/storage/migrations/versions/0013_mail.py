"""How many letters somebody may get in a day. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "mail_limits",
        sa.Column("user_id", sa.Text(), primary_key=True),
        sa.Column("daily_limit", sa.Integer()),
        sa.Column("day", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("sent", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
