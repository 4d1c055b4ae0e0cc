"""A copy of a database file as it was before an upgrade, beside it: the way back to the older program."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from backend.core.errors import CannotStart, Unavailable

_KEPT: Final = 2
#: An upgrade itself needs some room too.
_SPARE: Final = 64 * 1024 * 1024


def point_for(path: Path, step: str) -> Path:
    """Return where the copy of the file *path* lies that was made at *step*."""
    return path.with_name(f"{path.name}.before-{step}")


def keep_copy(path: Path, step: str) -> Path:
    """
    Copy the database file *path*, which is at *step*, and flush it; of older copies one stays.

    Raises:
        CannotStart: If there is no room for it; nothing has changed then.
    """
    log = path.with_name(f"{path.name}-wal")
    needed = path.stat().st_size + (log.stat().st_size if log.exists() else 0) + _SPARE
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise CannotStart(
            f"the database {path} is at step {step} and must be upgraded, but there is no room to keep"
            f" a copy: {needed / 1e6:,.0f} MB are needed, {free / 1e6:,.0f} MB are free. Make room, or"
            " set UPGRADE_RESTORE_POINT=none"
        )
    point = point_for(path, step)
    part = path.with_name(f"{path.name}.copying")
    try:
        copy_sqlite(path, part)
        _flush(part)
        part.replace(point)
        _flush(path.parent)
    except (OSError, Unavailable) as exc:
        part.unlink(missing_ok=True)
        raise CannotStart(f"no copy of the database {path} can be kept: {exc}") from exc
    older = sorted(path.parent.glob(f"{path.name}.before-*"), key=lambda one: one.stat().st_mtime)
    for one in older[:-_KEPT]:
        one.unlink()
    return point


def copy_sqlite(path: Path, copy: Path) -> None:
    """
    Write what the database file at *path* holds now to *copy*, for its owner alone; not flushed.

    In one step: one in several would begin anew with each commit of others. Writers go on.

    Raises:
        Unavailable: If there is no room, or the file cannot be read; no copy is left.
    """
    copy.unlink(missing_ok=True)
    copy.touch(mode=0o600)
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(address, uri=True)) as old,
            closing(sqlite3.connect(copy)) as new,
        ):
            old.backup(new)
    except sqlite3.DatabaseError as exc:
        copy.unlink(missing_ok=True)
        raise Unavailable(f"the database {path} cannot be copied: {exc}") from exc


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
