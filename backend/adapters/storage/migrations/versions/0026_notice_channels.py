"""Ways to tell somebody something beside mail. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their tables, and note on notices which of them still have to go there."""
    zero = sa.text("0")
    # What is there already was told by mail: NULL, and so is what the old program writes.
    op.add_column("notices", sa.Column("unrouted", sa.Integer()))
    op.create_index(
        "notices_unrouted", "notices", ["created_us"], sqlite_where=sa.text("unrouted = 1"),
        postgresql_where=sa.text("unrouted = 1"),
    )  # fmt: skip
    op.create_table(
        "notice_channels",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("types", sa.Text(), nullable=False),
        sa.Column("runs", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Integer(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.Column("sent_us", sa.BigInteger()),
        sa.Column("failures", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("error", sa.Text()),
        sa.Column("next_us", sa.BigInteger()),
    )
    _index("notice_channels_by_user", "notice_channels", "user_id", "id")
    _index("notice_channels_due", "notice_channels", "next_us", where="next_us IS NOT NULL")
    op.create_table(
        "notice_sends",
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("sent_us", sa.BigInteger()),
        sa.PrimaryKeyConstraint("notice_id", "channel_id"),
        sqlite_with_rowid=False,
    )
    waiting = ("channel_id", "created_us", "notice_id")
    _index("notice_sends_waiting", "notice_sends", *waiting, where="status = 'QUEUED'")
    _index("notice_sends_by_age", "notice_sends", "created_us")
    op.create_table(
        "notice_inbox",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("graph_id", sa.Text()),
        sa.Column("run_id", sa.Text()),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("read_us", sa.BigInteger()),
    )
    place = ("user_id", "created_us", "id")
    _index("notice_inbox_by_user", "notice_inbox", *place)
    _index("notice_inbox_unread", "notice_inbox", *place, where="read_us IS NULL")
    _index("notice_inbox_by_age", "notice_inbox", "created_us")


def _index(name: str, table: str, *columns: str, where: str = "") -> None:
    only = sa.text(where) if where else None
    op.create_index(name, table, list(columns), sqlite_where=only, postgresql_where=only)
