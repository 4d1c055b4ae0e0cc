"""Files without a disk: for the examples of blocks, and for whoever tests a block of their own."""

import secrets
import tempfile
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from backend.core.errors import NotFound, TooLarge
from backend.core.ids import ExecutionId, UserId, derived_id
from backend.ports.files import FileId, FileLimits, NewFile, StoredFile, shown_name

#: The run of what belongs to none.
_OWN: Final = "own"


class TransientFiles:
    """See backend.ports.files.Files. Keeps all in memory."""

    def __init__(
        self, limits: FileLimits | None = None, *, now_s: Callable[[], float] = time.time
    ) -> None:
        self.limits = limits or FileLimits()
        self.now_s = now_s
        self.expires_us: dict[FileId, int] = {}
        self.kept: dict[FileId, tuple[UserId, str, StoredFile, bytes]] = {}

    def of(self, user_id: UserId) -> "TransientUserFiles":
        """See the port."""
        return TransientUserFiles(self, user_id)

    @asynccontextmanager
    async def scratch(self) -> AsyncIterator[Path]:
        """See the port."""
        with tempfile.TemporaryDirectory(prefix="agpt-scratch-") as folder:
            yield Path(folder)

    async def delete_run(self, run_id: ExecutionId, *, untouched_s: float = 0.0) -> bool:
        """See the port; of the age see `runs`."""
        if untouched_s > 0:
            return False
        gone = [file_id for file_id, (_, run, _, _) in self.kept.items() if run == run_id]
        for file_id in gone:
            del self.kept[file_id]
        return bool(gone)

    async def delete_expired(self) -> int:
        """See the port."""
        gone = [file_id for file_id in self.kept if self.is_expired(file_id)]
        for file_id in gone:
            del self.kept[file_id]
        return len(gone)

    def is_expired(self, file_id: FileId) -> bool:
        """Say whether the time of a file has passed."""
        expires_us = self.expires_us.get(file_id)
        return expires_us is not None and expires_us <= self.now_s() * 1e6

    async def runs(self, *, untouched_s: float) -> list[ExecutionId]:
        """See the port; here all are as old as you like, but none is when the age is not zero."""
        if untouched_s > 0:
            return []
        runs = {run for _, run, _, _ in self.kept.values()}
        return [ExecutionId(run) for run in sorted(runs) if run != _OWN]


class TransientUserFiles:
    """See backend.ports.files.UserFiles."""

    def __init__(self, files: TransientFiles, user_id: UserId) -> None:
        self._files = files
        self._user_id = user_id

    async def save(self, new: NewFile, content: AsyncIterable[bytes]) -> StoredFile:
        """See the port."""
        run = new.run_id or _OWN
        number = new.key or secrets.token_hex(16)
        file_id = FileId(f"{run}_{derived_id(self._user_id, run, number).replace('-', '')}")
        others = [
            stored.size_bytes
            for other, (owner, its_run, stored, _) in self._files.kept.items()
            if (owner, its_run) == (self._user_id, run) and other != file_id
        ]
        limits = self._files.limits
        if len(others) >= limits.run_files:
            raise TooLarge("this run has too many files (setting MAX_FILES_PER_RUN)")
        whole = bytearray()
        async for piece in content:
            whole += piece
            if len(whole) > limits.file_bytes:
                raise TooLarge("the file is too large (setting MAX_FILE_SIZE_MB)")
            if len(whole) + sum(others) > limits.run_bytes:
                raise TooLarge("the files of this run are too large (setting MAX_RUN_FILES_MB)")
        stored = StoredFile(
            id=file_id,
            name=shown_name(new.name),
            media_type=new.media_type,
            size_bytes=len(whole),
            expires=new.expires_us is not None,
        )
        if new.expires_us is not None:
            self._files.expires_us[file_id] = new.expires_us
        self._files.kept[file_id] = (self._user_id, run, stored, bytes(whole))
        return stored

    async def keep(self, file_id: FileId, new: NewFile) -> StoredFile:
        """See the port."""
        content = self._mine(file_id)[1]

        async def pieces() -> AsyncIterator[bytes]:
            yield content

        return await self.save(new, pieces())

    async def find(self, file_id: FileId) -> StoredFile:
        """See the port."""
        return self._mine(file_id)[0]

    async def own(self, *, most: int) -> list[StoredFile]:
        """See the port."""
        mine = [
            stored
            for file_id, (user_id, run, stored, _) in self._files.kept.items()
            if user_id == self._user_id and run == _OWN and not self._files.is_expired(file_id)
        ]
        return mine[::-1][:most]

    async def open(self, file_id: FileId) -> BinaryIO:
        """See the port."""
        return BytesIO(self._mine(file_id)[1])

    def _mine(self, file_id: FileId) -> tuple[StoredFile, bytes]:
        found = self._files.kept.get(file_id)
        if found is None or found[0] != self._user_id or self._files.is_expired(file_id):
            raise NotFound(f"There is no file {file_id}.")
        return found[2], found[3]
