"""Keeps the SQLite file in order: moves the WAL into it, steadily, so that nobody else has to."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import structlog

log = structlog.get_logger()

#: A WAL that is shorter is left alone: a checkpoint costs two flushes of the disk.
_WORTH_BYTES: Final = 256 * 1024
#: A WAL that stays longer than this is cut, which makes writers wait once.
_TOO_LONG_BYTES: Final = 64 * 1024 * 1024


class Keeper:
    """Checkpoints. Its own connection, in a thread."""

    def __init__(self, path: Path, gauge: Callable[..., Any], counter: Callable[..., Any]) -> None:
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        self._time = gauge("checkpoint_seconds", "Time of the last WAL checkpoint")
        self._size = gauge("wal_bytes", "Length of the WAL")
        self._count = counter("checkpoints", "WAL checkpoints")
        gauge("database_bytes", "Length of the database file").set_function(
            lambda: _length(self._path)
        )

    async def serve(self, every_s: float) -> None:
        """Look every *every_s* seconds, until cancelled; cut the WAL at the end."""
        try:
            while True:
                await asyncio.sleep(every_s)
                length = _length(self._wal)
                self._size.set(length)
                if length > _TOO_LONG_BYTES:
                    await asyncio.to_thread(self._checkpoint, "TRUNCATE")
                elif length > _WORTH_BYTES:
                    await asyncio.to_thread(self._checkpoint, "PASSIVE")
        finally:
            self._checkpoint("PASSIVE")

    def _checkpoint(self, mode: str) -> None:
        started = time.perf_counter()
        connection = sqlite3.connect(self._path, timeout=0.2, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        except sqlite3.OperationalError as exc:
            log.warning("checkpoint_failed", mode=mode, error=str(exc))
        finally:
            connection.close()
        self._time.set(time.perf_counter() - started)
        self._count.inc()


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
