"""The way of commands into the database, beside a running server or without one."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from backend.cli.server import overrides_of

if TYPE_CHECKING:
    from backend.adapters.storage import SqlStorage
    from backend.settings import Settings

T = TypeVar("T")


def with_storage(
    data_dir: Path | None, work: "Callable[[Settings, SqlStorage], Awaitable[T]]"
) -> T:
    """
    Return what *work* does with the database.

    Raises:
        NotFound: If there is none yet.
        CannotStart: If it is at another step than this program.
        Unavailable: If it cannot be read.
    """
    from backend.settings import load_settings  # noqa: PLC0415 -- help does without

    return storage_of(load_settings(overrides_of(data_dir))[0], work)


def storage_of(settings: "Settings", work: "Callable[[Settings, SqlStorage], Awaitable[T]]") -> T:
    """Like `with_storage`, of these settings."""
    from backend.cli.database import require_newest  # noqa: PLC0415 -- help does without
    from backend.wiring import database_place, open_database  # noqa: PLC0415 -- the same

    require_newest(database_place(settings))

    async def done() -> T:
        storage = open_database(settings)
        try:
            return await work(settings, storage)
        finally:
            await storage.close()

    return asyncio.run(done())
