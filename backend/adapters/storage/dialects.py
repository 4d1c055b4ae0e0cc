"""Upserts in the words of the database at hand; the other one's dialect is never imported."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


def insert_for(dialect_name: str, table: Table) -> Any:
    """Return an INSERT that knows ON CONFLICT."""
    if dialect_name == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - a tenth of a start's time

    return postgresql.insert(table)


def insert_on(connection: Connection, table: Table) -> Any:
    """Return an INSERT that knows ON CONFLICT, for the database behind *connection*."""
    return insert_for(connection.dialect.name, table)
