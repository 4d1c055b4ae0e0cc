"""The table of API keys. Part of tables.py, apart only for its size."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from backend.adapters.storage.tables import metadata

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("scopes", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("head", Text, nullable=False),
    Column("tail", Text, nullable=False),
    Column("salt", Text, nullable=False),
    Column("hash", Text, nullable=False),
    # What the key was before it was last rotated.
    Column("previous_head", Text),
    Column("previous_tail", Text),
    Column("previous_salt", Text),
    Column("previous_hash", Text),
    Column("previous_until_us", BigInteger),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),
    Column("last_used_us", BigInteger),
    Column("revoked_us", BigInteger),
    Index("api_keys_by_user", "user_id", "created_us", "id"),
    Index("api_keys_by_head", "head"),
    Index("api_keys_by_previous_head", "previous_head"),
)
