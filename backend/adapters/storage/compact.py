"""Writes a SQLite file anew, without the pages that hold nothing. Nobody else may have it open."""

import sqlite3
from pathlib import Path

from backend.core.errors import Unavailable


def write_anew(path: Path) -> tuple[int, int]:
    """
    Compact the database at *path*; from then on it can give pages back by itself.

    Returns:
        Its size before and after, in bytes.

    Raises:
        Unavailable: If there is no room on the disk, or somebody else uses it; it is as it was.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        before = path.stat().st_size
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError as exc:
        raise Unavailable(f"the database {path} cannot be compacted: {exc}") from exc
    finally:
        connection.close()
    return before, path.stat().st_size
