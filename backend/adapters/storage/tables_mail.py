"""Tables about letters; see tables.py."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table, Text, text

from backend.adapters.storage.tables import metadata

notices: Final = Table(
    "notices",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("error", Text),
    Column("sent_us", BigInteger),
    Column("cause", Text, nullable=False, server_default=""),
    Column("letter", Text),
    Column("unrouted", Integer),  # 1 until it is on its way to the app and the channels
    Index(
        "notices_unrouted",
        "created_us",
        sqlite_where=text("unrouted = 1"),
        postgresql_where=text("unrouted = 1"),
    ),
    Index(
        "notices_waiting",
        "user_id",
        "type",
        "created_us",
        "id",
        sqlite_where=text("status = 'QUEUED' AND letter IS NULL"),
        postgresql_where=text("status = 'QUEUED' AND letter IS NULL"),
    ),
    Index(
        "notices_by_letter",
        "letter",
        "created_us",
        "id",
        sqlite_where=text("letter IS NOT NULL"),
        postgresql_where=text("letter IS NOT NULL"),
    ),
    Index(
        "notices_failed",
        "created_us",
        sqlite_where=text("status = 'FAILED'"),
        postgresql_where=text("status = 'FAILED'"),
    ),
    Index(
        "notices_by_age",
        "created_us",
        sqlite_where=text("status <> 'QUEUED'"),
        postgresql_where=text("status <> 'QUEUED'"),
    ),
    Index(
        "notices_due",
        "next_us",
        "created_us",
        sqlite_where=text("status = 'QUEUED'"),
        postgresql_where=text("status = 'QUEUED'"),
    ),
)

#: How many letters a user may get in a day, and how many there were on the last one with any.
mail_limits: Final = Table(
    "mail_limits",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("daily_limit", Integer),  # None: the default
    Column("day", BigInteger, nullable=False, server_default=text("0")),
    Column("sent", Integer, nullable=False, server_default=text("0")),
)

#: How often what repeats was told: by it grows the pause until it is told again.
notice_repeats: Final = Table(
    "notice_repeats",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("told", Integer, nullable=False),
    Column("told_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("user_id", "type", "cause"),
)

#: Addresses that refused a letter for good, and how often since they last took one.
mail_bounces: Final = Table(
    "mail_bounces",
    metadata,
    Column("address", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
)
