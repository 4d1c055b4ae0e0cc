"""Which notices left in one letter, what repeats, and who refuses letters. Mark: pre (safe before)."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the tables."""
    op.add_column("notices", sa.Column("cause", sa.Text(), nullable=False, server_default=""))
    op.add_column("notices", sa.Column("letter", sa.Text()))
    for name, columns, where in (
        (
            "notices_waiting",
            ["user_id", "type", "created_us", "id"],
            "status = 'QUEUED' AND letter IS NULL",
        ),
        ("notices_by_letter", ["letter", "created_us", "id"], "letter IS NOT NULL"),
        ("notices_failed", ["created_us"], "status = 'FAILED'"),
    ):
        condition = sa.text(where)
        op.create_index(
            name, "notices", columns, sqlite_where=condition, postgresql_where=condition
        )
    op.create_table(
        "notice_repeats",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("told_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "type", "cause"),
    )
    op.create_table(
        "mail_bounces",
        sa.Column("address", sa.Text(), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
    )
