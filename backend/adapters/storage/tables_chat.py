"""Tables of conversations with the copilot; see tables.py."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from backend.adapters.storage.tables import metadata

_ZERO: Final = text("0")

chats: Final = Table(
    "chats",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("title", Text),
    Column("messages", Integer, nullable=False, server_default=_ZERO),
    Column("run_id", Text),  # the newest turn
    Column("created_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Index("chats_by_user", "user_id", "updated_us", "id"),
    Index("chats_by_age", "updated_us"),
)

chat_messages: Final = Table(
    "chat_messages",
    metadata,
    Column("chat_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("tokens", BigInteger, nullable=False, server_default=_ZERO),
    Column("created_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("chat_id", "number"),
    sqlite_with_rowid=False,
)
