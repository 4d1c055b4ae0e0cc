"""What was asked of models, in sums, and what may be answered again; see tables.py."""

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

#: A row a user, day (UTC), graph and model. Stays when the runs are deleted; when they would be too
#: old, the rows of a day go into one for each model, whose graph_id is "".
model_usage: Final = Table(
    "model_usage",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("graph_id", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("calls", Integer, nullable=False, server_default=_ZERO),
    Column("retries", Integer, nullable=False, server_default=_ZERO),
    Column("input_tokens", BigInteger, nullable=False, server_default=_ZERO),
    Column("output_tokens", BigInteger, nullable=False, server_default=_ZERO),
    Column("cost_micro_usd", BigInteger, nullable=False, server_default=_ZERO),
    Column("cached_calls", Integer, nullable=False, server_default=_ZERO),
    Column("estimated_calls", Integer, nullable=False, server_default=_ZERO),
    PrimaryKeyConstraint("user_id", "day", "graph_id", "model"),
    Index(
        "model_usage_by_graph",
        "day",
        sqlite_where=text("graph_id <> ''"),
        postgresql_where=text("graph_id <> ''"),
    ),
    Index(
        "model_usage_of_days",
        "day",
        sqlite_where=text("graph_id = ''"),
        postgresql_where=text("graph_id = ''"),
    ),
    sqlite_with_rowid=False,
)

#: Answers that may be taken again. A row goes with the run that began it all, or when it is too old.
model_answers: Final = Table(
    "model_answers",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("root_id", Text, nullable=False),
    Column("result", Text, nullable=False),  # JSON
    Column("created_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("user_id", "key"),
    Index("model_answers_by_age", "user_id", "created_us"),
    Index("model_answers_by_run", "root_id"),
    Index("model_answers_by_end", "until_us"),
)
