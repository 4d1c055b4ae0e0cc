"""The tables of the audit log. Rows are added; only retention deletes, from the front."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from backend.adapters.storage.tables import metadata

audit: Final = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("by_id", Text, nullable=False),
    Column("acting_for", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("audit_by_who", "who", "seq"),
    Index("audit_by_object", "kind", "object_id", "seq"),
)

#: One row: the last of the log. Who writes next holds it, so that there is one chain.
audit_head: Final = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)
