"""Tables of alerts on agents; see tables.py."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, text

from backend.adapters.storage.tables import metadata

_ZERO: Final = text("0")

agent_alerts: Final = Table(
    "agent_alerts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("graph_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("threshold", BigInteger, nullable=False),
    Column("names_block", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Column("fired", BigInteger, nullable=False, server_default=_ZERO),
    Column("last_fired_us", BigInteger),
    Column("last_run_id", Text),
    Column("streak", BigInteger, nullable=False, server_default=_ZERO),
    Column("last_run_us", BigInteger),
    Column("silence_us", BigInteger),
    Column("revision", Integer, nullable=False, server_default=_ZERO),
    Index("agent_alerts_by_graph", "user_id", "graph_id", "created_us", "id"),
    Index("agent_alerts_since", "since_us"),
    # Those that come true though nothing happens: they are looked at each time.
    Index(
        "agent_alerts_silent",
        "graph_id",
        sqlite_where=text("kind = 'no_run_for'"),
        postgresql_where=text("kind = 'no_run_for'"),
    ),
)

#: Runs that were judged: what is looked at again, for some run may end late, is judged once.
alert_runs: Final = Table(
    "alert_runs",
    metadata,
    Column("run_id", Text, primary_key=True, nullable=False),
    Column("ended_us", BigInteger, nullable=False),
    Index("alert_runs_by_end", "ended_us"),
    sqlite_with_rowid=False,
)

#: One row: up to which end runs were judged. Its revision lets one of several judges win.
alert_cursor: Final = Table(
    "alert_cursor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("ended_us", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
)
