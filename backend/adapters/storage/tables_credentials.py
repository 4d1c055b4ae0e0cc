"""The tables of credentials. Part of tables.py, apart only for its size."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table, Text

from backend.adapters.storage.tables import metadata

#: One row for each, never one for a user: what is wrong with one is not the others' matter.
#: An id is its user's own: that another user has the same one cannot be found out.
credentials: Final = Table(
    "credentials",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("title", Text),
    Column("username", Text),
    Column("host", Text),
    Column("scopes", Text),
    Column("sealed", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("leased_by", Text),
    Column("leased_until_us", BigInteger),
    Column("created_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("user_id", "id"),
)

#: People who are away signing in at a provider.
sign_ins: Final = Table(
    "sign_ins",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("user_id", "id"),
    Index("sign_ins_by_end", "expires_us"),
)
