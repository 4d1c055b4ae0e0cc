"""Deliveries to webhooks that were taken. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "webhook_deliveries",
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("taken_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("webhook_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index("webhook_deliveries_by_time", "webhook_deliveries", ["taken_us"])
    op.create_index(
        "webhook_deliveries_by_webhook", "webhook_deliveries", ["webhook_id", "taken_us"]
    )
