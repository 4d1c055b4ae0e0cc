"""What was sent to webhooks, and how those of providers stand. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, and columns to webhooks."""
    zero = sa.text("0")
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("starts", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("replay_of", sa.Text()),
        sa.Column("tries", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text()),
    )
    op.create_index("deliveries_by_webhook", "deliveries", ["webhook_id", "received_us", "id"])
    op.create_index("deliveries_by_age", "deliveries", ["received_us"])
    op.create_index(
        "deliveries_waiting",
        "deliveries",
        ["next_us", "id"],
        sqlite_where=sa.text("status = 'received'"),
        postgresql_where=sa.text("status = 'received'"),
    )
    for column in (
        sa.Column("state", sa.Text(), nullable=False, server_default=sa.text("'ready'")),
        sa.Column("due_us", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("tries", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("refused", sa.BigInteger(), nullable=False, server_default=zero),
    ):
        op.add_column("webhooks", column)
    op.create_index(
        "webhooks_due",
        "webhooks",
        ["due_us"],
        sqlite_where=sa.text("state <> 'ready'"),
        postgresql_where=sa.text("state <> 'ready'"),
    )
