"""The table of steps inside node executions; see tables.py."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from backend.adapters.storage.tables import metadata

#: What a node execution does once: begun (``intent``) before the deed, ``done`` after it.
node_steps: Final = Table(
    "node_steps",
    metadata,
    Column("run_id", Text, nullable=False),
    Column("node_exec_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("result", Text),  # JSON; large ones name a file, as the values of nodes do
    Column("calls", Integer, nullable=False, server_default=text("0")),
    Column("retries", Integer, nullable=False, server_default=text("0")),
    Column("input_tokens", BigInteger, nullable=False, server_default=text("0")),
    Column("output_tokens", BigInteger, nullable=False, server_default=text("0")),
    Column("cached_calls", Integer, nullable=False, server_default=text("0")),
    Column("cost_micro_usd", BigInteger, nullable=False, server_default=text("0")),
    Column("begun_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Column("estimated_calls", Integer, nullable=False, server_default=text("0")),
    CheckConstraint(
        "(state = 'intent' AND ended_us IS NULL AND result IS NULL)"
        " OR (state = 'done' AND ended_us IS NOT NULL AND result IS NOT NULL)",
        name="node_steps_end_when_done",
    ),
    PrimaryKeyConstraint("run_id", "node_exec_id", "key"),
    sqlite_with_rowid=False,
)
