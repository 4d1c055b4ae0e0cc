"""Rows, files, memory and worker processes behind their ports. Part of wiring.py: servers and lone runs share it."""

import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from backend.adapters.files import FolderFiles
from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.memory import SqlMemories
from backend.ports.files import FileLimits
from backend.ports.processes import ProcessLimits
from backend.ports.web import WebDownloads
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.adapters.processes import WorkerPool
    from backend.sdk.files import FileDesk

_MEGABYTE = 1024 * 1024


def open_rows(settings: Settings, path: Path, *, durable: bool = True) -> SqlStorage:
    """Return the storage in the SQLite file at *path*; its tables must be there."""
    return open_storage(
        path,
        synchronous=settings.sqlite_synchronous if durable else "OFF",
        inline_bytes=settings.max_inline_value_kb * 1024,
        value_bytes=settings.max_value_mb * _MEGABYTE,
    )


def open_files(settings: Settings, *, durable: bool = True) -> FolderFiles:
    """Return the files of this installation."""
    limits = FileLimits(
        file_bytes=settings.max_file_size_mb * _MEGABYTE,
        run_bytes=settings.max_run_files_mb * _MEGABYTE,
        run_files=settings.max_files_per_run,
    )
    return FolderFiles(settings.agpt_data_dir / "files", limits, durable=durable)


def file_desk(settings: Settings, web: WebDownloads, *, durable: bool = True) -> "FileDesk":
    """Return what blocks reach files through."""
    from backend.sdk.files import FileDesk  # services without blocks do without

    inline_bytes = settings.max_inline_file_mb * _MEGABYTE
    return FileDesk(
        open_files(settings, durable=durable),
        web,
        inline_bytes=inline_bytes,
        media_s=settings.max_media_duration_s,
    )


def memories_of(settings: Settings, storage: SqlStorage) -> SqlMemories:
    """Return what agents remember."""
    return SqlMemories(
        storage.database,
        value_bytes=settings.max_memory_value_kb * 1024,
        keys=settings.max_memory_keys_per_user,
    )


def worker_pool(settings: Settings, stack: AsyncExitStack) -> "WorkerPool":
    """Return the worker processes of one service, started as needed; *stack* ends them."""
    from backend.adapters.processes import WorkerPool

    limits = ProcessLimits(
        count=settings.block_processes or os.cpu_count() or 1,
        time_s=settings.block_process_time_limit_s,
        memory_bytes=settings.block_process_memory_mb * _MEGABYTE,
        value_bytes=settings.block_process_value_mb * _MEGABYTE,
    )
    # All settings may stand in the environment, and some are secret: a worker needs none.
    hidden = [name.upper() for name in Settings.model_fields]
    pool = WorkerPool(limits, hidden=hidden)
    stack.push_async_callback(pool.close)
    return pool
