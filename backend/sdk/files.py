"""Files for blocks: from where one may come, and how it is handed on (spec/semantics.md 3.17).

A file comes as a `data:` URI, from a web address through the guarded client, or as the reference
of a file of the same user. Never from a path of this machine.
"""

import asyncio
import base64
import binascii
import hashlib
import mimetypes
import shutil
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from backend.core.errors import BadRequest, NotConfigured, TooLarge, WebFailed, WebTooLarge
from backend.core.ids import ExecutionId, UserId
from backend.ports.files import (
    PIECE_BYTES,
    SCHEME,
    FileId,
    FileLimits,
    Files,
    NewFile,
    StoredFile,
    UserFiles,
)
from backend.ports.web import WebDownload, WebDownloads, WebLimits

_MEGABYTE: Final = 1024 * 1024
_WEB: Final = ("http://", "https://")
_DATA: Final = "data:"
_SHOWN: Final = 60
#: Four characters of base64 are three bytes, so that pieces of this length stand alone.
_TEXT_PIECE: Final = 4 * 64 * 1024
_DOWNLOAD_LIMIT_S: Final = 600.0
_OK: Final = range(200, 300)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenFile:
    """A file whose content can be read: *content* blocks, is seekable, and ends with its context."""

    name: str
    media_type: str
    content: BinaryIO


class FileDesk:
    """
    What all runs share.

    Args:
        inline_bytes: A larger file is never turned into a `data:` URI, nor held in memory.
        media_s: No block makes a longer video (setting MAX_MEDIA_DURATION_S).
    """

    def __init__(
        self,
        files: Files,
        web: WebDownloads | None,
        *,
        inline_bytes: int = 10 * _MEGABYTE,
        media_s: float = 14_400.0,
    ) -> None:
        self.files = files
        self.web = web
        self.inline_bytes = inline_bytes
        self.media_s = media_s

    def of(self, user_id: str, run_id: str, key: str) -> "RunFiles":
        """Return the files of a run; *key* is that of the node execution that asks."""
        return RunFiles(self, UserId(user_id), ExecutionId(run_id) if run_id else None, key)


class RunFiles:
    """
    The files that one node execution reads and makes.

    All methods raise BadRequest for what is no file, NotFound for a reference to a file that is not
    there or not this user's, TooLarge over a limit, and what the web client raises.
    """

    def __init__(
        self, desk: FileDesk, user_id: UserId, run_id: ExecutionId | None, key: str
    ) -> None:
        self._desk = desk
        self._run_id = run_id
        self._key = key
        self._files: UserFiles = desk.files.of(user_id)

    async def store(self, source: str) -> StoredFile:
        """
        Keep the file that *source* tells, until its run is deleted; twice is one file.

        A reference is looked up, not copied, unless the file goes before the run does.

        Raises:
            NotConfigured: Outside of a run.
        """
        if source.startswith(SCHEME):
            return await self._lasting(await self._files.find(_id_in(source)))
        key = "source " + hashlib.blake2b(source.encode(), digest_size=16).hexdigest()
        if source.startswith(_DATA):
            head, data = _parts_of(source)
            return await self._save(_file_name(head), _media_type(head), key, _decoded(head, data))
        async with self._download(source, self._desk.files.limits.file_bytes) as answer:
            media_type = answer.media_type or "application/octet-stream"
            return await self._save(_web_name(source), media_type, key, answer.pieces)

    async def save(
        self, content: AsyncIterable[bytes], *, name: str, media_type: str
    ) -> StoredFile:
        """Keep a file that a block made; the same *name* in one node execution is one file."""
        return await self._save(name, media_type, f"name {name}", content)

    @property
    def limits(self) -> FileLimits:
        """How large files may be."""
        return self._desk.files.limits

    @property
    def media_s(self) -> float:
        """How many seconds a video may have that a block makes."""
        return self._desk.media_s

    @asynccontextmanager
    async def on_disk(self, *sources: str) -> AsyncIterator[tuple[Path, list[Path]]]:
        """
        Give a private folder, and in it a copy of each file of *sources*: for a worker process.

        All of it goes with the context, or, after a crash, with the sweep of old files.
        """
        async with self._desk.files.scratch() as folder:
            places = []
            for number, source in enumerate(sources):
                places.append(folder / f"in{number}")
                async with self.open(source) as file:
                    await asyncio.to_thread(_copy, file.content, places[-1])
            yield folder, places

    async def data_uri(self, source: str) -> str:
        """Return the file that *source* tells as a `data:` URI of base64."""
        async with self.open(source) as file:
            content = await asyncio.to_thread(file.content.read, self._desk.inline_bytes + 1)
        if len(content) > self._desk.inline_bytes:
            raise TooLarge(
                f"the file is larger than {self._desk.inline_bytes / _MEGABYTE:g} MB, too large for "
                "a data: URI (setting MAX_INLINE_FILE_MB): switch base_64 off"
            )
        return f"data:{file.media_type};base64,{base64.b64encode(content).decode()}"

    @asynccontextmanager
    async def open(self, source: str) -> AsyncIterator[OpenFile]:
        """Open the file that *source* tells. What comes from the web is kept in the run first."""
        if source.startswith(_DATA):
            head, data = _parts_of(source)
            content = BytesIO()
            async for piece in _decoded(head, data):
                content.write(piece)
            content.seek(0)
            yield OpenFile(name=_file_name(head), media_type=_media_type(head), content=content)
        elif self._run_id is None and source.startswith(_WEB):
            yield await self._in_memory(source)
        else:
            stored = await self.store(source)
            with closing(await self._files.open(stored.id)) as opened:
                yield OpenFile(name=stored.name, media_type=stored.media_type, content=opened)

    async def _lasting(self, stored: StoredFile) -> StoredFile:
        if not stored.expires or self._run_id is None:
            return stored
        new = self._new(stored.name, stored.media_type, f"copy {stored.id}")
        return await self._files.keep(stored.id, new)

    async def _in_memory(self, source: str) -> OpenFile:
        """Outside of a run nothing is kept, so there is only the memory, and little of it."""
        async with self._download(source, self._desk.inline_bytes) as answer:
            content = BytesIO(b"".join([piece async for piece in answer.pieces]))
            media_type = answer.media_type or "application/octet-stream"
            return OpenFile(name=_web_name(source), media_type=media_type, content=content)

    async def _save(
        self, name: str, media_type: str, key: str, content: AsyncIterable[bytes]
    ) -> StoredFile:
        return await self._files.save(self._new(name, media_type, key), content)

    def _new(self, name: str, media_type: str, key: str) -> NewFile:
        if self._run_id is None:
            raise NotConfigured("files are kept with a run: use this block in a graph")
        whole_key = f"{self._key} {key}" if self._key else ""
        return NewFile(run_id=self._run_id, name=name, media_type=media_type, key=whole_key)

    @asynccontextmanager
    async def _download(self, source: str, max_bytes: int) -> AsyncIterator[WebDownload]:
        if not source.startswith(_WEB):
            raise BadRequest(
                f"{source[:_SHOWN]!r} is no file: give a data: URI, a web address, or the "
                f"{SCHEME} reference of a stored file"
            )
        if self._desk.web is None:
            raise NotConfigured("this file is on the web, and here is no way out to it")
        limits = WebLimits(timeout_s=_DOWNLOAD_LIMIT_S, max_bytes=max_bytes)
        try:
            async with self._desk.web.download(source, limits=limits) as answer:
                if answer.status not in _OK:
                    origin = "/".join(source.split("/", 3)[:3])
                    raise WebFailed(f"the file at {origin} answers with status {answer.status}")
                yield answer
        except WebTooLarge as exc:
            raise TooLarge(f"the file is too large: {exc} (setting MAX_FILE_SIZE_MB)") from exc


def _id_in(source: str) -> FileId:
    """Return the id in a reference; what follows a # says its type and is not needed."""
    name = source.removeprefix(SCHEME).partition("#")[0]
    if not name or "/" in name:
        raise BadRequest(f"{source[:_SHOWN]!r} names no file: here it is {SCHEME} and an id")
    return FileId(name)


def _parts_of(source: str) -> tuple[str, str]:
    head, comma, data = source.removeprefix(_DATA).partition(",")
    if not comma:
        raise BadRequest("a data: URI has a comma before its content")
    return head, data


def _media_type(head: str) -> str:
    return head.partition(";")[0].strip().lower() or "text/plain"


def _file_name(head: str) -> str:
    return f"file{mimetypes.guess_extension(_media_type(head)) or ''}"


def _web_name(source: str) -> str:
    return unquote(urlsplit(source).path.rpartition("/")[2]) or "file"


def _copy(content: BinaryIO, place: Path) -> None:
    with place.open("wb") as file:
        shutil.copyfileobj(content, file, PIECE_BYTES)


async def _decoded(head: str, data: str) -> AsyncIterator[bytes]:
    """Yield the content of a `data:` URI, a piece at a time."""
    if not head.endswith(";base64"):
        yield unquote_to_bytes(data)
        return
    if "%" in data:
        data = unquote(data)
    for start in range(0, len(data), _TEXT_PIECE):
        try:
            yield base64.b64decode(data[start : start + _TEXT_PIECE], validate=True)
        except (binascii.Error, ValueError) as exc:
            raise BadRequest("the content of a data: URI is not valid base64") from exc
        await asyncio.sleep(0)  # others run between the pieces


async def pieces_of(content: BinaryIO) -> AsyncIterator[bytes]:
    """Yield *content* from where it stands to its end, read in a thread."""
    while piece := await asyncio.to_thread(content.read, PIECE_BYTES):
        yield piece


async def pieces_from(place: Path) -> AsyncIterator[bytes]:
    """Yield the content of the file at *place*, read in a thread."""
    with closing(await asyncio.to_thread(place.open, "rb")) as content:
        async for piece in pieces_of(content):
            yield piece
