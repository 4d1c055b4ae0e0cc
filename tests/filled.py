"""A database in which every table has rows, with what is odd in every column that may have it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import cycle
from pathlib import Path
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Float, LargeBinary, Table

from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.schema import metadata

TEXTS: Final = (
    "",
    "plain",
    "tab\tnew\nline\rback\\slash \\N \\. quote' double\" {curly}",
    "ünïcödé 𝄞 👩‍👩‍👧 \u202e\u2028\x85\x7f\x01",
    '{"a": [1, 2.5, null, "\\u0000", "\\ud834\\udd1e"], "b": {}}',
    "@looks like a packed value",
    "0",
    "x" * 10_000,
)
#: In one row of all.
LARGE: Final = "ü" * 3_000_000
INTEGERS: Final = (0, 1, -1, 2**31 - 1, -(2**31))
BIG_INTEGERS: Final = (*INTEGERS, 2**63 - 1, -(2**63), 1_764_255_600_000_000)
BYTES: Final = (b"", b"\0\xff\n\\x00", bytes(range(256)))
FLOATS: Final = (0.0, -0.0, 0.1, 1e308, 5e-324, float("inf"), 1 / 3)
ROWS: Final = 16


def fill(path: Path, rows: int = ROWS) -> None:
    """Make the database *path*, with *rows* rows in each table."""
    migrate(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in metadata.sorted_tables:
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            marks = ", ".join("?" * len(table.columns))
            connection.executemany(
                f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', rows_of(table, rows)
            )
        connection.execute("UPDATE executions SET inputs = ? WHERE rowid = 1", (LARGE,))


def rows_of(table: Table, count: int) -> Iterator[tuple[Any, ...]]:
    """Yield *count* rows that *table* can have, no two with the same in a column of an index."""
    odd = [cycle(_odd(column)) for column in table.columns]
    # PostgreSQL has no long texts in an index.
    alone = {column.name for index in table.indexes for column in index.columns}
    alone |= {column.name for column in table.primary_key.columns}
    for number in range(count):
        row = {}
        for column, values in zip(table.columns, odd, strict=True):
            value = next(values)
            row[column.name] = _distinct(value, number) if column.name in alone else value
        yield tuple(allowed(table.name, row).values())


def allowed(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return *row* as the CHECKs of its table want it; as it is where there are none."""
    if table in ("budgets", "credit_balances"):
        name = "reserved" if table == "budgets" else "balance"
        return {**row, name: max(0, row[name])}
    if table == "node_steps":
        is_done = row["ended_us"] is not None and row["result"] is not None
        ended = {} if is_done else {"ended_us": None, "result": None}
        return {**row, **ended, "state": "done" if is_done else "intent"}
    return row


def _odd(column: Column[Any]) -> tuple[Any, ...]:
    found: tuple[Any, ...] = TEXTS
    if isinstance(column.type, Boolean):
        found = (True, False)
    elif isinstance(column.type, BigInteger):
        found = BIG_INTEGERS
    elif isinstance(column.type, LargeBinary):
        found = BYTES
    elif isinstance(column.type, Float):
        found = FLOATS
    elif column.type.python_type is int:
        found = INTEGERS
    return (*found, None) if column.nullable else found


def _distinct(value: Any, number: int) -> Any:
    """Return something as odd as *value* that no other row has."""
    if isinstance(value, str):
        return f"{value[:200]}{number}"
    return number if isinstance(value, int) and not isinstance(value, bool) else value
