"""Tables about letters; see tables.py."""

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, Table, Text, text

from backend.adapters.storage.tables import metadata

#: How many letters a user may get in a day, and how many there were on the last one with any.
mail_limits: Final = Table(
    "mail_limits",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("daily_limit", Integer),  # None: the default
    Column("day", BigInteger, nullable=False, server_default=text("0")),
    Column("sent", Integer, nullable=False, server_default=text("0")),
)
