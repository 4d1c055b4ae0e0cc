"""Tables of the ledger; see tables.py."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from backend.adapters.storage.tables import metadata

credit_balances: Final = Table(
    "credit_balances",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("balance", Integer, nullable=False),
    CheckConstraint("balance >= 0", name="credit_balances_above_zero"),
)

#: Every change of a balance. What is paid for is paid once: its key is there already.
credit_transactions: Final = Table(
    "credit_transactions",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("amount", Integer, nullable=False),
    Column("balance", Integer, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("reason", Text),
    Column("graph_id", Text),
    Column("run_id", Text),
    PrimaryKeyConstraint("user_id", "key"),
    Index("credit_transactions_by_time", "user_id", "created_us"),
)
