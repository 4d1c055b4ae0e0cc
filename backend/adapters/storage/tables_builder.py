"""Tables of the builder's menu; see tables.py."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from backend.adapters.storage.tables import metadata

#: What people have searched for in the menu, the newest few of each.
builder_searches: Final = Table(
    "builder_searches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("filter", Text),
    Column("by_creator", Text),
    Column("updated_us", BigInteger, nullable=False),
    Index("builder_searches_by_user", "user_id", "updated_us", "id"),
)
