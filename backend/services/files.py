"""Files that people send before a run needs them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO, Final

from backend.core.errors import BadRequest
from backend.core.ids import UserId
from backend.ports.clock import Clock
from backend.ports.files import PIECE_BYTES, FileId, Files, NewFile, StoredFile
from backend.ports.scanner import VirusScanner

HOURS: Final = range(1, 49)
_HOUR_US: Final = 3600 * 1_000_000


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file that arrives. *content* is walked once."""

    name: str
    media_type: str
    content: AsyncIterable[bytes]


class FileService:
    """See the module."""

    def __init__(self, *, files: Files, clock: Clock, scanner: VirusScanner | None = None) -> None:
        self._files = files
        self._clock = clock
        self._scanner = scanner

    @property
    def limit_bytes(self) -> int:
        """How large one file may be."""
        return self._files.limits.file_bytes

    async def scans(self) -> str:
        """Say whether files that are sent are scanned for viruses."""
        if self._scanner is None:
            return "off: CLAMAV_SERVICE_ENABLED is false"
        return await self._scanner.said()

    async def keep(self, user_id: UserId, upload: Upload, *, hours: int) -> StoredFile:
        """
        Keep a file of *user_id* for *hours*; a run that uses it keeps its own copy.

        Raises:
            BadRequest: If it is empty, holds a virus, or would be kept for too long or too short.
            Unavailable: If it must be scanned for viruses and cannot be.
            TooLarge: If it, or all that its owner keeps, is over a limit.
        """
        if hours not in HOURS:
            raise BadRequest(f"expiration_hours must be {HOURS.start} to {HOURS.stop - 1}")
        new = NewFile(
            run_id=None,
            name=upload.name,
            media_type=upload.media_type,
            expires_us=self._clock.now_us() + hours * _HOUR_US,
        )
        content = _not_empty(upload.content)
        if self._scanner is not None:
            content = self._scanner.checked(content)
        return await self._files.of(user_id).save(new, content)

    async def keep_found(
        self, user_id: UserId, upload: Upload, *, key: str, days: int
    ) -> StoredFile:
        """
        Keep a file that a watch has found for *days*; the same *key* is the same file.

        A run that uses it keeps its own copy.

        Raises:
            BadRequest: If it holds a virus.
            Unavailable: If it must be scanned for viruses and cannot be.
            TooLarge: If it, or all that its owner keeps, is over a limit.
        """
        new = NewFile(
            run_id=None,
            name=upload.name,
            media_type=upload.media_type,
            key=f"found {key}",
            expires_us=self._clock.now_us() + days * 24 * _HOUR_US,
        )
        content = upload.content
        if self._scanner is not None:
            content = self._scanner.checked(content)
        return await self._files.of(user_id).save(new, content)

    async def own(self, user_id: UserId, *, most: int) -> Sequence[StoredFile]:
        """Return files of *user_id* that belong to no run, the newest first, *most* at most."""
        return await self._files.of(user_id).own(most=most)

    async def download(
        self, user_id: UserId, file_id: str
    ) -> tuple[StoredFile, AsyncGenerator[bytes, None]]:
        """
        Return a file of *user_id*, and its content in pieces; walk it to its end, or close it.

        Raises:
            NotFound: If there is none, or it is somebody else's.
        """
        mine = self._files.of(user_id)
        stored = await mine.find(FileId(file_id))
        return stored, _pieces(await mine.open(stored.id))


async def _pieces(content: BinaryIO) -> AsyncGenerator[bytes, None]:
    with closing(content):
        while piece := await asyncio.to_thread(content.read, PIECE_BYTES):
            yield piece


async def _not_empty(content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    has_any = False
    async for piece in content:
        has_any = has_any or bool(piece)
        yield piece
    if not has_any:
        raise BadRequest("the file is empty")
