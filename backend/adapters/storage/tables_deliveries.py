"""The tables of what was sent to webhooks, and of what comes again is known by; see tables.py."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table, Text, text

from backend.adapters.storage.tables import metadata

#: The memory: what comes again is known by it, longer than what came is kept.
webhook_deliveries: Final = Table(
    "webhook_deliveries",
    metadata,
    Column("webhook_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("taken_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("webhook_id", "key"),
    Index("webhook_deliveries_by_time", "taken_us"),
    Index("webhook_deliveries_by_webhook", "webhook_id", "taken_us"),
    sqlite_with_rowid=False,
)

deliveries: Final = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("webhook_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("starts", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("replay_of", Text),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("next_us", BigInteger, nullable=False),
    Column("body", Text),  # last: most readers need none of it
    Index("deliveries_by_webhook", "webhook_id", "received_us", "id"),
    Index("deliveries_by_age", "received_us"),
    Index(
        "deliveries_waiting",
        "next_us",
        "id",
        sqlite_where=text("status = 'received'"),
        postgresql_where=text("status = 'received'"),
    ),
)
