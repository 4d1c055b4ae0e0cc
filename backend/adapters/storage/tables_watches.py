"""The table of watches: triggers that this server looks after itself."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, text

from backend.adapters.storage.tables import metadata

#: A row for each webhook of such a provider, made and deleted with it.
trigger_states: Final = Table(
    "trigger_states",
    metadata,
    Column("webhook_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    # When it is due; while somebody holds it, until when.
    Column("next_us", BigInteger, nullable=False),
    Column("leased_by", Text),
    Column("is_woken", Boolean, nullable=False, server_default=text("false")),
    Column("state", Text, nullable=False, server_default=text("'{}'")),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("error", Text, nullable=False, server_default=text("''")),
    Column("looked_us", BigInteger),
    Index("trigger_states_by_time", "next_us"),
    Index("trigger_states_by_user", "user_id"),
)
