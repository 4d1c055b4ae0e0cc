"""Tables of budgets; see tables.py."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from backend.adapters.storage.tables import metadata

_ZERO: Final = text("0")

#: *day* is the one that *used* and *reserved* are of; those of an older day count no more.
budgets: Final = Table(
    "budgets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("scope_id", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("limit_amount", BigInteger, nullable=False),
    Column("day", Text, nullable=False, server_default=text("''")),
    Column("used", BigInteger, nullable=False, server_default=_ZERO),
    Column("reserved", BigInteger, nullable=False, server_default=_ZERO),
    Column("updated_us", BigInteger, nullable=False),
    CheckConstraint("reserved >= 0", name="budgets_reserved_above_zero"),
    Index(
        "budgets_by_kind",
        "user_id",
        "scope",
        "scope_id",
        "period",
        "unit",
        "set_by",
        unique=True,
    ),
    Index("budgets_by_scope", "scope_id", sqlite_where=text("scope = 'run'")),
)

#: What a call under way may take at most, of each budget.
budget_reservations: Final = Table(
    "budget_reservations",
    metadata,
    Column("run_id", Text, nullable=False),
    Column("node_exec_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("budget_id", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    PrimaryKeyConstraint("run_id", "node_exec_id", "key", "budget_id"),
    sqlite_with_rowid=False,
)

#: Node executions that wait until a budget has room for their next call.
budget_waits: Final = Table(
    "budget_waits",
    metadata,
    Column("run_id", Text, nullable=False),
    Column("node_exec_id", Text, nullable=False),
    Column("budget_id", Text, nullable=False),
    Column("need", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("run_id", "node_exec_id"),
    Index("budget_waits_by_budget", "budget_id", "created_us"),
    sqlite_with_rowid=False,
)
