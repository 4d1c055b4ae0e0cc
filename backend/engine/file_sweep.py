"""Deletes the files of runs that are gone: after retention, or when their owner deleted them.

Looks from the files to the rows, not the other way: a crash between the two deletions leaves
nothing behind for ever.
"""

import asyncio
from collections.abc import Collection
from typing import Final, Protocol

from backend.core.ids import ExecutionId
from backend.ports.files import Files

#: A run's row is there before its first file, but for a large input: that is written first.
_UNTOUCHED_S: Final = 600.0
_AT_ONCE: Final = 500


class RunRows(Protocol):
    """Who knows which runs there are."""

    async def runs_kept(self, ids: Collection[ExecutionId]) -> set[ExecutionId]:
        """Return those of *ids* that are unfinished, or not deleted."""


async def sweep_files(files: Files, rows: RunRows, *, untouched_s: float = _UNTOUCHED_S) -> str:
    """Delete the files of runs that are gone; and those that have expired; say how many."""
    deleted = 0
    found = await files.runs(untouched_s=untouched_s)
    for start in range(0, len(found), _AT_ONCE):
        some = found[start : start + _AT_ONCE]
        for run_id in sorted(set(some) - await rows.runs_kept(some)):
            # A run that is asked for again may have begun to use its folder meanwhile.
            deleted += await files.delete_run(run_id, untouched_s=untouched_s)
        await asyncio.sleep(0)
    expired = await files.delete_expired()
    return f"files of {deleted} runs deleted, {expired} expired files"
