"""Tables of how notices reach their owners beside mail; see tables.py."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table, Text, text

from backend.adapters.storage.tables import metadata

_ZERO: Final = text("0")

#: *next_us* is when the first message that waits is due; NULL: none waits.
notice_channels: Final = Table(
    "notice_channels",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("types", Text, nullable=False),
    Column("runs", Text, nullable=False),
    Column("enabled", Integer, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("sent_us", BigInteger),
    Column("failures", Integer, nullable=False, server_default=_ZERO),
    Column("error", Text),
    Column("next_us", BigInteger),
    Index("notice_channels_by_user", "user_id", "id"),
    Index(
        "notice_channels_due",
        "next_us",
        sqlite_where=text("next_us IS NOT NULL"),
        postgresql_where=text("next_us IS NOT NULL"),
    ),
)

#: One message: a notice on its way through a channel. The key is what makes it one; *told* is for
#: how many it stands.
notice_sends: Final = Table(
    "notice_sends",
    metadata,
    Column("notice_id", Text, nullable=False),
    Column("channel_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=_ZERO),
    Column("created_us", BigInteger, nullable=False),
    Column("error", Text),
    Column("sent_us", BigInteger),
    Column("told", Integer, nullable=False, server_default=text("1")),
    PrimaryKeyConstraint("notice_id", "channel_id"),
    Index(
        "notice_sends_waiting",
        "channel_id",
        "created_us",
        "notice_id",
        sqlite_where=text("status = 'QUEUED'"),
        postgresql_where=text("status = 'QUEUED'"),
    ),
    Index("notice_sends_by_age", "created_us"),
    sqlite_with_rowid=False,
)

#: What repeats, by channel: when it was told, and what has been gathered since, until *due_us*.
notice_gathered: Final = Table(
    "notice_gathered",
    metadata,
    Column("channel_id", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("told", Integer, nullable=False),
    Column("told_us", BigInteger, nullable=False),
    Column("held", Integer, nullable=False, server_default=_ZERO),
    Column("first_us", BigInteger),
    Column("last_id", Text),
    Column("due_us", BigInteger),
    PrimaryKeyConstraint("channel_id", "cause"),
    Index(
        "notice_gathered_due",
        "due_us",
        sqlite_where=text("due_us IS NOT NULL"),
        postgresql_where=text("due_us IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

#: Notices as their owners read them in the app.
notice_inbox: Final = Table(
    "notice_inbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("graph_id", Text),
    Column("run_id", Text),
    Column("created_us", BigInteger, nullable=False),
    Column("read_us", BigInteger),
    Index("notice_inbox_by_user", "user_id", "created_us", "id"),
    Index(
        "notice_inbox_unread",
        "user_id",
        "created_us",
        "id",
        sqlite_where=text("read_us IS NULL"),
        postgresql_where=text("read_us IS NULL"),
    ),
    Index("notice_inbox_by_age", "created_us"),
)
