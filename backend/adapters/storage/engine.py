"""One SQLAlchemy engine a process, made before the fork: what it has learnt is shared, and costs nothing twice.

It knows no file. Each of its connections is opened by whoever needs one, in its own thread.
"""

import sqlite3
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

#: Statements whose text is remembered; the program has fewer.
_REMEMBERED: Final = 1_000

_opening = threading.local()
_engines: list[Engine] = []


def connect(open_raw: Callable[[], sqlite3.Connection]) -> Connection:
    """
    Return a connection around the one that *open_raw* opens. The caller closes it.

    Transactions are begun and ended by hand. Raises OperationalError as SQLAlchemy does.
    """
    if not _engines:
        _engines.append(_make())
    _opening.raw = open_raw
    try:
        return _engines[0].connect()
    finally:
        del _opening.raw


def _open() -> sqlite3.Connection:
    raw: sqlite3.Connection = _opening.raw()
    return raw


def _make() -> Engine:
    return create_engine(
        "sqlite://",
        creator=_open,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        query_cache_size=_REMEMBERED,
    )
