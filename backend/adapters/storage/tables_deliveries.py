"""The table of deliveries that were taken: what comes again is known by it."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table, Text

from backend.adapters.storage.tables import metadata

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
