"""Files and memory behind their ports. Part of wiring.py, apart because servers and lone runs share it."""

from backend.adapters.files import FolderFiles
from backend.adapters.storage import SqlStorage
from backend.adapters.storage.memory import SqlMemories
from backend.ports.files import FileLimits
from backend.ports.web import WebDownloads
from backend.sdk.files import FileDesk
from backend.settings import Settings

_MEGABYTE = 1024 * 1024


def open_files(settings: Settings, *, durable: bool = True) -> FolderFiles:
    """Return the files of this installation."""
    limits = FileLimits(
        file_bytes=settings.max_file_size_mb * _MEGABYTE,
        run_bytes=settings.max_run_files_mb * _MEGABYTE,
        run_files=settings.max_files_per_run,
    )
    return FolderFiles(settings.agpt_data_dir / "files", limits, durable=durable)


def file_desk(settings: Settings, web: WebDownloads, *, durable: bool = True) -> FileDesk:
    """Return what blocks reach files through."""
    inline_bytes = settings.max_inline_file_mb * _MEGABYTE
    return FileDesk(open_files(settings, durable=durable), web, inline_bytes=inline_bytes)


def memories_of(settings: Settings, storage: SqlStorage) -> SqlMemories:
    """Return what agents remember."""
    return SqlMemories(
        storage.database,
        value_bytes=settings.max_memory_value_kb * 1024,
        keys=settings.max_memory_keys_per_user,
    )
